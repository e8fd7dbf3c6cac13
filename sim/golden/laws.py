"""Conservation laws of the counters, exact in the unit, in the golden model and in reports."""

from collections.abc import Mapping

LAWS: dict[str, tuple[str, ...]] = {
    "demand": ("hit", "late", "miss"),
    "hit": ("hit_prefetch", "hit_reuse"),
    "generated": (
        "resident", "in_flight", "in_queue", "over_budget", "overflow", "no_victim",
        "expired", "promoted", "flushed", "queued_open", "issued",
    ),
    "issued": ("timely", "late", "useless", "aborted", "failed", "open"),
    "timely": ("on_target", "later_use"),
    "hit_prefetch": ("timely",),
}  # fmt: skip
"""Each counter and those that it is the sum of."""

CYCLES_LAW = ("outside", "compute", "stall_slot", "stall_queue", "stall_link", "stall_grant", "stall_bank")
"""What `cycles` is the sum of, where cycles are counted."""


class LawBroken(Exception):  # noqa: N818 - reads as what happened
    """A counter is not the sum that it must be; the message holds the law and both sides."""


def check_laws(counters: Mapping[str, int]) -> None:
    """Raise `LawBroken` at the first law that `counters` break, or whose counters are not all there.

    The law of cycles is checked only when `counters` has `cycles`.
    """
    laws = LAWS | ({"cycles": CYCLES_LAW} if "cycles" in counters else {})
    for total, parts in laws.items():
        missing = [name for name in (total, *parts) if name not in counters]
        law = f"{total} = {' + '.join(parts)}"
        if missing:
            raise LawBroken(f"{law}: no counter {', '.join(missing)}")
        if counters[total] != sum(counters[name] for name in parts):
            values = " + ".join(str(counters[name]) for name in parts)
            raise LawBroken(f"{law}: {counters[total]} is not {values}")
