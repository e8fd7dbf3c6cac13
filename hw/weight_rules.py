"""The numbers of the `weights` predictor that RTL, golden model and trainer share."""

from __future__ import annotations

from dataclasses import dataclass

Source = tuple[int, int]
"""(layers back, tokens back): (1, 0) is the layer before the predicted one, (0, 1) the predicted one a token ago."""

MAX_LAYERS_BACK = 8
MAX_AHEAD = 4

CENTRE = 128
"""The candidate score of a sum of 0: as likely needed as not."""
SCORE_STEPS = 4
"""A candidate score resolves the margin into 2**SCORE_STEPS steps, as far as sums are that fine."""


@dataclass(frozen=True, slots=True)
class WeightRules:
    """Context sources and number formats of a `weights` predictor; everything else follows from them.

    `sources` are distinct and contain `own`; `bits` is the width of a signed weight, 2 to 8; `ahead` says how many
    events before an event its experts are named, 1 to 4.
    """

    sources: tuple[Source, ...]
    bits: int
    ahead: int = 1

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise ValueError(f"bits = {self.bits}: must be 2 to 8")
        if len(set(self.sources)) != len(self.sources):
            raise ValueError(f"sources = {self.sources}: must not name a source twice")
        if not 1 <= self.ahead <= MAX_AHEAD:
            raise ValueError(f"ahead = {self.ahead}: must be 1 to {MAX_AHEAD}")
        if self.own not in self.sources:
            raise ValueError(f"sources = {self.sources}: must contain {self.own}, the event's own members")
        for source in self.sources:
            if source != (0, 1) and not (self.ahead <= source[0] <= MAX_LAYERS_BACK and source[1] == 0):
                raise ValueError(
                    f"sources: {source}: must be {self.own} to ({MAX_LAYERS_BACK}, 0), an earlier layer of this token, "
                    "or (0, 1), the same layer of the token before"
                )

    @property
    def own(self) -> Source:
        """The source that is the event's own members."""
        return (self.ahead, 0)

    @property
    def lowest(self) -> int:
        """Smallest weight."""
        return -(1 << (self.bits - 1))

    @property
    def highest(self) -> int:
        """Largest weight."""
        return (1 << (self.bits - 1)) - 1

    @property
    def margin(self) -> int:
        """Sums within it of 0 are taught even if they are on the right side."""
        return 1 << self.bits

    @property
    def offset(self) -> int:
        """What every sum starts at, so that an expert of which nothing is known scores below one seen to follow."""
        return self.lowest

    @property
    def score_shift(self) -> int:
        """Bits of a sum that its candidate score drops."""
        return max(0, self.bits - SCORE_STEPS)
