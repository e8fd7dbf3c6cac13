"""The conservation laws of hw/counter_names.py as an assertion of models and replays."""

from collections.abc import Mapping

from ...hw.counter_names import broken_laws


class LawBroken(Exception):  # noqa: N818 - reads as what happened
    """A counter is not the sum that it must be; the message holds each broken law with both sides."""


def check_laws(counters: Mapping[str, int]) -> None:
    """Raise `LawBroken` for the laws that `counters` break, or whose counters are not all there.

    The law of cycles is checked only when `counters` has `cycles`.
    """
    broken = broken_laws(counters)
    if broken:
        raise LawBroken("; ".join(broken))
