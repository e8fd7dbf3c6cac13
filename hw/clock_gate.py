"""Clock gate: stops the clock of parts that rest, by a wrapper that an ASIC flow replaces by its own cell."""

from typing import TypeVar

from amaranth import ClockSignal, DomainRenamer, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .config import UnitConfig

GATE_MODULE = "moefetch_clock_gate"
"""Verilog module of the gate; its model is verilog/moefetch_clock_gate.v."""
CONTROL = "control"
"""Domain of the parts that act on events and commits, not on every beat."""
SETTLE_CYCLES = 8
"""Cycles that the clock runs on after the last reason: more than any pipeline among the gated parts is long."""

Part = TypeVar("Part", bound=Elaboratable)


def control_domain(config: UnitConfig) -> str:
    """Return the domain of the parts that may rest: `control` if the unit gates their clock, else `sync`."""
    return CONTROL if config.clock_gating else "sync"


def in_control(config: UnitConfig, part: Part) -> Part:
    """Return the part with its clock in `control_domain`."""
    return DomainRenamer(control_domain(config))(part)


class ClockGate(wiring.Component):
    """Drives domain `control` of its parent: `sync`'s clock while `awake`, in reset, and 8 cycles on.

    A part may be in the domain if it comes to rest: without a reason in `awake`, and with its inputs constant, none of
    its registers changes any more. Then gating changes no cycle of what it does.

    Latency: none, the clock rises with `sync` in the cycle in which `awake` is. Not for Amaranth's simulator, which
    does not order derived clocks.

    Members
    -------
    awake : In
        Something asks the parts to act, or they are about something.
    """

    def __init__(self):
        super().__init__({"awake": In(1)})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        left = Signal(range(SETTLE_CYCLES))
        with m.If(self.awake):
            m.d.sync += left.eq(SETTLE_CYCLES - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.submodules.gate = Instance(
            GATE_MODULE,
            i_clk=ClockSignal(),
            i_enable=self.awake | (left != 0) | ResetSignal(),
            o_gated=ClockSignal(CONTROL),
        )
        m.d.comb += ResetSignal(CONTROL).eq(ResetSignal())
        return m
