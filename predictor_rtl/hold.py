"""Hold: the paper's schedule, a prediction waits until the next layer's attention is nearly over."""

from typing import TYPE_CHECKING, Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..hw.config import EVENT_BITS
from .interface import HOLD_BITS


class HoldTimer(wiring.Component):
    """Says when the prediction made at an event may leave: `hold_cycles` after the event's end.

    Source: arXiv 2606.15453, Fig. 6.

    Latency: `released` is 1 from `hold_cycles` + `latency` = 1 cycles after the event's `event_end`.
    Throughput: one timer; the end of a later event starts it anew.

    Members
    -------
    event_end : In
        Pulse number n since reset ends event number n.
    hold_cycles : In
        Sampled at `event_end`.
    event : In
        Number of the event that the prediction was made at.
    released : Out
        The event has ended and the timer has run down.
    running : Out
        The timer has not run down.
    """

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "event_end": In(1),
                "hold_cycles": In(HOLD_BITS),
                "event": In(EVENT_BITS),
                "released": Out(1),
                "running": Out(1),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        n_ended = Signal(EVENT_BITS)
        left = Signal(HOLD_BITS)
        m.d.comb += [self.running.eq(left != 0), self.released.eq((n_ended != self.event) & (left == 0))]
        with m.If(self.event_end):
            m.d.sync += [n_ended.eq(n_ended + 1), left.eq(self.hold_cycles)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m
