"""A small shoot-out's results, made by hand."""

from moefetch.sim.shootout import Calibration, Contender, Shootout
from moefetch.sim.shootout_replays import PlatformReplays, Timed


def made_shootout(trace="toy", model="m") -> Shootout:
    """Return two contenders: one without hardware that names nothing for layer 0, and the weights."""
    return Shootout(
        trace, model, (3, 8, 2), 60, 60, (2, 3, 4, 6), 0.7, 5.0,
        (
            Contender("hints", (0.8, 0.8, 0.8, 0.8), None, 2.5, 0.5, 0, None),
            Contender("weights", (0.5, 0.6, 0.7, 0.9), (0.4, 0.5, 0.6, 0.7), None, None, 12_000, 23),
        ),
        (Calibration(120, 200, 0.25),), (0.5, 0.61, 0.72, 0.91),
    )  # fmt: skip


def made_replays(trace="toy", platform="slow", room=1.0, weights=60) -> PlatformReplays:
    """Return four entrants' replays; the oracle has a stall of 50, on-demand of 100."""
    stalls = {"on demand": 100, "ST-MoE, ranked": 90, "weights": weights, "weights, above 120": 55, "oracle": 50}
    timed = tuple(Timed(name, stall / 4, stall * 1e5, stall, None) for name, stall in stalls.items())
    return PlatformReplays(trace, platform, 7, 1000, room, 200, 200, timed)
