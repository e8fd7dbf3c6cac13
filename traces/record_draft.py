"""Draft model of speculative decoding: what it predicts of the target's routing, in SP-MoE's manner.

SP-MoE (arXiv 2510.10302) applies the target's gate of layer l to the draft's attention output of layer l while
the draft model runs. That needs both models' hidden states to live in one space. Where they do not, a linear map
from the draft's to the target's is fitted first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from .errors import UserError
from .record_blocks import BlockTap, find_blocks
from .record_checkpoint import position_count
from .record_router import Router, Selection, route

DraftMap = Literal["auto", "direct", "fitted"]
RIDGE = 1e-3
"""Regularisation of the fitted map, as a share of the mean variance of the draft's attention output."""

REVERSIBLE = ("full_attention", "sliding_attention", "chunked_attention")
"""Kinds of layers whose cache has an entry for each position, so that the last ones can be taken away."""


@dataclass(frozen=True)
class Draft:
    """A draft model: at most `length` tokens are drafted for a window.

    `mapping` `direct` gives the draft's attention output to the target's gates as it is, `fitted` through a
    fitted linear map, `auto` directly where the widths agree.
    """

    model: Any
    tokenizer: Any
    name: str
    length: int = 4
    mapping: DraftMap = "auto"
    provenance: dict[str, Any] = field(default_factory=dict)


def check_draft(draft: Draft, model: Any, tokenizer: Any) -> None:
    """Raise UserError unless draft and target speak of the same tokens and the settings are possible."""
    if draft.length < 1:
        raise UserError(f"draft length: {draft.length}: must be at least 1")
    entries, wanted = len(draft.tokenizer), len(tokenizer)
    if draft.tokenizer.get_vocab() != tokenizer.get_vocab():
        rule = "speculative decoding needs one tokenizer"
        raise UserError(f"draft {draft.name}: its tokenizer ({entries} entries) is not the target's ({wanted}): {rule}")
    for name, checked in ((f"draft {draft.name}", draft.model), ("target", model)):
        size = checked.config.get_text_config().vocab_size
        if size < entries:
            raise UserError(f"{name}: vocabulary of {size}: smaller than the tokenizer's {entries}")
        kinds = set(getattr(checked.config.get_text_config(), "layer_types", None) or ())
        other = sorted(kind for kind in kinds if kind not in REVERSIBLE)
        if other:
            rule = "rejected tokens cannot be taken back from its state: no speculative decoding"
            raise UserError(f"{name}: has {other[0]} layers: {rule}")


class DraftPredictor:
    """Predicts the target's experts from the draft's last forward pass; use as a context manager.

    `layers[i]` is the draft's layer that predicts the target's MoE layer i: the same number where both models
    have the same number of layers, else the one at the same share of the depth.

    Raises UserError for a `direct` mapping between different widths.
    """

    def __init__(self, draft: Draft, model: Any, routers: list[Router], n_hints: int):
        self.draft, self._model = draft, model
        blocks = find_blocks(draft.model)
        depth = model.config.get_text_config().num_hidden_layers
        self.layers = [(2 * r.number + 1) * len(blocks) // (2 * depth) for r in routers]
        self._tap = BlockTap([blocks[layer] for layer in sorted(set(self.layers))])
        self._place = {layer: place for place, layer in enumerate(sorted(set(self.layers)))}
        self._routers = routers
        self.n_hints = n_hints
        self._maps: list[tuple[Tensor, Tensor]] | None = None
        width, wanted = draft.model.config.get_text_config().hidden_size, routers[0].width
        if draft.mapping == "direct" and width != wanted:
            raise UserError(f"draft map: direct: the draft's width is {width}, the target's {wanted}: use fitted")
        self._fitted = draft.mapping == "fitted" or width != wanted

    def predict(self) -> list[Selection | None]:
        """Return the predictions of every MoE layer, `[1, n_hints]`, for the last token that the draft read."""
        inputs = [self._input(index)[-1:] for index in range(len(self.layers))]
        if self._maps is not None:
            inputs = [_apply(m, x.float().cpu()) for m, x in zip(self._maps, inputs, strict=True)]
        return [route(router, x, self.n_hints) for router, x in zip(self._routers, inputs, strict=True)]

    def _input(self, index: int) -> Tensor:
        return self._tap.inputs[self._place[self.layers[index]]]

    def __enter__(self) -> DraftPredictor:
        self._tap.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._tap.__exit__()

    def prepare(self, texts: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Fit the map on texts (token ids) where one is needed; return what the provenance says of the draft."""
        draft = self.draft
        kind = "the target's gate of a layer on the draft's attention output of the layer"
        said: dict[str, Any] = {
            "draft": draft.name,
            "draft_architecture": type(draft.model).__name__,
            "draft_length": draft.length,
            "verification": "greedy",
            "prediction": f"{kind}, as SP-MoE (arXiv 2510.10302)",
            "draft_layers": self.layers,
            "map": "none: the draft's attention output as it is",
        }
        if self._fitted:
            fit = self._fit([text[: position_count(draft.model, self._model)] for text in texts])
            said["map"] = {"kind": "linear, fitted from the draft's to the target's space on the prompts"} | fit
        return said | draft.provenance

    @torch.no_grad()
    def _fit(self, texts: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Fit the linear maps: for each MoE layer, ridge regression of the router input on the attention output."""
        sums = [_Regression() for _ in self._routers]
        gates: dict[int, Tensor] = {}

        def keep(index: int):
            return lambda _module, inputs: gates.update({index: inputs[0].detach().flatten(0, -2)})

        hooks = [r.module.register_forward_pre_hook(keep(i)) for i, r in enumerate(self._routers)]
        try:
            with self:
                for ids in texts:
                    for each in (self.draft.model, self._model):
                        tokens = torch.tensor([list(ids)], device=next(each.parameters()).device)
                        each(input_ids=tokens, use_cache=False)
                    for index, regression in enumerate(sums):
                        regression.add(self._input(index), gates[index])
        finally:
            for hook in hooks:
                hook.remove()
        self._maps = [regression.solve() for regression in sums]
        return {"tokens": sums[0].count, "ridge": RIDGE, "variance_explained": [round(s.explained, 4) for s in sums]}


class _Regression:
    """Linear regression with intercept from running sums, in double precision."""

    def __init__(self) -> None:
        self.count = 0
        self.explained = 0.0
        self._sums: list[Tensor] = []

    def add(self, x: Tensor, y: Tensor) -> None:
        x, y = x.double().cpu(), y.double().cpu()
        parts = [x.sum(0), y.sum(0), x.T @ x, x.T @ y, y.square().sum(0)]
        self._sums = [a + b for a, b in zip(self._sums, parts, strict=True)] if self._sums else parts
        self.count += len(x)

    def solve(self) -> tuple[Tensor, Tensor]:
        """Return weight [in, out] and intercept [out]; also sets the share of variance `explained`."""
        x, y, xx, xy, yy = (s / self.count for s in self._sums)
        covariance = xx - torch.outer(x, x)
        cross = xy - torch.outer(x, y)
        ridge = RIDGE * covariance.diagonal().mean() + 1e-12
        weight = torch.linalg.solve(covariance + ridge * torch.eye(len(x), dtype=torch.double), cross)
        left = (yy - y.square()) - 2 * (weight * cross).sum(0) + (weight * (covariance @ weight)).sum(0)
        self.explained = float(1 - left.sum() / (yy - y.square()).sum())
        return weight.float(), (y - x @ weight).float()


def _apply(linear: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    weight, intercept = linear
    return x @ weight + intercept
