"""Router capture: what the routers of a Hugging Face MoE model select while it runs, and look-ahead hints.

Nothing here knows a model by name. A router is the module `gate` or `router` beside a module `experts`; it
returns the experts that the model itself selected and their weights, so its scoring (softmax or sigmoid,
bias, groups) is the model's own code. The hints for a layer come from calling that layer's router on the
router input of the MoE layer before it.
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


class RouterTap:
    """Records the selections of every forward pass; use as a context manager, then `take` after each pass.

    With `n_hints` > 0 it also records the hints for every layer but the first.
    """

    def __init__(self, routers: list[Router], n_hints: int):
        self.routers = routers
        self.n_hints = n_hints
        self._selections: list[Selection | None] = [None] * len(routers)
        self._hints: list[Selection | None] = [None] * len(routers)
        self._handles: list[Any] = []

    def __enter__(self) -> RouterTap:
        for index, router in enumerate(self.routers):
            self._handles.append(router.module.register_forward_hook(self._hook(index)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def take(self) -> tuple[list[Selection], list[Selection | None]]:
        """Return selections and hints per layer of the last pass, and forget them."""
        missing = [r.number for r, s in zip(self.routers, self._selections, strict=True) if s is None]
        if missing:
            raise UserError(f"the routers of layers {missing} did not run in a forward pass")
        selections = [s for s in self._selections if s is not None]
        hints = self._hints
        self._selections = [None] * len(self.routers)
        self._hints = [None] * len(self.routers)
        return selections, hints

    def _hook(self, index: int):
        def record(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self._selections[index] = _selection(type(module).__name__, output)
            if self.n_hints and index + 1 < len(self.routers):
                following = self.routers[index + 1]
                self._hints[index + 1] = route(following, inputs[0], self.n_hints)

        return record


@torch.no_grad()
def route(router: Router, inputs: Tensor, count: int) -> Selection:
    """Return the `count` experts that `router` ranks best for `inputs` `[..., hidden]`, by its own rule."""
    device = next(router.module.parameters()).device
    flat = inputs.reshape(-1, inputs.shape[-1]).to(device)
    with _selecting(router, count):
        # `forward`, not a call: the hooks of this router belong to the model's own pass
        output = router.module.forward(flat, *router.settings)
    return _selection(type(router.module).__name__, output)


def check_hint_count(routers: list[Router], count: int) -> None:
    """Raise `UserError` unless every router can name `count` experts."""
    for router in routers:
        if not 0 <= count <= router.n_experts:
            raise UserError(f"hints: {count}: must be 0 to {router.n_experts}, the model's experts")
        if count in (0, router.top_k):
            continue
        weight = _weight(router.module)
        probe = torch.zeros(1, weight.shape[1], dtype=weight.dtype, device=weight.device)
        if not hasattr(router.module, "top_k") or route(router, probe, count).experts.shape[-1] != count:
            kind = type(router.module).__name__
            raise UserError(f"hints: {count}: {kind} selects a fixed number of experts: use {router.top_k}")


@contextmanager
def _selecting(router: Router, count: int) -> Iterator[None]:
    """Let the router select `count` experts for a while."""
    module: Any = router.module
    if count == router.top_k:
        yield
        return
    usual, module.top_k = module.top_k, count
    try:
        yield
    finally:
        module.top_k = usual


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
    selection = _selection(type(module).__name__, output)
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


def _selection(kind: str, output: Any) -> Selection:
    """Find indices and weights in a router's output and sort them: best score first, ties to the lower id."""
    tensors = [x for x in output if isinstance(x, Tensor)] if isinstance(output, tuple) else []
    indices = next((x for x in tensors if not x.is_floating_point()), None)
    weights = next((x for x in tensors if x.is_floating_point() and _same_shape(x, indices)), None)
    if indices is None or weights is None:
        raise UserError(f"{kind}: does not return the experts it selects, as routers of transformers 5.23 do")
    experts, by_id = indices.detach().reshape(-1, indices.shape[-1]).sort(dim=-1)
    scores = weights.detach().float().reshape(experts.shape).gather(-1, by_id)
    scores, by_score = scores.sort(dim=-1, descending=True, stable=True)
    return Selection(experts=experts.gather(-1, by_score), scores=scores)


def _same_shape(x: Tensor, indices: Tensor | None) -> bool:
    return indices is not None and x.shape == indices.shape
