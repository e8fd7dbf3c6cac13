"""The self-test's program: its instructions, how they are made of a replay, and the text that it prints.

Free of Amaranth. The sequencer in `sequencer` executes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from ..config import UnitConfig
from ..counter_names import counters_of
from ..register_access import Write, counter_offset, field_table

INSTRUCTION = {"operation": 4, "argument": 12, "data": 32}
"""Fields of an instruction, from the least significant bit up."""
INSTRUCTION_BITS = sum(INSTRUCTION.values())
VALUE_BITS = 48
"""Width of the value that instructions read, print and check: that of the widest counter."""
TEXT_BYTES = 4
"""Characters that a TEXT holds."""
LINE_END = "\r\n"

RESULTS = (
    "replay_cycles", "events", "granted", "errors", "words", "wrong_words", "register_errors", "timeouts",
)  # fmt: skip
"""What RESULT reads: the harness's results, and the sequencer's own counts of error responses and of waits given up."""
CHECKED_RESULTS = {
    "granted": "grants", "errors": "error_grants_taken", "words": "words_read_back", "wrong_words": "wrong_words",
    "register_errors": "register_errors", "timeouts": "timeouts",
}  # fmt: skip
"""Result -> its name in the text."""


class Operation(IntEnum):
    """What an instruction does; `value` is the sequencer's register."""

    HALT = 0
    """Stop."""
    WRITE = 1
    """Write `data` to the unit's register at byte address `argument`."""
    READ = 2
    """`value` = the two words from byte address `argument` on, the low one first."""
    POLL = 3
    """Read the register at `argument` until one of the bits of `data` is set, for as long as RUN may take."""
    RUN = 4
    """Start the replay and wait for its end, `data` cycles at most."""
    RESULT = 5
    """`value` = result number `argument`."""
    MARK = 6
    """Note by how much `value`, the unit's count of cycles, exceeds those of the replay."""
    LESS = 7
    """Take that excess off `value`."""
    TEXT = 8
    """Print `argument` characters of `data`, the one in the low byte first."""
    PRINT = 9
    """Print `value` in decimal."""
    CHECK = 10
    """If `value` = `data`, skip `argument` instructions; else note a failure, and `value` = `data`."""
    VERDICT = 11
    """Skip `argument` instructions unless a failure was noted."""


def instruction(operation: Operation, argument: int = 0, data: int = 0) -> int:
    """Return an instruction's word; raises ValueError for what does not fit its field."""
    word = shift = 0
    for (name, width), value in zip(INSTRUCTION.items(), (operation, argument, data), strict=True):
        if not 0 <= value < 1 << width:
            raise ValueError(f"{name} = {value}: must be 0 to {(1 << width) - 1} in a self-test")
        word |= value << shift
        shift += width
    return word


@dataclass(frozen=True)
class SelfTestData:
    """One replay as a self-test: what is programmed and played, and what must come out.

    `inputs` are the harness's settings by port, `trace` the words of hw/replay_words.py, `writes` the register writes
    before the start, `counters` and `results` what is expected by name, `limit` the cycles after which a wait is given
    up.
    """

    title: str
    config: UnitConfig
    inputs: Mapping[str, int]
    trace: tuple[int, ...]
    writes: tuple[Write, ...]
    counters: Mapping[str, int]
    results: Mapping[str, int]
    limit: int

    @property
    def lines(self) -> list[tuple[str, int]]:
        """Name and expected value of every line, in the order of the text."""
        results = [(text, self.results[name]) for name, text in CHECKED_RESULTS.items()]
        return [(name, self.counters[name]) for name in counters_of(self.config)] + results

    @property
    def text(self) -> str:
        """What the serial line says if all is as expected."""
        lines = [self.title, *(f"{name}={value}" for name, value in self.lines), "PASS"]
        return "".join(line + LINE_END for line in lines)

    @property
    def longest_silence(self) -> int:
        """Cycles that may pass between two characters: programming, the replay, and both waits given up."""
        return 64 * len(self.writes) + 3 * self.limit

    @property
    def program(self) -> list[int]:
        """The instructions' words."""
        return list(_program(self))


def _program(test: SelfTestData) -> Iterator[int]:
    fields = field_table(test.config)
    idle, snapshot = fields["idle"], fields["snapshot"]
    yield from _text(test.title + LINE_END)
    for address, word in test.writes:
        yield instruction(Operation.WRITE, address, word)
    yield instruction(Operation.RUN, data=test.limit)
    yield instruction(Operation.POLL, idle.offset, 1 << idle.lsb)
    yield instruction(Operation.WRITE, snapshot.offset, 1 << snapshot.lsb)
    yield instruction(Operation.READ, counter_offset(test.config, "cycles"))
    yield instruction(Operation.MARK)
    for name in counters_of(test.config):
        read = [instruction(Operation.READ, counter_offset(test.config, name))]
        if name in ("cycles", "outside"):
            read.append(instruction(Operation.LESS))
        yield from _line(name, read, test.counters[name])
    for name, text in CHECKED_RESULTS.items():
        yield from _line(text, [instruction(Operation.RESULT, RESULTS.index(name))], test.results[name])
    failed = [*_text("FAIL" + LINE_END), instruction(Operation.HALT)]
    yield instruction(Operation.VERDICT, len(failed))
    yield from failed
    yield from _text("PASS" + LINE_END)
    yield instruction(Operation.HALT)


def _line(name: str, read: Iterable[int], expected: int) -> Iterator[int]:
    """Yield what prints a value and, where it is another one, what was expected."""
    yield from _text(f"{name}=")
    yield from read
    yield instruction(Operation.PRINT)
    wrong = [*_text(" expected "), instruction(Operation.PRINT)]
    yield instruction(Operation.CHECK, len(wrong), expected)
    yield from wrong
    yield from _text(LINE_END)


def _text(text: str) -> Iterator[int]:
    characters = text.encode("ascii")
    for first in range(0, len(characters), TEXT_BYTES):
        part = characters[first : first + TEXT_BYTES]
        yield instruction(Operation.TEXT, len(part), int.from_bytes(part, "little"))
