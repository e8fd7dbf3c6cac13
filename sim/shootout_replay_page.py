"""The replays of a shoot-out as Markdown: time and link bytes of every entrant, and what of each gap is closed."""

from collections.abc import Callable, Sequence

from ..hw.markdown import table
from .shootout_replays import ON_DEMAND, ORACLE, ST_MOE, WEIGHTS, PlatformReplays, Timed

SAVED = (
    "Exposed stall as a share of that on demand; then how much of the way from ST-MoE's stall to the oracle's and to "
    "the roofline's the weights go, and whether they stall no longer than ST-MoE:"
)
BEST = "weights, above 120"


def replay_page(replays: Sequence[PlatformReplays]) -> str:
    """Return a table of the gaps, and for each trace one of times and one of link bytes."""
    parts = [SAVED, _gaps(replays)]
    for trace in dict.fromkeys(replay.trace for replay in replays):
        own = [replay for replay in replays if replay.trace == trace]
        parts += [
            f"**{trace}**, {own[0].steps:,} decode steps. TPOT in microseconds of the real size (modelled from "
            "simulated cycles):",
            _by_platform(own, lambda timed: f"{timed.tpot_us:,.1f}"),
            "Link megabytes a token of the real size (simulated):",
            _by_platform(own, lambda timed: f"{timed.link_bytes / 1e6:,.2f}"),
        ]
    return "\n\n".join(parts) + "\n"


def _gaps(replays: Sequence[PlatformReplays]) -> str:
    heading = [
        "recording", "platform", "scale", "link room", ST_MOE, WEIGHTS, BEST, ORACLE,
        "weights, to the oracle", "to the roofline", "above 120, to the oracle", "to the roofline", "no worse",
    ]  # fmt: skip
    return table(heading, [_gap_row(replay) for replay in replays])


def _gap_row(replay: PlatformReplays) -> list[str]:
    stalls = replay.stalls
    shares = [stalls[name] / stalls[ON_DEMAND] for name in (ST_MOE, WEIGHTS, BEST, ORACLE)]
    closed = [
        share(name, over=ST_MOE)
        for name in (WEIGHTS, BEST)
        for share in (replay.gap_closed, replay.roofline_gap_closed)
    ]
    return [
        replay.trace, f"`{replay.platform}`", str(replay.scale), f"{replay.room:.1f}",
        *(f"{share:.3f}" for share in shares), *("-" if share is None else f"{share:.0%}" for share in closed),
        "yes" if stalls[WEIGHTS] <= stalls[ST_MOE] else "**no**",
    ]  # fmt: skip


def _by_platform(replays: Sequence[PlatformReplays], cell: Callable[[Timed], str]) -> str:
    rows = [
        [timed.name, *(cell(replay.timed[place]) for replay in replays)] for place, timed in enumerate(replays[0].timed)
    ]
    return table(["", *(f"`{replay.platform}`" for replay in replays)], rows)
