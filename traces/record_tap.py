"""Router tap: what the routers of a model select during a forward pass, with look-ahead hints and logits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .errors import UserError
from .record_router import Router, Selection, logits_of, route, selected


@dataclass
class Captured:
    """What one forward pass of T tokens left, a list entry per MoE layer.

    `hints[h]` are the hints made h layers ahead, None for layers that have no layer so far before them.
    `logits` is empty unless asked for.
    """

    selections: list[Selection | None]
    hints: dict[int, list[Selection | None]]
    logits: list[Tensor | None] = field(default_factory=list)


class RouterTap:
    """Records every forward pass; use as a context manager, then `take` after each pass.

    The hints for a layer come from calling that layer's router on the router input of the MoE layer `horizon`
    layers before it: `n_hints` of them for each of `horizons` (none if it is 0).
    """

    def __init__(self, routers: list[Router], n_hints: int, horizons: range = range(1, 2), *, logits: bool = False):
        self.routers = routers
        self.n_hints = n_hints
        self.horizons = horizons if n_hints else range(0)
        self._logits = logits
        self._handles: list[Any] = []
        self._captured = self._empty()

    def __enter__(self) -> RouterTap:
        for index, router in enumerate(self.routers):
            self._handles.append(router.module.register_forward_hook(self._hook(index)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def take(self) -> Captured:
        """Return what the last pass left, and forget it."""
        captured, self._captured = self._captured, self._empty()
        missing = [r.number for r, s in zip(self.routers, captured.selections, strict=True) if s is None]
        if missing:
            raise UserError(f"the routers of layers {missing} did not run in a forward pass")
        return captured

    def _empty(self) -> Captured:
        count = len(self.routers)
        logits: list[Tensor | None] = [None] * count if self._logits else []
        return Captured([None] * count, {h: [None] * count for h in self.horizons}, logits)

    def _hook(self, index: int):
        def record(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self._captured.selections[index] = selected(module, output)
            if self._logits:
                self._captured.logits[index] = logits_of(self.routers[index], inputs[0], output)
            for horizon in self.horizons:
                if index + horizon < len(self.routers):
                    following = self.routers[index + horizon]
                    self._captured.hints[horizon][index + horizon] = route(following, inputs[0], self.n_hints)

        return record
