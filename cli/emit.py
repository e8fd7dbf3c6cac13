"""`moefetch emit`: the unit as one Verilog file, with its sidecar and its lint waivers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ..hw.unit_file import read_unit_config
from ..traces.atomic import replacing
from ..traces.errors import UserError
from .console import next_command, progress, reports_errors

MODULE = "moefetch_unit"


@reports_errors
def emit(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to; made if missing.")],
    config: Annotated[
        str, typer.Option(metavar="FILE|PRESET", help="Unit: a preset (default, tiny) or a TOML file.")
    ] = "default",
) -> None:
    """Write the unit as flat Verilog-2001, with a JSON sidecar and Verilator waivers."""
    unit = read_unit_config(config)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be made: {error.strerror}") from error
    # Amaranth takes a second to import: only commands that need it pay.
    from ..hw.emit import emit_verilog
    from ..hw.lint import WAIVERS
    from ..hw.prefetch_unit import PrefetchUnit

    with progress(f"emitting unit {unit.digest}"):
        verilog = emit_verilog(PrefetchUnit(config=unit), name=MODULE, config=unit, out_dir=out)
    waivers = out / WAIVERS.name
    with replacing(waivers) as path:
        shutil.copyfile(WAIVERS, path)

    for path, text in (
        (verilog, "the unit, Verilog-2001"),
        (verilog.with_suffix(".json"), "configuration, ports, registers, counters, latencies"),
        (waivers, "Verilator waivers"),
    ):
        print(f"{path}: {path.stat().st_size} bytes, {text}")
    next_command("verilator-cli", "--lint-only", "-Wall", "--top-module", MODULE, waivers, verilog)
