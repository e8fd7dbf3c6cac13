"""Routers of a Hugging Face MoE model: where they are, what they select, and what they would select.

Nothing here knows a model by name. A router is the module `gate` or `router` beside a module `experts`; it
returns the experts that the model itself selected and their weights, so its scoring (softmax or sigmoid,
bias, groups) is the model's own code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .errors import UserError

ROUTER_NAMES = ("gate", "router")


@dataclass(frozen=True)
class Router:
    """One MoE layer's router: `number` is the layer's number in the model, E experts, `top_k` selected.

    `settings` are what the model passes to the router beside its input, such as a bias that its layer owns.
    """

    number: int
    module: nn.Module
    n_experts: int
    top_k: int
    settings: tuple[Any, ...] = ()

    @property
    def width(self) -> int:
        """Width of the router's input."""
        return _weight(self.module).shape[1]


@dataclass(frozen=True)
class Selection:
    """Experts selected for T tokens, best score first, and their scores: `[T, K]` each."""

    experts: Tensor
    scores: Tensor


@torch.no_grad()
def find_routers(model: Any) -> list[Router]:
    """Run the model on one token and return its routers in layer order.

    Raises `UserError` if there are none, if they do not say what they select, or if experts or top-k differ.
    """
    kind = type(model).__name__
    calls: dict[str, tuple[tuple[Any, ...], Any]] = {}
    modules = dict(_router_modules(model))
    handles = [
        module.register_forward_hook(lambda _module, inputs, output, name=name: calls.update({name: (inputs, output)}))
        for name, module in modules.items()
    ]
    try:
        model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=next(model.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    routers = [_describe(name, modules[name], *call) for name, call in calls.items()]
    if not routers:
        raise UserError(f"{kind}: no MoE layer: no module `experts` with a `gate` or `router` beside it")
    routers.sort(key=lambda r: r.number)
    for field in ("n_experts", "top_k"):
        values = sorted({getattr(r, field) for r in routers})
        if len(values) > 1:
            raise UserError(f"{kind}: {field} differs between layers: {values}: a trace has one for all")
    if len({r.number for r in routers}) < len(routers):
        raise UserError(f"{kind}: two routers in one layer: a trace has one per layer")
    return routers


@torch.no_grad()
def route(router: Router, inputs: Tensor, count: int) -> Selection:
    """Return the `count` experts that `router` ranks best for `inputs` `[..., hidden]`, by its own rule."""
    weight = _weight(router.module)
    flat = inputs.reshape(-1, inputs.shape[-1]).to(weight.device, weight.dtype)
    with selecting(router, count):
        # `forward`, not a call: the hooks of this router belong to the model's own pass
        output = router.module.forward(flat, *router.settings)
    return selected(router.module, output)


def check_hint_count(routers: list[Router], count: int) -> None:
    """Raise `UserError` unless every router can name `count` experts."""
    for router in routers:
        if not 0 <= count <= router.n_experts:
            raise UserError(f"hint count: {count}: must be 0 to {router.n_experts}, the model's experts")
        if count in (0, router.top_k):
            continue
        if not can_select(router, count):
            kind = type(router.module).__name__
            raise UserError(f"hint count: {count}: {kind} selects a fixed number of experts: use {router.top_k}")


def can_select(router: Router, count: int) -> bool:
    """Return whether the router can be told to select `count` experts."""
    probe = torch.zeros(1, router.width)
    return hasattr(router.module, "top_k") and route(router, probe, count).experts.shape[-1] == count


@contextmanager
def selecting(router: Router, count: int) -> Iterator[None]:
    """Let the router select `count` experts for a while."""
    module: Any = router.module
    usual = getattr(module, "top_k", router.top_k)
    if count == usual:
        yield
        return
    module.top_k = count
    try:
        yield
    finally:
        module.top_k = usual


def selected(module: nn.Module, output: Any) -> Selection:
    """Find indices and weights in a router's output and sort them: best score first, ties to the lower id."""
    kind = type(module).__name__
    tensors = [x for x in output if isinstance(x, Tensor)] if isinstance(output, tuple) else []
    indices = next((x for x in tensors if not x.is_floating_point()), None)
    weights = next((x for x in tensors if x.is_floating_point() and _same_shape(x, indices)), None)
    if indices is None or weights is None:
        raise UserError(f"{kind}: does not return the experts it selects, as routers of transformers 5.23 do")
    experts, by_id = indices.detach().reshape(-1, indices.shape[-1]).sort(dim=-1)
    scores = weights.detach().float().reshape(experts.shape).gather(-1, by_id)
    scores, by_score = scores.sort(dim=-1, descending=True, stable=True)
    return Selection(experts=experts.gather(-1, by_score), scores=scores)


@torch.no_grad()
def logits_of(router: Router, inputs: Tensor, output: Any) -> Tensor:
    """Return the router's output for every expert, `[T, E]`, before softmax or sigmoid.

    Raises UserError for a router that does not return it: one whose output for all experts is not its weights
    (and bias, if it has one an expert) applied to its input.
    """
    module: Any = router.module
    tensors = output if isinstance(output, tuple) else ()
    shape = (inputs.numel() // inputs.shape[-1], router.n_experts)
    found: Any = next(
        (x for x in tensors if isinstance(x, Tensor) and x.is_floating_point() and x.shape == shape), None
    )
    if found is None:
        raise UserError(f"logits: {type(module).__name__}: does not return its output for every expert")
    weight = _weight(module)
    bias: Any = getattr(module, "bias", None)
    bias = bias.float() if isinstance(bias, Tensor) and bias.shape == (router.n_experts,) else None
    expected = nn.functional.linear(inputs.reshape(-1, inputs.shape[-1]).float(), weight.float(), bias)
    tolerance = 0.05 * float(expected.abs().max()) + 1e-3  # half-precision models round; a softmax is far off
    if float((found.float() - expected).abs().max()) > tolerance:
        raise UserError(f"logits: {type(module).__name__}: what it returns is not the output of its weights alone")
    return found.detach().float()


def _router_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        children = dict(module.named_children())
        if "experts" not in children:
            continue
        for router_name in ROUTER_NAMES:
            if router_name in children:
                yield f"{name}.{router_name}", children[router_name]


def _describe(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Router:
    """Read experts and top-k off one call, for their attributes are not named alike everywhere."""
    numbers = [int(part) for part in name.split(".") if part.isdigit()]
    if not numbers:
        raise UserError(f"{name}: not a router of a numbered layer")
    selection = selected(module, output)
    return Router(
        number=numbers[-1],
        module=module,
        n_experts=_weight(module).shape[0],
        top_k=selection.experts.shape[-1],
        settings=inputs[1:],
    )


def _weight(module: nn.Module) -> Tensor:
    """Return the router's weights `[experts, hidden]`."""
    for parameter in module.parameters():
        if parameter.ndim == 2:
            return parameter
    raise UserError(f"{type(module).__name__}: has no weight matrix")


def _same_shape(x: Tensor, indices: Tensor | None) -> bool:
    return indices is not None and x.shape == indices.shape
