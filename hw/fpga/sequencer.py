"""The sequencer: plays a self-test's program against the unit's registers and prints what it finds."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..interfaces import Axi4LiteSignature
from .axi_lite_master import AxiLiteMaster
from .decimal import DecimalDigits
from .program import INSTRUCTION, INSTRUCTION_BITS, RESULTS, TEXT_BYTES, VALUE_BITS, Operation

ADDRESS_BITS = 14
"""Width of an instruction's address."""
OWN_RESULTS = ("register_errors", "timeouts")
"""Results that the sequencer counts itself."""
HARNESS_RESULTS = RESULTS[: -len(OWN_RESULTS)]
COUNT_BITS = 16
HIGH_WORD = 32
"""Bits of a value that come with the second word."""


class Sequencer(wiring.Component):
    """Executes the instructions of `program` from address 0 on; `program.Operation` says what each does.

    Latency: an instruction takes one cycle, and as long as what it waits for; the first is executed two cycles after
    reset. Throughput: one instruction at a time. No wait for the unit is longer than RUN's limit.

    Members
    -------
    address : Out, instruction : In
        The program's memory, answered one cycle later.
    bus : Out(Axi4LiteSignature)
        To the unit's registers.
    start : Out, done : In
        The replay: `start` stays 1.
    those of HARNESS_RESULTS : In
        What RESULT reads.
    text : Out(stream)
        Characters to print.
    halted, failed : Out
        The program has ended; a check has failed.
    """

    def __init__(self):
        super().__init__(
            {
                "address": Out(ADDRESS_BITS),
                "instruction": In(INSTRUCTION_BITS),
                "bus": Out(Axi4LiteSignature()),
                "start": Out(1),
                "done": In(1),
                **{name: In(VALUE_BITS) for name in HARNESS_RESULTS},
                "text": Out(stream.Signature(8)),
                "halted": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        self._fields = data.View(data.StructLayout(INSTRUCTION), self.instruction)
        self._value = Signal(VALUE_BITS, name="value")
        self._step = Signal(INSTRUCTION["argument"] + 1, name="step")
        self._letters = Signal(8 * TEXT_BYTES, name="letters")
        self._left = Signal(range(TEXT_BYTES + 1), name="left")
        self._waited = Signal(INSTRUCTION["data"], name="waited")
        self._limit = Signal(INSTRUCTION["data"], name="limit")
        self._own = {name: Signal(COUNT_BITS, name=name) for name in OWN_RESULTS}
        m.submodules.master = self._master = AxiLiteMaster()
        m.submodules.digits = self._digits = DecimalDigits(width=VALUE_BITS)
        connect(m, self._master.bus, flipped(self.bus))
        at = Signal(ADDRESS_BITS)
        m.d.comb += self.address.eq(at + self._step)
        m.d.sync += [at.eq(self.address), self._waited.eq(self._waited + 1)]
        with m.FSM():
            with m.State("FETCH"):
                m.next = "EXECUTE"
            with m.State("EXECUTE"):
                m.d.sync += self._waited.eq(0)
                self._execute(m)
            with m.State("RUN"):
                with m.If(self.done):
                    self._go_on(m)
                with m.Else():
                    self._give_up_in_time(m)
            self._access_states(m)
            self._print_states(m)
            with m.State("HALTED"):
                m.d.comb += self.halted.eq(1)
        return m

    def _go_on(self, m, skip=0):
        """End an instruction: the one after the next `skip` is executed in the next cycle."""
        m.d.comb += self._step.eq(1 + skip)
        m.next = "EXECUTE"

    def _give_up_in_time(self, m):
        """Go on without what did not come."""
        with m.If(self._waited >= self._limit):
            m.d.sync += self._own["timeouts"].eq(self._own["timeouts"] + 1)
            self._go_on(m)

    def _execute(self, m):
        """Do what takes one cycle, begin what takes more."""
        fields, value = self._fields, self._value
        excess, same = Signal(VALUE_BITS), Signal()
        m.d.comb += same.eq(value == fields.data)
        with m.Switch(fields.operation):
            with m.Case(Operation.WRITE, Operation.READ, Operation.POLL):
                m.next = "ACCESS"
            with m.Case(Operation.RUN):
                m.d.sync += [self.start.eq(1), self._limit.eq(fields.data)]
                m.next = "RUN"
            with m.Case(Operation.RESULT):
                results = Array([*(getattr(self, name) for name in HARNESS_RESULTS), *self._own.values()])
                m.d.sync += value.eq(results[fields.argument])
                self._go_on(m)
            with m.Case(Operation.MARK):
                m.d.sync += excess.eq(value - self.replay_cycles)
                self._go_on(m)
            with m.Case(Operation.LESS):
                m.d.sync += value.eq(value - excess)
                self._go_on(m)
            with m.Case(Operation.TEXT):
                m.d.sync += [self._letters.eq(fields.data), self._left.eq(fields.argument)]
                m.next = "TEXT"
            with m.Case(Operation.PRINT):
                m.next = "PRINT"
            with m.Case(Operation.CHECK):
                m.d.sync += [value.eq(fields.data), self.failed.eq(self.failed | ~same)]
                self._go_on(m, Mux(same, fields.argument, 0))
            with m.Case(Operation.VERDICT):
                self._go_on(m, Mux(self.failed, 0, fields.argument))
            with m.Default():
                m.next = "HALTED"

    def _access_states(self, m):
        """Make an access and await its answer: one for a WRITE, two for a READ, as many as it takes for a POLL."""
        fields, access, answer = self._fields, self._master.access, self._master.answer
        high = Signal()
        m.d.comb += [
            access.payload.write.eq(fields.operation == Operation.WRITE),
            access.payload.address.eq(fields.argument + (high << 2)),
            access.payload.data.eq(fields.data),
        ]
        refused = self._own["register_errors"]
        m.d.sync += refused.eq(refused + (answer.valid & answer.payload.error))
        with m.State("ACCESS"):
            m.d.comb += access.valid.eq(1)
            m.next = "ANSWER"
        with m.State("ANSWER"):
            with m.If(answer.valid):
                with m.Switch(fields.operation):
                    with m.Case(Operation.WRITE):
                        self._go_on(m)
                    with m.Case(Operation.READ):
                        m.d.sync += high.eq(~high)
                        with m.If(high):
                            m.d.sync += self._value[HIGH_WORD:].eq(answer.payload.data)
                            self._go_on(m)
                        with m.Else():
                            m.d.sync += self._value[:HIGH_WORD].eq(answer.payload.data)
                            m.next = "ACCESS"
                    with m.Default():
                        m.next = "ACCESS"
                        with m.If((answer.payload.data & fields.data) != 0):
                            self._go_on(m)
                        with m.Else():
                            self._give_up_in_time(m)

    def _print_states(self, m):
        """Hand characters of a TEXT, or digits of a PRINT, to the line."""
        digits = self._digits
        m.d.comb += digits.number.payload.eq(self._value)
        with m.State("TEXT"):
            m.d.comb += [self.text.valid.eq(self._left != 0), self.text.payload.eq(self._letters[:8])]
            with m.If(self._left == 0):
                self._go_on(m)
            with m.Elif(self.text.ready):
                m.d.sync += [self._letters.eq(self._letters >> 8), self._left.eq(self._left - 1)]
        with m.State("PRINT"):
            m.d.comb += digits.number.valid.eq(1)
            m.next = "DIGITS"
        with m.State("DIGITS"):
            m.d.comb += [
                self.text.valid.eq(digits.characters.valid),
                self.text.payload.eq(digits.characters.payload),
                digits.characters.ready.eq(self.text.ready),
            ]
            with m.If(digits.number.ready):
                self._go_on(m)
