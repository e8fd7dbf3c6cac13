"""Does the self-test, as it is emitted, say on its serial line what the models predict, and FAIL if it must?"""

import re
import shutil

import pytest
from moefetch.hw.emit import render
from moefetch.hw.fpga.program import Operation, instruction
from moefetch.hw.fpga.self_test import SelfTest
from moefetch.sim.self_test_run import EMITTED, printed_text

from ...sim.self_test_fixtures import tiny_test

needs_icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")
DIVISOR = 3
"""A bit has a middle, which the reader must find."""
PRESS = 80
"""Characters after which the button is pressed: the first replay is over, its counters are being printed."""


@pytest.fixture(scope="module")
def verilog():
    test, _, _ = tiny_test(tokens=1)
    return render(SelfTest(test=test, divisor=DIVISOR), name="self_test", config=test.config)[0]


def said(verilog, folder, **changes):
    (folder / "self_test.v").write_text(verilog)
    return printed_text(
        [folder / "self_test.v"],
        instance=EMITTED,
        divisor=DIVISOR,
        simulator="icarus",
        folder=folder,
        patience=200_000,
        **changes,
    )


@needs_icarus
def test_the_text_is_the_models_and_comes_again_after_the_button(verilog, tmp_path):
    """The button is pressed in the middle of the first text: the rest of a character is lost, the test starts again."""
    test, _, _ = tiny_test(tokens=1)
    text = said(verilog, tmp_path, press=PRESS)
    assert text.endswith(test.text) and text.endswith("PASS\r\n")
    before = text.removesuffix(test.text)
    assert len(before) in (PRESS, PRESS + 1) and test.text.startswith(before[:PRESS])


@needs_icarus
def test_a_wrong_expectation_fails(verilog, tmp_path):
    """One word of the program's memory expects a miss more."""
    test, _, _ = tiny_test(tokens=1)
    misses = test.counters["miss"]
    place = [name for name, _ in test.lines].index("miss")
    checks = [at for at, word in enumerate(test.program) if word & 0xF == Operation.CHECK]
    word = test.program[checks[place]]
    assert word >> 16 == misses
    wrong = instruction(Operation.CHECK, word >> 4 & 0xFFF, misses + 1)
    row = re.compile(rf"(\[{checks[place]}\] = 48'h){word:012x};")
    changed, count = row.subn(rf"\g<1>{wrong:012x};", verilog)
    assert count == 1
    expected = test.text.replace(f"\nmiss={misses}\r", f"\nmiss={misses} expected {misses + 1}\r")
    assert said(changed, tmp_path) == expected.replace("PASS", "FAIL")


def test_a_program_too_long_is_refused():
    test, _, _ = tiny_test(tokens=1)
    long = test.__class__(**{**vars(test), "writes": ((0, 0),) * (1 << 14)})
    with pytest.raises(ValueError, match="instructions: must not exceed 16384"):
        SelfTest(test=long, divisor=1)
