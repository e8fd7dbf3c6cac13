"""Settings of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import UserError
from .record_shape import TopKShape


@dataclass(frozen=True)
class RecordConfig:
    """How to decode and what to keep.

    Each prompt is continued by at most `max_new` tokens, fewer where the model ends the text, until `tokens`
    decode rows are recorded in all (None: no limit; rejected drafts do not count). `batch` prompts are decoded
    together. `temperature` 0 decodes greedily; otherwise tokens are drawn from generator `seed` plus the prompt's
    index. `n_hints` hints (None: top-k, 0: none) are kept for each of `horizons`, first to last, MoE layers
    ahead (None: none). `logits` keeps the routers' output for every expert. `shape` sets each layer's top-k.
    """

    max_new: int = 128
    tokens: int | None = None
    temperature: float = 0.0
    seed: int = 0
    n_hints: int | None = None
    horizons: tuple[int, int] | None = (1, 1)
    logits: bool = False
    batch: int = 1
    shape: TopKShape | None = None

    def __post_init__(self) -> None:
        if self.max_new < 1 or (self.tokens is not None and self.tokens < 1):
            raise UserError(f"max-new {self.max_new}, tokens {self.tokens}: must be at least 1")
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"temperature: {self.temperature}: must be 0 or more")
        if self.batch < 1:
            raise UserError(f"batch: {self.batch}: must be at least 1")

    def describe(self) -> dict[str, Any]:
        """The settings of the decoding as plain data, for the provenance."""
        return {"max_new": self.max_new, "tokens": self.tokens, "temperature": self.temperature, "seed": self.seed,
                "batch": self.batch}  # fmt: skip


def parse_horizons(text: str) -> tuple[int, int] | None:
    """Read how many MoE layers ahead hints are made: `1`, a range `1..3`, or `0` for none.

    Raises UserError naming the text and the rule.
    """
    first, dots, last = text.partition("..")
    try:
        horizons = int(first), int(last) if dots else int(first)
    except ValueError:
        horizons = (-1, -1)
    if horizons == (0, 0):
        return None
    if not 1 <= horizons[0] <= horizons[1]:
        raise UserError(f"hints: {text!r}: must be MoE layers ahead: a number, a range such as 1..3, or 0 for none")
    return horizons
