"""The replay harness: the unit, the model around it and its memory, in one design."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import UnitConfig
from .interfaces import Axi4LiteSignature, grant_layout, record_layout
from .prefetch_unit import PrefetchUnit
from .replay_agent import ReplayAgent
from .replay_memory import ReplayMemory
from .replay_tables import TableWordsSignature
from .replay_words import ADDRESS_BITS, WORD_BITS
from .replay_workload import RESULTS, workload_ports

MEMORY_BURSTS = 64
"""Bursts that the memory holds: more than any unit has outstanding, so that only the unit's limit counts."""
MEMORY_SETTINGS = ("latency", "cycles_per_beat", "background_period", "background_length")


class ReplayHarness(wiring.Component):
    """Connects `PrefetchUnit`, `ReplayAgent` and `ReplayMemory`; a bench loads the trace and reads counters.

    Latency and throughput: those of its parts.

    Members
    -------
    s_axil : In(Axi4LiteSignature)
    irq : Out(1)
    trace_address, trace_data
        The trace memory, as in `ReplayAgent`.
    tables : Out(TableWordsSignature)
        Words of the tables that the unit has in memory, for the bench to keep; 0 of a unit that has them on chip.
    record_valid, record, grant_taken, grant_payload
        The commit log and the grants as they are taken.
    the agent's settings and results, the memory's settings
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config = config.replace(commit_log=True)
        super().__init__(
            {
                "s_axil": In(Axi4LiteSignature()),
                "irq": Out(1),
                "trace_address": Out(ADDRESS_BITS),
                "trace_data": In(WORD_BITS),
                "tables": Out(TableWordsSignature(config)),
                "record_valid": Out(1),
                "record": Out(record_layout()),
                "grant_taken": Out(1),
                "grant_payload": Out(grant_layout(config)),
                **workload_ports(config),
                "latency": In(16),
                "cycles_per_beat": In(16),
                "background_period": In(32),
                "background_length": In(32),
                **RESULTS,
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        m.submodules.unit = unit = PrefetchUnit(config=self._config)
        m.submodules.agent = agent = ReplayAgent(config=self._config)
        m.submodules.memory = memory = ReplayMemory(config=self._config, capacity=MEMORY_BURSTS)
        connect(m, agent.route, unit.route)
        connect(m, agent.hint, unit.hint)
        connect(m, unit.grant, agent.grant)
        connect(m, agent.release, unit.release)
        connect(m, unit.m_axi, memory.axi)
        connect(m, flipped(self.s_axil), unit.s_axil)
        if self._config.pages_tables:
            connect(m, memory.tables, flipped(self.tables))
        for port, reader in enumerate(agent.read):
            connect(m, reader, unit.read[port])
        for name in workload_ports(self._config):
            m.d.comb += getattr(agent, name).eq(getattr(self, name))
        for name in RESULTS:
            m.d.comb += getattr(self, name).eq(getattr(agent, name))
        for name in MEMORY_SETTINGS:
            m.d.comb += getattr(memory, name).eq(getattr(self, name))
        m.d.comb += [
            memory.outstanding.eq(MEMORY_BURSTS),
            memory.run.eq(self.start),
            self.irq.eq(unit.irq),
            self.trace_address.eq(agent.trace_address),
            agent.trace_data.eq(self.trace_data),
            self.record_valid.eq(unit.record_valid),
            self.record.eq(unit.record),
            self.grant_taken.eq(unit.grant.valid & unit.grant.ready),
            self.grant_payload.eq(unit.grant.payload),
        ]
        return m
