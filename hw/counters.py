"""The unit's counters, with a snapshot that software reads while they go on."""

from typing import NamedTuple

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .clock_gate import control_domain
from .commit_counts import COUNTED
from .config import UnitConfig, bits_for
from .counter_names import Advance, counters_of

READ_BITS = 64
"""Width of a counter as software reads it."""


def pulse_layout(config: UnitConfig) -> data.StructLayout:
    """Return one bit for each counter that goes up by one at a time."""
    counters = counters_of(config).items()
    return data.StructLayout({name: 1 for name, counter in counters if counter.advance is Advance.PULSE})


def gauge_layout(config: UnitConfig) -> data.StructLayout:
    """Return the quantities that are read and not counted."""
    return data.StructLayout({"queued_open": bits_for(config.queue_depth + 1), "open": bits_for(config.slots + 1)})


class CounterPortSignature(wiring.Signature):
    """Control and read port of the counters, seen from the register bank.

    `snapshot` and `clear` act at the end of the cycle in which they are 1. `value` holds counter `index` of the last
    snapshot, one cycle after `index`; `value` keeps still for an index beyond the last counter.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "snapshot": Out(1),
                "clear": Out(1),
                "index": Out(bits_for(len(counters_of(config)))),
                "value": In(READ_BITS),
            }
        )


class _Inputs(NamedTuple):
    """What makes the counters change, of one cycle."""

    snapshot: Signal
    clear: Signal
    pulse: data.View
    flushed: Signal
    conflicts: Signal


class CounterFile(wiring.Component):
    """All counters of `counter_names.counters_of`.

    Latency: a pulse is in a snapshot taken in its cycle or after; a counter of the snapshot can be read
    (`index`) `snapshot_latency` = 3 cycles after `snapshot`, and `port.value` follows `index` by one cycle.
    Throughput: every counter may advance, and one be read, in each cycle.

    A snapshot takes all counters and gauges of one cycle. The laws hold in it if each gauge changes in
    the cycle after the pulses that explain the change, as a register fed by them does. Clear keeps the
    laws: prefetches still open and queued entries are not forgotten, `issued` starts at `open`,
    `generated` at `queued_open` + `open`, all else at 0; a pulse of the next cycle counts. With `snapshot`
    in the same cycle the snapshot holds what was before the clear, so that consecutive ones lose nothing.

    Parameters
    ----------
    config : UnitConfig
        Sets the widths of the gauges and counts.

    Members
    -------
    pulse : In
        One bit per counter that goes up by one.
    flushed, conflicts : In
        What `flushed` and `bank_conflicts` go up by in this cycle.
    gauges : In
        `queued_open` and `open`, as they are in this cycle.
    port : In(CounterPortSignature)
        Snapshot, clear and read.
    """

    latency = 1
    """Cycles from `port.index` to `port.value`."""
    snapshot_latency = 3
    """Cycles from `port.snapshot` to the first `port.index` that reads it."""

    def __init__(self, *, config: UnitConfig):
        if not isinstance(config, UnitConfig):
            raise TypeError(f"config must be a UnitConfig, not {config!r}")
        self.config = config
        super().__init__(
            {
                "pulse": In(pulse_layout(config)),
                "flushed": In(bits_for(config.queue_depth + 1)),
                "conflicts": In(bits_for(config.n_pe + 1)),
                "gauges": In(gauge_layout(config)),
                "port": In(CounterPortSignature(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build a register, and one for the snapshot, for each counter.

        What changes with commits and register accesses alone is in the domain that rests between them.
        """
        m = Module()
        control = control_domain(self.config)
        snapshot = []
        snap = Signal()  # a register's write is known late in its cycle
        clear = Signal()
        m.d.sync += [snap.eq(self.port.snapshot), clear.eq(self.port.clear)]
        on_time = _Inputs(snap, clear, self.pulse, self.flushed, self.conflicts)
        # What does not come from the commit log is known late too, and is counted, cleared and taken a cycle later, all
        # alike: no snapshot shows it.
        late = _Inputs(*(Signal.like(now, name=f"late_{name}") for name, now in on_time._asdict().items()))
        m.d.sync += [later.eq(now) for now, later in zip(on_time, late, strict=True)]
        for name, counter in counters_of(self.config).items():
            held = Signal(counter.width, name=f"snapshot_{name}")
            snapshot.append(held)
            of_commits = name in COUNTED or name == "flushed" or counter.advance is Advance.GAUGE
            inputs = on_time if of_commits else late
            value = self._value(m, name, inputs, control if of_commits else "sync")
            with m.If(inputs.snapshot):
                m.d[control] += held.eq(value)

        with m.If(self.port.index < len(snapshot)):
            m.d[control] += self.port.value.eq(Array(snapshot)[self.port.index])
        return m

    def _value(self, m: Module, name: str, inputs: _Inputs, domain: str):
        """Return what counter `name` holds, building its register in `domain` unless it is a gauge."""
        counter = counters_of(self.config)[name]
        match counter.advance:
            case Advance.GAUGE:
                return self.gauges[name]
            case Advance.PULSE:
                return self._pulses(m, name, inputs, domain)
            case Advance.COUNT:
                step = {"flushed": inputs.flushed, "bank_conflicts": inputs.conflicts}[name]
        value = Signal(counter.width, name=name)
        with m.If(inputs.clear):
            m.d[domain] += value.eq(step)
        with m.Else():
            m.d[domain] += value.eq(value + step)
        return value

    def _pulses(self, m: Module, name: str, inputs: _Inputs, domain: str):
        """Return a counter that goes up by one; a pulse, which may come late in the cycle, passes no adder."""
        gauges = self.gauges
        start = {"issued": gauges.open, "generated": gauges.queued_open + gauges.open}.get(name, 0)
        value = Signal(counters_of(self.config)[name].width, name=name)
        with m.If(inputs.clear):
            m.d[domain] += value.eq(start + inputs.pulse[name])
        with m.Elif(inputs.pulse[name]):
            m.d[domain] += value.eq(value + 1)
        return value
