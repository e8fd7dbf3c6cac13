"""The register bank: AXI4-Lite in, settings and commands out, built from the compiled `registers.rdl`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .axi_lite import AxiLiteSlave
from .commands import Command, CommandSignature
from .config import UnitConfig, bits_for
from .counters import CounterPortSignature
from .interfaces import QUAD, Axi4LiteSignature, TableSignature, WeightPortSignature
from .register_map import WORD_BITS, WORD_BYTES, Access, Register, RegisterField, register_map
from .register_words import byte_mask, compose, in_range
from .settings import settings_layout

SPECIAL = ("COMMAND", "COUNTER_CONTROL", "IRQ_STATUS", "TABLE_DATA", "WEIGHT_DATA", "COUNTER", "TOP_K")
"""Registers that are more than storage."""


def unit_state_layout() -> data.StructLayout:
    """Return what the core tells of itself; the registers of the same names say what it means."""
    return data.StructLayout({
        "idle": 1, "event_open": 1, "quiesced": 1, "event_number": 32, "step_number": 32,
    })  # fmt: skip


def faults_layout(config: UnitConfig) -> data.StructLayout:
    """Return the causes of an interrupt, one cycle each; `layer` and `expert` count with `transfer_error`."""
    return data.StructLayout({
        "transfer_error": 1, "route_fault": 1, "queue_overflow": 1,
        "layer": config.layer_bits, "expert": config.expert_bits,
    })  # fmt: skip


class RegisterBank(wiring.Component):
    """All registers of a unit; `registers.rdl` states each one's meaning and when an access is rejected
    (SLVERR).

    Latency: a write acts, on `settings` and every other output, two cycles after the later of its AW and
    W was taken, in the cycle of its BVALID; a read's RVALID comes three cycles after AR. TABLE_DATA
    waits besides until the predictor is ready, and its table on chip, and a read of it takes one cycle more.
    `irq` is 1 one cycle after its cause. `topk_value` follows `topk_layer` in the same cycle. Throughput: a
    write every two cycles, a read every three (TABLE_DATA four).

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
    irq : Out
        Interrupt, level.
    awake : Out
        An access is under way or arrives, or the core tells of a fault.
    """

    write_latency = 2
    """Cycles from the later of AW and W to BVALID."""
    read_latency = 3
    """Cycles from AR to RVALID."""

    def __init__(self, *, config: UnitConfig):
        if not isinstance(config, UnitConfig):
            raise TypeError(f"config must be a UnitConfig, not {config!r}")
        self.config = config
        optional = {"weights": Out(WeightPortSignature(config))} if config.has_weights else {}
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
                "irq": Out(1),
                "awake": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build storage for each field, then the write and the read side over it."""
        m = Module()
        m.submodules.axi = self._axi = AxiLiteSlave()
        connect(m, flipped(self.bus), self._axi.bus)
        self._map = {register.name: register for register in register_map(self.config)}
        self._stored = {
            field.name: Signal(field.maximum.bit_length(), init=field.reset, name=field.name)
            for register in self._map.values()
            for field in register.fields
            if register.name not in SPECIAL and field.access is Access.READ_WRITE
        }
        self._irq = Signal(len(self._map["IRQ_STATUS"].fields))
        self._top_k = Array(
            Signal.like(self.topk_value, init=self.config.max_top_k, name=f"top_k_{layer}")
            for layer in range(self.config.max_layers)
        )
        self._failed = Signal(data.StructLayout({"layer": 16, "expert": 16}))
        self._old = Signal(WORD_BITS)
        self._new = Signal(WORD_BITS)
        self._table_ready = Signal()
        self._table_read = Signal()
        self._table_write = Signal()
        self._table_answer = Signal()
        self._table_busy = Signal()
        self._weights_written = Signal()
        self._weights_read = Signal()

        self._drive_outputs(m)
        self._elaborate_events(m)
        self._elaborate_table(m)
        if self.config.has_weights:
            self._elaborate_weights(m)
        self._elaborate_write(m)
        self._elaborate_read(m)
        return m

    # Outputs

    def _drive_outputs(self, m: Module) -> None:
        told = self.faults.transfer_error | self.faults.route_fault | self.faults.queue_overflow
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
        rejected = Signal()
        write = self._axi.write
        m.d.comb += [
            rejected.eq(write.valid & write.done & write.error),
            causes.eq(Cat(
                faults.transfer_error, faults.route_fault, faults.queue_overflow,
                command.valid & command.done, rejected,
            )),
        ]  # fmt: skip
        with m.If(write.valid & ~write.error & (write.address == self._word("IRQ_STATUS"))):
            m.d.comb += cleared.eq(self._new)
        m.d.sync += self._irq.eq(self._irq & ~cleared | causes)
        with m.If(faults.transfer_error):
            m.d.sync += [self._failed.layer.eq(faults.layer), self._failed.expert.eq(faults.expert)]
        with m.If(command.valid & command.done):
            m.d.sync += command.valid.eq(0)

    # Predictor tables

    def _elaborate_table(self, m: Module) -> None:
        write, stored = self._axi.write, self._stored
        for index, table in enumerate(self.tables):
            selected = stored["table_select"] == index
            m.d.comb += [
                table.layer.eq(stored["table_layer"]),
                table.row.eq(stored["table_row"]),
                table.entry.eq(stored["table_entry"]),
                table.expert.eq(write.data[:16]),
                table.confidence.eq(write.data[16:18]),
                table.read.eq(selected & self._table_read),
                table.write.eq(selected & self._table_write),
            ]
            with m.If(selected):
                m.d.comb += self._table_ready.eq(table.ready)
        with m.If(self._table_write | self._table_answer):
            self._advance_table(m)

    def _advance_table(self, m: Module) -> None:
        """Move TABLE_ADDRESS on: entry within the capacity, row and layer within the live geometry."""
        entry, row, layer = (self._stored[f"table_{name}"] for name in ("entry", "row", "layer"))
        m.d.sync += entry.eq(entry + 1)
        with m.If(entry == self.config.max_top_k - 1):
            m.d.sync += [entry.eq(0), row.eq(row + 1)]
            with m.If(row + 1 >= self._stored["n_experts"]):
                m.d.sync += [row.eq(0), layer.eq(layer + 1)]
                with m.If(layer + 1 >= self._stored["n_layers"]):
                    m.d.sync += layer.eq(0)

    def _elaborate_weights(self, m: Module) -> None:
        """Move WEIGHT_ADDRESS on after each access: a quad, a row, a source, a layer."""
        port, write = self.weights, self._axi.write
        quad, row, source, layer = (self._stored[f"weight_{name}"] for name in ("quad", "row", "source", "layer"))
        m.d.comb += [
            port.layer.eq(layer),
            port.source.eq(source),
            port.row.eq(row),
            port.quad.eq(quad),
            port.request.eq(self._weights_written | self._weights_read),
            port.write.eq(self._weights_written),
            port.data.eq(write.data),
        ]
        with m.If(port.done):
            m.d.sync += quad.eq(quad + 1)
            with m.If((quad + 1) * QUAD >= self._stored["n_experts"]):
                m.d.sync += [quad.eq(0), row.eq(row + 1)]
                with m.If(row + 1 >= self._stored["n_experts"]):
                    m.d.sync += [row.eq(0), source.eq(source + 1)]
                    with m.If(source == len(self.config.weight_sources) - 1):
                        m.d.sync += [source.eq(0), layer.eq(layer + 1)]
                        with m.If(layer + 1 >= self._stored["n_layers"]):
                            m.d.sync += layer.eq(0)

    # Writes

    def _word(self, name: str) -> int:
        return self._map[name].offset // WORD_BYTES

    def _elaborate_write(self, m: Module) -> None:
        write = self._axi.write
        special: dict[str, Callable[[Module], None]] = {
            "COMMAND": self._write_command,
            "COUNTER_CONTROL": self._write_counter_control,
            "IRQ_STATUS": self._write_irq_status,
            "TABLE_DATA": self._write_table,
            "WEIGHT_DATA": self._write_weights,
        }
        mask = byte_mask(write.strobe)
        m.d.comb += [
            write.done.eq(1),
            write.error.eq(1),
            self._new.eq((write.data & mask) | (self._old & ~mask)),  # _old stays 0 for registers without storage
        ]
        with m.If(write.valid), m.Switch(write.address):
            for register in self._map.values():
                if register.name in special:
                    with m.Case(self._word(register.name)):
                        special[register.name](m)
                elif register.name not in SPECIAL and register.fields[0].access is Access.READ_WRITE:
                    for word in range(register.words):
                        with m.Case(self._word(register.name) + word):
                            self._write_stored(m, register, word)
            with m.Default():
                self._write_top_k(m)

    def _write_stored(self, m: Module, register: Register, word: int) -> None:
        self._write_fields(m, register.fields, self._stored, word)

    def _write_fields(self, m: Module, fields: tuple[RegisterField, ...], stored: Mapping[str, Any], word: int) -> None:
        """Take word number `word` of a register if no bit outside its fields is set and each is in range."""
        write = self._axi.write
        low = word * WORD_BITS
        new = self._new
        m.d.comb += self._old.eq(compose(fields, stored)[low : low + WORD_BITS])
        used, legal, updates = 0, Const(1, 1), []
        for field in fields:
            start, end = max(field.lsb, low), min(field.lsb + field.width, low + WORD_BITS)
            if start >= end:
                continue
            part = new[start - low : end - low]
            used |= ((1 << (end - start)) - 1) << (start - low)
            if end - start == field.width:  # else the field spans both words, and has no limits
                legal &= in_range(part, field)
            target = stored[field.name]
            updates.append(target[start - field.lsb : end - field.lsb].eq(part))
        unused = ~used & ((1 << WORD_BITS) - 1)
        with m.If(legal & ~(new & unused).any()):
            m.d.comb += write.error.eq(0)
            m.d.sync += updates

    def _write_top_k(self, m: Module) -> None:
        inside, layer = self._element(self._axi.write.address, "TOP_K")
        with m.If(inside):
            self._write_fields(m, self._map["TOP_K"].fields, {"top_k": self._top_k[layer]}, 0)

    def _write_command(self, m: Module) -> None:
        write, command = self._axi.write, self.command
        with m.Switch(self._new):
            with m.Case(0):
                m.d.comb += write.error.eq(0)
            for kind in Command:
                with m.Case(1 << kind), m.If(~command.valid):
                    m.d.comb += write.error.eq(0)
                    m.d.sync += [
                        command.valid.eq(1),
                        command.kind.eq(kind),
                        command.layer.eq(self._stored["key_layer"]),
                        command.expert.eq(self._stored["key_expert"]),
                    ]

    def _write_counter_control(self, m: Module) -> None:
        write, counters = self._axi.write, self.counters
        with m.If(self._new < 4):
            m.d.comb += [write.error.eq(0), counters.snapshot.eq(self._new[0]), counters.clear.eq(self._new[1])]

    def _write_irq_status(self, m: Module) -> None:
        write = self._axi.write
        m.d.comb += write.error.eq(self._new[len(self._irq) :].any())

    def _write_table(self, m: Module) -> None:
        """Hand a whole word to the selected table, once it is ready and no read of it is under way."""
        write = self._axi.write
        fields = self._map["TABLE_DATA"].fields
        legal = write.strobe.all() & ~write.data[fields[-1].lsb + fields[-1].width :].any()
        for field in fields:
            legal &= in_range(write.data[field.lsb : field.lsb + field.width], field)
        if self.config.table_window:
            legal &= self._stored["table_enable"]
        if self.config.predictors:
            with m.If(legal):
                if self.config.table_window:
                    m.d.comb += self.tables[0].request.eq(1)
                m.d.comb += [
                    write.error.eq(0),
                    write.done.eq(self._table_ready & ~self._table_busy),
                    self._table_write.eq(self._table_ready & ~self._table_busy),
                ]

    def _write_weights(self, m: Module) -> None:
        """Hand a whole word to the weight tables, once no read of them is under way."""
        write = self._axi.write
        with m.If(write.strobe.all()):
            m.d.comb += [
                write.error.eq(0),
                write.done.eq(self.weights.done & ~self._weights_read),
                self._weights_written.eq(~self._weights_read),
            ]

    # Reads

    def _elaborate_read(self, m: Module) -> None:
        """Select and register a word, then answer; the counter file and the tables answer in the meantime."""
        read = self._axi.read
        word = Signal(WORD_BITS)
        error = Signal()
        table = Signal()
        in_counters, counter = self._element(read.address, "COUNTER")
        at_table = read.address == self._word("TABLE_DATA")
        m.d.comb += self.counters.index.eq(counter)
        with m.FSM():
            with m.State("SELECT"), m.If(read.valid):
                m.d.sync += [error.eq(1), table.eq(0)]
                self._select(m, word, error)
                with m.If(in_counters):
                    m.d.sync += error.eq(0)
                m.next = "ANSWER"
                if self.config.predictors:
                    if self.config.table_window:
                        at_table &= self._stored["table_enable"]
                        with m.If(at_table):
                            m.d.comb += self.tables[0].request.eq(1)
                    with m.If(at_table):
                        m.d.sync += [error.eq(0), table.eq(1)]
                        m.d.comb += self._table_read.eq(self._table_ready & ~self._table_write)
                        m.next = "SELECT"
                        with m.If(self._table_read):
                            m.next = "TABLE"
                if self.config.has_weights:
                    with m.If(read.address == self._word("WEIGHT_DATA")):
                        m.d.sync += error.eq(0)
                        m.next = "SELECT"
                        with m.If(~self._weights_written):
                            m.next = "WEIGHTS"
            if self.config.has_weights:
                with m.State("WEIGHTS"):
                    m.d.comb += self._weights_read.eq(1)
                    m.d.sync += word.eq(self.weights.read_data)
                    with m.If(self.weights.done):
                        m.next = "ANSWER"
            with m.State("TABLE"):
                m.d.comb += self._table_busy.eq(1)
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    read.done.eq(1),
                    read.error.eq(error),
                    read.data.eq(Mux(in_counters, self.counters.value.word_select(read.address[0], WORD_BITS), word)),
                    self._table_busy.eq(table),
                    self._table_answer.eq(table),
                ]
                for index, port in enumerate(self.tables):
                    with m.If(table & (self._stored["table_select"] == index)):
                        m.d.comb += read.data.eq(self._table_word(port))
                m.next = "SELECT"

    def _select(self, m: Module, word: Signal, error: Signal) -> None:
        """Register the word at the read address, for all registers but counters and tables."""
        address = self._axi.read.address
        with m.Switch(address):
            for register in self._map.values():
                if register.name in ("TABLE_DATA", "WEIGHT_DATA", "COUNTER", "TOP_K"):
                    continue
                value = compose(register.fields, self._sources(register))
                for index in range(register.words):
                    with m.Case(self._word(register.name) + index):
                        m.d.sync += [word.eq(value[index * WORD_BITS :]), error.eq(0)]
            with m.Default():
                inside, layer = self._element(address, "TOP_K")
                with m.If(inside):
                    m.d.sync += [word.eq(self._top_k[layer]), error.eq(0)]

    def _sources(self, register: Register) -> dict[str, Value]:
        """Return what each field of a register reads as."""
        if register.name == "IRQ_STATUS":
            return {field.name: Value.cast(self._irq[field.lsb]) for field in register.fields}
        told: dict[str, Any] = {name: self.state[name] for name in self.state.shape().members}
        told |= {
            "command_busy": self.command.valid,
            "failed_layer": self._failed.layer,
            "failed_expert": self._failed.expert,
        }
        values: dict[str, Value] = {}
        for field in register.fields:
            if field.access is Access.PULSE:
                values[field.name] = Const(0, field.width)
            elif field.access is Access.READ_WRITE:
                values[field.name] = self._stored[field.name]
            else:
                values[field.name] = told.get(field.name, Const(field.reset, field.width))
        return values

    def _element(self, address: Value, name: str) -> tuple[Value, Value]:
        """Return whether a word address lies in array `name`, and the index of its element."""
        register = self._map[name]
        first, last = self._word(name), self._word(name) + register.count * register.words
        index = ((address - first) >> (register.words - 1))[: bits_for(register.count)]
        return (address >= first) & (address < last), Value.cast(index)

    def _table_word(self, table: wiring.PureInterface) -> Value:
        return compose(
            self._map["TABLE_DATA"].fields,
            {"table_expert": table.read_expert, "table_confidence": table.read_confidence},
        )
