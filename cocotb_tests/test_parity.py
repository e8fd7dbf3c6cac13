"""Does the emitted unit with parity grant no wrong byte, whatever bit of its memories flips?"""

import re

import pytest
from test_unit import BENCHES, CONFIG, play

GUARDED = CONFIG.replace(parity=True, predictors=("st_moe",))
SCENES = "few_slots least_stale evict st_moe"
MEMORY = re.compile(
    r"^ *reg \[(\d+):0\] (\w+__directory__\w+|\w+__bitmaps|\w+__table__rows) \[(\d+):0\];", re.MULTILINE
)


def memories(verilog):
    """Return name:width:depth of each memory that has parity."""
    found = MEMORY.findall(verilog.read_text())
    assert len(found) == 6, found
    return {"UNIT_MEMORIES": " ".join(f"{name}:{int(high) + 1}:{int(last) + 1}" for high, name, last in found)}


@pytest.mark.parametrize("simulator", ["icarus"])
def test_flips(simulator, tmp_path):
    play(
        simulator, GUARDED, {"UNIT_SCENES": SCENES}, len(SCENES.split()), tmp_path,
        bench="parity_bench", visible=BENCHES / "flips.vlt", more_env=memories, seeds="1",
    )  # fmt: skip
