"""The register bank: AXI4-Lite in, settings and commands out, built from the compiled `registers.rdl`."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from .commands import CommandSignature
from .config import UnitConfig, bits_for
from .counters import CounterPortSignature
from .interfaces import Axi4LiteSignature, SegmentPortSignature, TableSignature, WeightPortSignature
from .register_reads import RegisterReads
from .register_storage import SEGMENTS
from .register_writes import RegisterWrites
from .settings import settings_layout

FAULTS = ("transfer_error", "route_fault", "queue_overflow", "transfer_timeout", "layer_order")
"""Causes of an interrupt that the core tells of."""


def faults_of(config: UnitConfig) -> tuple[str, ...]:
    """Return the causes of an interrupt that the core of this unit tells of."""
    return (*FAULTS, "parity_error") if config.parity else FAULTS


ADDRESSING = ("EXPERT_BEATS", "BASE", "LAYER_STRIDE", "EXPERT_STRIDE", "SEGMENT_CONTROL", *SEGMENTS)
"""Registers that say which bytes an expert is."""


def unit_state_layout() -> data.StructLayout:
    """Return what the core tells of itself; the registers of the same names say what it means."""
    return data.StructLayout({
        "idle": 1, "event_open": 1, "quiesced": 1, "overdue": 1, "event_number": 32, "step_number": 32,
    })  # fmt: skip


def faults_layout(config: UnitConfig) -> data.StructLayout:
    """Return the causes of an interrupt, one cycle each; `layer` and `expert` count with `transfer_error`."""
    return data.StructLayout({
        **dict.fromkeys(faults_of(config), 1),
        "layer": config.layer_bits, "expert": config.expert_bits,
    })  # fmt: skip


class RegisterBank(RegisterWrites, RegisterReads):
    """All registers of a unit; `registers.rdl` states each one's meaning and when an access is rejected
    (SLVERR).

    Latency: a write acts, on `settings` and every other output, two cycles after the later of its AW and
    W was taken, and its BVALID comes in the cycle after that; a read's RVALID comes four cycles after AR. TABLE_DATA
    waits besides until the predictor is ready, and its table on chip. A read that is asked for when a snapshot's write
    has been answered finds that snapshot. `irq` is 1 one cycle after its cause, and two after a write that is rejected.
    `topk_value` follows `topk_layer` in the same cycle. Throughput: a write every three cycles, a read every four.

    Parameters
    ----------
    config : UnitConfig
        Capacities; they bound the fields and set their reset values.

    Members
    -------
    bus : In(Axi4LiteSignature)
        From software.
    settings : Out
        What is set now; the core takes its copy at a step's first event.
    apply : In
        Pulse: a step's first event begins, the top-k written so far hold from the next cycle on.
    topk_layer, topk_value : In, Out
        Experts that a token selects in a layer, combinational.
    command : Out(CommandSignature)
        The command under way.
    state, faults : In
        What the core tells.
    counters : Out(CounterPortSignature)
        To the counter file.
    tables : Out(TableSignature), one for each of `config.predictors`
        To the predictors' correlation tables.
    weights : Out(WeightPortSignature), only with predictor `weights`
        To its tables.
    readdressed : Out
        A register was written, since the last `apply`, that says which bytes an expert is.
    segments : Out(SegmentPortSignature), only with `segments` > 1
        To the segment table.
    irq : Out
        Interrupt, level.
    awake : Out
        An access is under way or arrives, or the core tells of a fault.
    """

    write_latency = 3
    """Cycles from the later of AW and W to BVALID."""
    read_latency = 4
    """Cycles from AR to RVALID."""

    def __init__(self, *, config: UnitConfig):
        if not isinstance(config, UnitConfig):
            raise TypeError(f"config must be a UnitConfig, not {config!r}")
        self.config = config
        optional = {"weights": Out(WeightPortSignature(config))} if config.has_weights else {}
        optional |= {"segments": Out(SegmentPortSignature(config))} if config.segments > 1 else {}
        super().__init__(
            optional
            | {
                "bus": In(Axi4LiteSignature()),
                "settings": Out(settings_layout(config)),
                "apply": In(1),
                "topk_layer": In(config.layer_bits),
                "topk_value": Out(bits_for(config.max_top_k + 1)),
                "command": Out(CommandSignature(config)),
                "state": In(unit_state_layout()),
                "faults": In(faults_layout(config)),
                "counters": Out(CounterPortSignature(config)),
                "tables": Out(TableSignature(config)).array(len(config.predictors)),
                "readdressed": Out(1),
                "irq": Out(1),
                "awake": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build storage for each field, then the write and the read side over it."""
        m = Module()
        self._create_storage()
        m.submodules.axi = self._axi
        connect(m, flipped(self.bus), self._axi.bus)
        self._drive_outputs(m)
        self._elaborate_events(m)
        self._elaborate_table(m)
        if self.config.has_weights:
            self._elaborate_weights(m)
        if self.config.segments > 1:
            self._elaborate_segments(m)
        self._elaborate_write(m)
        self._note_addressing(m)
        self._elaborate_read(m)
        return m

    def _drive_outputs(self, m: Module) -> None:
        told = Cat(self.faults[name] for name in faults_of(self.config)).any()
        for register in self._map.values():
            for field in register.fields:
                if field.name in self.settings.shape().members:
                    low = Const(0, field.lsb) if field.byte_address else Const(0, 0)
                    m.d.comb += self.settings[field.name].eq(Cat(low, self._stored[field.name]))
        # Written values hold from a step's first event on, as the core's copy of `settings` does.
        active = [Signal.like(written, name=f"active_top_k_{layer}") for layer, written in enumerate(self._top_k)]
        with m.If(self.apply):
            m.d.sync += [used.eq(written) for used, written in zip(active, self._top_k, strict=True)]
        m.d.comb += [
            self.topk_value.eq(Array(active)[self.topk_layer]),
            self.irq.eq((self._irq & self._stored["irq_enable"]).any()),
            self.awake.eq(self._axi.awake | self.command.valid | told),
        ]

    def _elaborate_events(self, m: Module) -> None:
        """Note faults and the end of a command; later writes to IRQ_STATUS must not undo them."""
        faults, command = self.faults, self.command
        causes = Signal.like(self._irq)
        cleared = Signal.like(self._irq)
        write = self._axi.write
        rejected = write.ended & write.error
        m.d.comb += [
            causes.eq(Cat(
                faults.transfer_error, faults.route_fault, faults.queue_overflow,
                command.valid & command.done, rejected, faults.transfer_timeout, faults.layer_order,
                *([faults.parity_error] if self.config.parity else []),
            )),
        ]  # fmt: skip
        taken = ~self._new[len(self._irq) :].any()
        with m.If(write.valid & taken & (write.address == self._word("IRQ_STATUS"))):
            m.d.comb += cleared.eq(self._new)
        m.d.sync += self._irq.eq(self._irq & ~cleared | causes)
        with m.If(faults.transfer_error):
            m.d.sync += [self._failed.layer.eq(faults.layer), self._failed.expert.eq(faults.expert)]
        with m.If(command.valid & command.done):
            m.d.sync += command.valid.eq(0)

    def _note_addressing(self, m: Module) -> None:
        """Remember until `apply` that a word was taken which says where experts lie."""
        moved, before = Signal(), Signal()
        m.d.comb += self.readdressed.eq(moved | before)
        m.d.sync += [
            moved.eq(Cat(self._takes.get(name, []) for name in ADDRESSING).any()),
            before.eq(self.readdressed & ~self.apply),
        ]
