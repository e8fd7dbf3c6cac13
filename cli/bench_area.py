"""`moefetch bench area`: what a unit costs on an ECP5 and in gates, and whether that is within bounds."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from ..hw.unit_file import read_unit_config
from ..sim.report import make_folder
from ..sim.rtl_replay import BUILD
from ..traces.atomic import check_output, replacing
from ..traces.errors import UserError
from .console import reports_errors
from .emit import PRESETS

RESULTS = BUILD / "bench"
MISSED_STATUS = 1


@reports_errors
def area(
    config: Annotated[
        str, typer.Option(metavar="FILE|PRESET", help=f"Unit: a preset ({PRESETS}) or a TOML file.")
    ] = "edge",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON; default build/bench/area-CONFIG.json.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Times to place, from other starting points; the fastest counts, all are told.")
    ] = 3,
) -> None:
    """Synthesise, place and route a unit; minutes. Status 1 if the preset `edge` misses one of its bounds.

    If a tool fails, what it said is kept beside the JSON.
    """
    unit = read_unit_config(config)
    result = out if out is not None else make_folder(RESULTS) / f"area-{Path(config).stem}.json"
    check_output(result)
    from ..hw.area import measure_area  # here, as it takes a second to import amaranth
    from ..hw.synthesis import ToolError

    with tempfile.TemporaryDirectory(prefix="moefetch-area-") as folder:
        try:
            document = measure_area(unit, Path(folder), lambda step: typer.echo(f"{step} ..", err=True), seeds=seeds)
        except ToolError as error:
            kept = result.with_name(f"{result.stem}-{error.log.name}")
            with replacing(kept) as path:
                shutil.copyfile(error.log, path)
            raise UserError(f"{error.what}, see {kept}: {error.why}") from None
        except RuntimeError as error:
            raise UserError(str(error)) from None
    with replacing(result) as path:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _print(document)
    typer.echo(f"wrote {result}")
    if not all(bound["holds"] for bound in document["bounds"]):
        raise typer.Exit(MISSED_STATUS)


def _print(document: dict[str, Any]) -> None:
    typer.echo(", ".join(f"{tool} {number}" for tool, number in document["tools"].items()))
    gates = document["gates"]
    for name in ("unit", "predictor"):
        part = gates[name]
        typer.echo(f"{name}: {part['logic']:,.0f} gate equivalents of logic, {part['memory_bits']:,} bits of memory")
    typer.echo(
        f"predictor: {gates['share']:.3%} of the unit, {gates['share_with_one_layers_table']:.3%} with one layer's "
        f"table on chip (modelled), where the paper has {gates['paper_share']:.2%} of its chip"
    )
    if "ecp5" in document:
        ecp5 = document["ecp5"]
        typer.echo(f"{ecp5['device']}: {ecp5['mhz']} MHz, {ecp5['unit']['luts']:,} LUT4 sites")
        typer.echo("MHz of each seed: " + ", ".join(f"{seed}: {mhz}" for seed, mhz in ecp5["mhz_of_seeds"].items()))
    for bound in document["bounds"]:
        verdict = "holds" if bound["holds"] else "MISSED"
        typer.echo(f"{bound['name']}: {bound['value']:,} (bound {bound['limit']:,}) {verdict}")
