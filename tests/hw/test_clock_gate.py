"""Is a unit with a gated clock clean Verilog, and does the gate stop what it should?"""

import re

from moefetch.hw.clock_gate import GATE_MODULE
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.lint import lint
from moefetch.hw.prefetch_unit import PrefetchUnit

CONFIG = UNIT_PRESETS["tiny"].replace(clock_gating=True)


def test_gated_unit_is_clean_and_most_of_its_registers_rest(tmp_path):
    path = emit_verilog(PrefetchUnit(config=CONFIG), name="gated", config=CONFIG, out_dir=tmp_path)
    assert lint(path, top="gated") == []
    text = path.read_text()
    assert f"module {GATE_MODULE} " in text
    clocks = re.findall(r"posedge (\w+)", text)
    resting = [clock for clock in clocks if "control" in clock]
    assert len(resting) > len(clocks) / 2
    assert len(set(resting)) == 1


def test_a_unit_without_gating_has_no_gate_and_its_digest_is_as_ever():
    assert CONFIG.digest != UNIT_PRESETS["tiny"].digest
    assert CONFIG.replace(clock_gating=False).digest == UNIT_PRESETS["tiny"].digest
