"""The table of docs/fpga.md that comes from a kept run of `moefetch fpga --simulate`."""

import json
from pathlib import Path

from moefetch.hw.markdown import code, table

RESULT = Path(__file__).parent / "self-test" / "ulx3s.json"
TEXT = RESULT.with_suffix(".txt")
CELLS = {
    "DP16KD": "block RAMs", "TRELLIS_COMB": "LUT4 sites", "TRELLIS_FF": "flip-flops",
    "TRELLIS_RAMW": "write ports of distributed RAM", "TRELLIS_IO": "pins",
}  # fmt: skip
"""Cell, as nextpnr counts it -> its row."""


def self_test() -> str:
    """What the kept bitstream is and takes."""
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    text = TEXT.read_bytes().decode()
    last = text.splitlines()[-1]
    simulated = f"all {len(text)} characters as predicted, {last} at the end" if found["netlist_simulated"] else "no"
    rows = [
        ("self-test", f"{found['title'].partition(': ')[2]}, on {found['device']}", ""),
        ("clock", f"{found['fmax_mhz']} MHz; the board's is {found['clock_mhz']:.0f}", "measured"),
        *(
            (row, f"{found['utilisation'][cell]['used']:,} of {found['utilisation'][cell]['available']:,}", "measured")
            for cell, row in CELLS.items()
        ),
        ("replay", f"{found['replay_cycles']:,} cycles", "modelled"),
        ("the netlist, simulated", simulated, "simulated"),
        ("SHA-256 of the bitstream", code(found["sha256"]), "measured"),
        ("tools", ", ".join(f"{tool} {number}" for tool, number in found["tools"].items()), ""),
    ]
    return table(("what", "found", "label"), rows)


SELF_TEST_TABLES = {"self-test": self_test}
"""Name in the page -> what renders it."""
