"""What every harness of a proof is made of: a component under test, free inputs, and a module to add properties to."""

from collections.abc import Callable
from typing import Self

from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume, ClockDomain, Cover, Elaboratable, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from moefetch.hw.config import UNIT_PRESETS, UnitConfig

from .probe import Probe


def small(**sizes) -> UnitConfig:
    """Return a configuration as small as a proof wants it, below what a generated unit may have."""
    return UNIT_PRESETS["tiny"].model_copy(update=sizes)


class Harness(Elaboratable):
    """Instantiates a component; a subclass's `properties` adds what is assumed and asserted.

    Inputs of the component that `properties` leaves alone are free: anything, in each cycle. Nothing is reset but at
    the start. What `strengthen` adds to make an induction converge is left out where a seeded bug is sought, so that
    the bug breaks the claim itself.
    """

    def __init__(self, component: wiring.Component):
        self.dut = component
        self.strengthened = True
        self.states: Callable[[Module, Self, Probe], dict[str, Value]] | None = None
        """What a cover adds: conditions by name."""
        self._domain = ClockDomain("sync", reset_less=True)
        self.ports: list[Value] = [self._domain.clk]
        self.inputs_of(component)

    def inputs_of(self, component: wiring.Component) -> None:
        """Make the component's inputs free, but for those that are driven."""
        members = component.signature.flatten(component)
        self.ports += [Value.cast(signal) for _, member, signal in members if member.flow is In]

    def free(self, shape, name: str) -> Signal:
        """Return a signal that may have any value in each cycle."""
        signal = Signal(shape, name=name)
        self.ports.append(Value.cast(signal))
        return signal

    def constant(self, m, shape, name: str) -> Signal:
        """Return a signal that has any one value for all time."""
        signal = Signal(shape, name=name)
        m.d.comb += Value.cast(signal).eq(AnyConst(len(Value.cast(signal))))
        return signal

    def elaborate(self, platform):
        m = Module()
        m.domains += self._domain
        probe = Probe(self.dut)
        self.properties(m, probe)
        if self.strengthened:
            self.strengthen(m, probe)
        for name, condition in self.states(m, self, probe).items() if self.states else ():
            statement = Cover(condition)
            statement.src_loc = (name, 0)  # the solver tells of a cover by its place in the source
            m.d.comb += statement
        probe.connect(m)
        return m

    def properties(self, m: Module, probe: Probe) -> None:
        """Add assumptions, and what is claimed."""
        raise NotImplementedError

    def strengthen(self, m: Module, probe: Probe) -> None:
        """Assert what is true inside and makes the claim inductive."""


def check(m: Module, *claims, depth: int = 1) -> None:
    """Assert each claim in every cycle, under what is open in `m`; a failure names the caller's line."""
    for claim in claims:
        m.d.comb += Assert(claim, src_loc_at=depth)


def assume(m: Module, *claims) -> None:
    """Assume each claim in every cycle."""
    m.d.comb += [Assume(claim) for claim in claims]


def implies(condition, consequence):
    """Return whether `consequence` holds where `condition` does; both one bit wide or truth values of words."""
    return ~Value.cast(condition).bool() | Value.cast(consequence).bool()


def past(m: Module, signal, name: str) -> Signal:
    """Return the value that `signal` had a cycle ago."""
    before = Signal.like(Value.cast(signal), name=name)
    m.d.sync += before.eq(signal)
    return before


def stays(m: Module, valid, ready, payload, name: str, *, unless=0) -> None:
    """Assert a stream's rule: what is offered and not taken is offered again, unchanged, `unless` it was withdrawn."""
    offered = past(m, valid & ~ready & ~Value.cast(unless).bool(), f"{name}_offered")
    before = past(m, payload, f"{name}_before")
    check(m, implies(offered, valid), implies(offered, Value.cast(payload) == before), depth=2)
