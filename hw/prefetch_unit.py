"""The prefetch unit: core and registers, with the names that an SoC connects to."""

from amaranth import ClockDomain, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .clock_gate import CONTROL, ClockGate, in_control
from .config import UnitConfig
from .interfaces import (
    Axi4LiteSignature,
    SlotReadSignature,
    grant_layout,
    hint_layout,
    memory_signature,
    record_layout,
    route_layout,
)
from .prefetch_core import PrefetchCore
from .registers import RegisterBank


class PrefetchUnit(wiring.Component):
    """Prefetches a mixture-of-experts model's experts into its SRAM and grants them to processing elements.

    Latency: last router beat to the first grant of a resident expert 6 cycles; see the parts for the rest.
    Throughput: one router beat, one grant and one word of every SRAM bank a cycle.

    Parameters
    ----------
    config : UnitConfig
        Capacities. With `commit_log` the ports `record_valid` and `record` exist.

    Members
    -------
    route, hint : In(stream)
        Selected experts from the router; expected ones from a look-ahead.
    grant : Out(stream), release : In(stream)
        Experts ready in their slots, best first; give each grant back once its weights are used.
    read : In(SlotReadSignature) * n_pe
        Reads of granted slots.
    m_axi : Out(Axi4ReadSignature, or Axi4Signature where tables lie in memory)
        Memory.
    s_axil : In(Axi4LiteSignature), irq : Out(1)
        Registers (registers.rdl), interrupt.
    """

    def __init__(self, *, config: UnitConfig):
        self.config = config
        members = {
            "route": In(stream.Signature(route_layout(config))),
            "hint": In(stream.Signature(hint_layout(config))),
            "grant": Out(stream.Signature(grant_layout(config))),
            "release": In(stream.Signature(grant_layout(config))),
            "read": In(SlotReadSignature(config)).array(config.n_pe),
            "m_axi": Out(memory_signature(config)),
            "s_axil": In(Axi4LiteSignature()),
            "irq": Out(1),
        }
        if config.commit_log:
            members |= {"record_valid": Out(1), "record": Out(record_layout())}
        super().__init__(members)

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self.config
        m.submodules.core = core = PrefetchCore(config=config)
        m.submodules.registers = registers = in_control(config, RegisterBank(config=config))
        if config.clock_gating:
            m.domains += ClockDomain(CONTROL)
            m.submodules.gate = gate = ClockGate()
            m.d.comb += gate.awake.eq(core.awake | registers.awake)
        connect(m, flipped(self.route), core.route)
        connect(m, flipped(self.hint), core.hint)
        connect(m, core.grant, flipped(self.grant))
        connect(m, flipped(self.release), core.release)
        connect(m, core.axi, flipped(self.m_axi))
        connect(m, flipped(self.s_axil), registers.bus)
        connect(m, registers.command, core.command)
        connect(m, registers.counters, core.counters)
        for port, reader in enumerate(self.read):
            connect(m, flipped(reader), core.read[port])
        for index, table in enumerate(registers.tables):
            connect(m, table, core.tables[index])
        if config.has_weights:
            connect(m, registers.weights, core.weights)
        if config.segments > 1:
            connect(m, registers.segments, core.segments)
        m.d.comb += [
            core.settings.eq(registers.settings),
            registers.apply.eq(core.apply),
            core.readdressed.eq(registers.readdressed),
            registers.topk_layer.eq(core.topk_layer),
            core.topk_value.eq(registers.topk_value),
            registers.state.eq(core.state),
            registers.faults.eq(core.faults),
            self.irq.eq(registers.irq),
        ]
        if config.commit_log:
            m.d.comb += [self.record_valid.eq(core.record_valid), self.record.eq(core.record)]
        return m
