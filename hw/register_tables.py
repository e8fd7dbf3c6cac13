"""The register bank's windows to tables elsewhere in the unit: each access moves the window's address on."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring

from .interfaces import QUAD
from .register_storage import RegisterStorage
from .register_words import compose, in_range


class TableRegisters(RegisterStorage):
    """TABLE_DATA and WEIGHT_DATA; latencies as `RegisterBank` states."""

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
                self._take(m, "TABLE_DATA")
                m.d.comb += [
                    write.done.eq(self._table_ready & ~self._table_busy),
                    self._table_write.eq(self._table_ready & ~self._table_busy),
                ]

    def _select_table(self, m: Module, error: Signal, table: Signal) -> None:
        """In the state that selects: stay in it while a table cannot be read yet, then go to where it answers."""
        read = self._axi.read
        at_table = read.address == self._word("TABLE_DATA")
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
            at_weights = read.address == self._word("WEIGHT_DATA")
            if self.config.weight_ways:
                at_weights &= self._stored["table_enable"]
            with m.If(at_weights):
                m.d.sync += error.eq(0)
                m.next = "SELECT"
                with m.If(~self._weights_written):
                    m.next = "WEIGHTS"

    def _table_word(self, table: wiring.PureInterface) -> Value:
        return compose(
            self._map["TABLE_DATA"].fields,
            {"table_expert": table.read_expert, "table_confidence": table.read_confidence},
        )

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

    def _write_weights(self, m: Module) -> None:
        """Hand a whole word to the weight tables, once no read of them is under way."""
        write = self._axi.write
        legal = write.strobe.all()
        if self.config.weight_ways:
            legal &= self._stored["table_enable"]
        with m.If(legal):
            self._take(m, "WEIGHT_DATA")
            m.d.comb += [
                write.done.eq(self.weights.done & ~self._weights_read),
                self._weights_written.eq(~self._weights_read),
            ]

    def _read_weights(self, m: Module, word: Signal) -> None:
        with m.State("WEIGHTS"):
            m.d.comb += self._weights_read.eq(1)
            m.d.sync += word.eq(self.weights.read_data)
            with m.If(self.weights.done):
                m.next = "ANSWER"
