"""Top-k shape: how many experts each layer activates, as "Faster MoE LLM inference for extremely large models".

arXiv 2505.03531 describes per-layer numbers of activated experts by the first layer's b, the peak's h, the last
layer's e and the peak's layer p, with linear interpolation between them; a token takes the top of the router's
own ranking.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from .record_router import Router


@dataclass(frozen=True)
class TopKShape:
    """Experts of the `first`, the `peak` and the `last` MoE layer, and the peak's layer, counted from 0."""

    first: int
    peak: int
    last: int
    peak_layer: int

    @classmethod
    def parse(cls, text: str) -> TopKShape:
        """Read `b,h,e,p`; UserError naming the text and the rule."""
        try:
            first, peak, last, peak_layer = (int(part) for part in text.split(","))
        except ValueError:
            rule = "must be four whole numbers b,h,e,p: experts of the first, peak and last layer, and the peak's layer"
            raise UserError(f"top-k shape: {text!r}: {rule}") from None
        return cls(first, peak, last, peak_layer)

    def __str__(self) -> str:
        return f"{self.first},{self.peak},{self.last},{self.peak_layer}"

    def layers(self, n_layers: int, top_k: int) -> list[int]:
        """Experts of each of `n_layers` layers, whose router selects `top_k` by itself; halves are rounded up.

        Raises UserError if a number is not 1 to `top_k`, or the peak is no layer.
        """
        for name, value in (("first", self.first), ("peak", self.peak), ("last", self.last)):
            if not 1 <= value <= top_k:
                raise UserError(f"top-k shape: {self}: {name}: {value}: must be 1 to {top_k}, the model's top-k")
        if not 0 <= self.peak_layer < n_layers:
            rule = f"must be 0 to {n_layers - 1}, a MoE layer counted from 0"
            raise UserError(f"top-k shape: {self}: peak layer: {self.peak_layer}: {rule}")
        return [self._at(layer, n_layers) for layer in range(n_layers)]

    def _at(self, layer: int, n_layers: int) -> int:
        if layer == self.peak_layer:
            return self.peak
        if layer < self.peak_layer:
            start, end, step, span = self.first, self.peak, layer, self.peak_layer
        else:
            start, end, step, span = self.peak, self.last, layer - self.peak_layer, n_layers - 1 - self.peak_layer
        return (2 * (start * span + (end - start) * step) + span) // (2 * span)


@contextmanager
def top_k_shape(routers: list[Router], shape: TopKShape) -> Iterator[list[int]]:
    """Let each layer's router select as many experts as the shape says; gives these numbers.

    Raises UserError for a shape that does not fit the model, or a router that selects a fixed number.
    """
    from .record_router import can_select, selecting  # needs torch: the command line reads shapes without it

    counts = shape.layers(len(routers), routers[0].top_k)
    with ExitStack() as stack:
        for router, count in zip(routers, counts, strict=True):
            if count != router.top_k and not can_select(router, count):
                kind = type(router.module).__name__
                raise UserError(f"top-k shape: {shape}: {kind} selects a fixed number of experts")
            stack.enter_context(selecting(router, count))
        yield counts
