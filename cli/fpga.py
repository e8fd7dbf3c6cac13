"""`moefetch fpga`: a bitstream that replays a trace on a board and says over a serial line whether the unit works."""

from __future__ import annotations

import shutil
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..hw.config import UnitConfig
from ..hw.fpga.program import SelfTestData
from ..hw.unit_file import read_unit_config
from ..sim.jobs import build_jobs
from ..sim.policies import KNOWN_POLICIES, PolicyOptions, parse_policies
from ..sim.unit_fit import require_fit
from ..traces.errors import UserError
from .console import next_command, reports_errors
from .emit import PRESETS
from .model_engine import replay_on_model
from .regress import SHIPPED
from .replay import FAILED_STATUS, make_plan, read_trace

TRACE = SHIPPED / "code.parquet"
TEXT = "expected.txt"


class Board(StrEnum):
    """A board that a bitstream can be built for."""

    ULX3S = "ulx3s"


@reports_errors
def fpga(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for bitstream, expected text, figures, README.")],
    board: Annotated[Board, typer.Option(help="ulx3s: Radiona ULX3S with a Lattice ECP5-85F.")] = Board.ULX3S,
    trace: Annotated[
        Path, typer.Option(metavar="TRACE", help="Recorded routing.", show_default="the shipped code.parquet")
    ] = TRACE,
    model: Annotated[str, typer.Option(metavar="NAME|FILE", help="What the trace was recorded of.")] = "moefetch-small",
    platform: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Memory and compute that the board plays, in its clock cycles.")
    ] = "ecp5-ddr3",
    policy: Annotated[str, typer.Option(metavar="NAME", help="What prefetches: none, or one of a unit's.")] = "st_moe",
    tokens: Annotated[int, typer.Option(min=1, help="Decode steps of the trace.")] = 8,
    config: Annotated[
        str, typer.Option(metavar="FILE|PRESET", help=f"Unit: a preset ({PRESETS}) or a TOML file.")
    ] = "edge",
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate the netlist first; write nothing unless its text is right.")
    ] = False,
) -> None:
    """Build a bitstream that tests the unit on a board: it replays a trace and prints every counter and PASS or FAIL.

    Trace, memory model and expected counters lie in the FPGA; nothing but a serial line is needed. The cycle model says
    what the counters must be, so PASS means: as in every simulation, cycle by cycle. About 15 minutes on one core; the
    extra `fpga` brings the tools.
    """
    # Amaranth, yosys and nextpnr take seconds to import: only commands that need them pay.
    from ..hw.fpga.bitstream import DIVISOR, write_bitstream, write_netlist
    from ..hw.fpga.folder import check_place, figures_of, write_folder
    from ..hw.fpga.ulx3s import ulx3s_platform
    from ..hw.synthesis import tool_versions

    check_place(out)
    tool_versions()
    ulx3s_platform()
    test = _self_test(trace, model, platform, policy, tokens, config)
    with tempfile.TemporaryDirectory(prefix="moefetch-fpga-") as name:
        folder = Path(name)
        try:
            _say("synthesis")
            netlist = write_netlist(test, folder)
            if simulate:
                _require_text(test, netlist, folder, DIVISOR)
            path, placed = write_bitstream(folder, _say)
        except RuntimeError as failure:
            kept = _keep_logs(folder, out)
            print(f"failed: {str(failure).replace(str(folder), str(kept))}", file=sys.stderr)
            raise typer.Exit(FAILED_STATUS) from None
        bitstream = path.read_bytes()
    write_folder(out, test, bitstream, figures_of(test, placed, bitstream, simulated=simulate))
    print(f"{board}: {placed.mhz:.1f} MHz, {', '.join(f'{n} of {of} {cell}' for cell, (n, of) in placed.used.items())}")
    print(f"{out}: {len(bitstream)} bytes of bitstream; {TEXT} has the {len(test.text)} characters that must come")
    next_command("openFPGALoader", "-b", board.value, out / path.name)


def _keep_logs(folder: Path, out: Path) -> Path:
    """Copy what the tools said to a folder beside `out`, made only if they said something; return its path."""
    kept = out.with_name(f"{out.name}-logs")
    for log in folder.glob("*.log"):
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, kept / log.name)
    return kept


def _self_test(trace: Path, model: str, platform: str, policy: str, tokens: int, config: str) -> SelfTestData:
    """Return the self-test that the options ask for; raises UserError for what does not go together."""
    from ..sim.self_test import self_test_data

    policies = parse_policies(policy)
    if len(policies) != 1:
        raise UserError(f"--policy {policy}: a self-test runs one policy: {', '.join(KNOWN_POLICIES)}")
    unit = read_unit_config(config)
    plan = make_plan(
        trace, read_trace(trace), model=model, platform=platform, policy=policy, scale="1", unit=config, tokens=tokens
    )
    require_fit(unit, plan.workload, config)
    _require_block_ram(plan.unit)
    (job,) = build_jobs(plan, policies, PolicyOptions())
    _say(f"expectations: {len(job.events)} events on the cycle model")
    (expected,) = replay_on_model([job], show=lambda done, total: None)
    return self_test_data(job, expected)


def _require_block_ram(unit: UnitConfig) -> None:
    from ..hw.area import BLOCK_RAM_BITS

    bits = unit.slots * unit.slot_bytes * 8
    if bits > BLOCK_RAM_BITS:
        raise UserError(f"{bits} bits of expert SRAM: must not exceed the {BLOCK_RAM_BITS} of the board's block RAM")


def _require_text(test: SelfTestData, netlist: Path, folder: Path, divisor: int) -> None:
    """Simulate the netlist; raises RuntimeError if its serial line says anything but what was predicted."""
    from ..sim.self_test_run import BOARD, cell_models, printed_text
    from ..sim.simulator import SimulationError

    _say("simulation of the netlist")
    try:
        text = printed_text(
            [netlist, *cell_models(folder)],
            instance=BOARD,
            divisor=divisor,
            simulator="verilator",
            folder=folder,
            patience=test.longest_silence,
        )
    except SimulationError as error:
        raise RuntimeError(str(error)) from None
    if text != test.text:
        lines = zip([*text.splitlines(), ""], [*test.text.splitlines(), ""], strict=False)
        found, expected = next((pair for pair in lines if pair[0] != pair[1]), ("", ""))
        raise RuntimeError(f"the netlist says {found!r} where {expected!r} must come")
    _say(f"the netlist said what it must, all {len(text)} characters")


def _say(step: str) -> None:
    print(f"{step} ..", file=sys.stderr)
