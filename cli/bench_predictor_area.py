"""`moefetch bench predictor-area`: what each predictor costs on an ECP5."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ..sim.report import make_folder
from ..sim.rtl_replay import BUILD
from ..traces.atomic import replacing
from ..traces.errors import UserError
from .console import reports_errors

DEFAULT_OUT = BUILD / "bench" / "predictor-area"


@reports_errors
def predictor_area(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which, e.g. st_moe, weights-16; default all.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for NAME.json.")] = DEFAULT_OUT,
) -> None:
    """Synthesise, place and route predictors alone, as in a default unit of four layers; minutes each."""
    from ..hw.predictor_area import CONFIGS, measure_predictor  # here, as it takes a second to import amaranth

    for name in names or ():
        if name not in CONFIGS:
            raise UserError(f"{name}: unknown: must be one of {', '.join(CONFIGS)}")
    folder = make_folder(out)
    for name in names or CONFIGS:
        with tempfile.TemporaryDirectory(prefix="moefetch-area-") as work:
            document = measure_predictor(name, Path(work), lambda step: typer.echo(f"{step} ..", err=True))
        with replacing(folder / f"{name}.json") as path:
            path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        blocks = document["cells"].get("DP16KD", 0)
        typer.echo(f"{name}: {document['luts']:,} LUT4 sites, {blocks} block RAMs, {document['mhz']} MHz")
    typer.echo(f"wrote {folder}")
