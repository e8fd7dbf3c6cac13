"""Are instructions packed as they are said to be, and does the program print the text that is predicted?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.counter_names import COUNTERS
from moefetch.hw.fpga.program import CHECKED_RESULTS, INSTRUCTION, RESULTS, Operation, SelfTestData, instruction
from moefetch.hw.register_access import counter_offset, field_table

CONFIG = UNIT_PRESETS["tiny"]
EXCESS = 40
"""Cycles that the unit counts around the replay."""
CYCLES = {name: 100 + place for place, name in enumerate(COUNTERS)}["cycles"]


def small_test(**changes):
    counters = {name: 100 + place for place, name in enumerate(COUNTERS)}
    results = dict.fromkeys(RESULTS, 0) | {"replay_cycles": CYCLES, "granted": 6, "words": 48}
    fields = {
        "title": "a test", "config": CONFIG, "inputs": {"n_events": 1}, "trace": (1, 2), "counters": counters,
        "writes": ((0x40, 7), (0x44, 8)), "results": results, "limit": 1000,
    }  # fmt: skip
    return SelfTestData(**(fields | changes))


def fields_of(word):
    found = {}
    for name, width in INSTRUCTION.items():
        found[name], word = word & (1 << width) - 1, word >> width
    assert not word
    return Operation(found["operation"]), found["argument"], found["data"]


def executed(test, counters, results):
    """Return text and writes of a program on a unit with these counters; a second reading of program.Operation."""
    program = [fields_of(word) for word in test.program]
    registers = {counter_offset(CONFIG, name): value for name, value in counters.items()}
    for name in ("cycles", "outside"):
        registers[counter_offset(CONFIG, name)] += EXCESS
    text, writes, at, value, excess, failed = "", [], 0, 0, 0, False
    while True:
        operation, argument, data = program[at]
        at += 1
        match operation:
            case Operation.HALT:
                return text, writes
            case Operation.WRITE:
                writes.append((argument, data))
            case Operation.READ:
                value = registers[argument]
            case Operation.POLL | Operation.RUN:
                writes.append((operation.name, data))
            case Operation.RESULT:
                value = results[RESULTS[argument]]
            case Operation.MARK:
                excess = value - results["replay_cycles"]
            case Operation.LESS:
                value -= excess
            case Operation.TEXT:
                text += data.to_bytes(4, "little")[:argument].decode()
            case Operation.PRINT:
                text += str(value)
            case Operation.CHECK:
                at += argument if value == data else 0
                failed |= value != data
                value = data
            case Operation.VERDICT:
                at += 0 if failed else argument


def test_a_program_prints_what_is_predicted():
    test = small_test()
    text, writes = executed(test, test.counters, test.results)
    assert text == test.text
    assert text.startswith("a test\r\ndemand=100\r\nhit=101\r\n") and text.endswith("timeouts=0\r\nPASS\r\n")
    assert f"\r\ncycles={CYCLES}\r\n" in text
    fields = field_table(CONFIG)
    assert writes == [
        (0x40, 7), (0x44, 8), ("RUN", 1000), ("POLL", 1 << fields["idle"].lsb),
        (fields["snapshot"].offset, 1 << fields["snapshot"].lsb),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["demand", "outside", "bus_errors"])
def test_another_counter_is_shown_and_fails(name):
    test = small_test()
    text, _ = executed(test, {**test.counters, name: 3}, test.results)
    assert text == test.text.replace(
        f"\n{name}={test.counters[name]}\r", f"\n{name}=3 expected {test.counters[name]}\r"
    ).replace("PASS", "FAIL")


def test_another_number_of_cycles_is_shown_and_fails():
    test = small_test()
    text, _ = executed(test, test.counters, {**test.results, "replay_cycles": CYCLES + 2})
    assert f"\ncycles={CYCLES + 2} expected {CYCLES}\r\n" in text and text.endswith("FAIL\r\n")


@pytest.mark.parametrize("name", CHECKED_RESULTS)
def test_another_result_is_shown_and_fails(name):
    test = small_test()
    text, _ = executed(test, test.counters, {**test.results, name: 5})
    assert f"\n{CHECKED_RESULTS[name]}=5 expected {test.results[name]}\r\n" in text and text.endswith("FAIL\r\n")


def test_fields_lie_from_the_low_bits_up():
    assert instruction(Operation.CHECK, 0xABC, 0x12345678) == 0x12345678_ABC_A
    assert fields_of(instruction(Operation.TEXT, 2, 0x6968)) == (Operation.TEXT, 2, 0x6968)


@pytest.mark.parametrize(("words", "name"), [((1, 4096, 0), "argument = 4096"), ((1, 0, 1 << 32), "data = 4294967296")])
def test_what_does_not_fit_is_refused(words, name):
    with pytest.raises(ValueError, match=f"{name}: must be 0 to"):
        instruction(*words)
