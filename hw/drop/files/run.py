# SPDX-License-Identifier: Apache-2.0
"""Run the cocotb smoke bench: `python run.py [icarus|verilator]`. Status 1 if it fails.

Needs cocotb and cocotbext-axi.
"""

import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

HERE = Path(__file__).resolve().parent
DROP = HERE.parents[1]

simulator = sys.argv[1] if len(sys.argv) > 1 else "icarus"
runner = get_runner(simulator)
runner.build(
    sources=sorted((DROP / "rtl").glob("*.v")),
    hdl_toplevel="moefetch_unit",
    build_dir=Path.cwd() / f"smoke_{simulator}",
    build_args=["-Wno-fatal"] if simulator == "verilator" else [],
    timescale=("1ns", "1ps"),
)
results = runner.test(test_module="test_smoke", hdl_toplevel="moefetch_unit", test_dir=HERE)
n_tests, n_failed = get_results(results)
passed = n_tests and not n_failed
print("PASS" if passed else "FAIL")
sys.exit(not passed)
