"""`moefetch bench predictors`: what every predictor names, and what it costs."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..hw.unit_file import read_unit_config
from ..sim.report import make_folder
from ..sim.rtl_replay import BUILD
from ..sim.shootout import Shootout, cross_domain, shoot_out
from ..sim.shootout_page import markdown, plot
from ..traces.atomic import replacing
from ..traces.errors import UserError
from ..traces.format import Trace
from .console import next_command, print_whole, progress, reports_errors
from .predict import read_decode_rows

NAME = "predictors"


@reports_errors
def predictors(
    traces: Annotated[
        list[Path],
        typer.Argument(metavar="TRACE...", help="Traces (.parquet), or recordings that `trace import` reads."),
    ],
    tokens: Annotated[int | None, typer.Option(min=2, help="Take the first N decode tokens of each.")] = None,
    unit: Annotated[
        str, typer.Option(metavar="PRESET|FILE", help="The unit: the weights' sources, bits and lanes.")
    ] = "default",
    experts: Annotated[
        int | None, typer.Option(min=1, help="Experts per layer, where a foreign recording does not say.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help=f"Folder for {NAME}.md, {NAME}.json and {NAME}.svg.")] = BUILD
    / "bench",
) -> None:
    """Measure all predictors on traces: recall at several budgets, table bits, cycles; and across traces of one model.

    The first half of each trace is the profile, the second is scored. No cache, link or time: `replay` has those.
    """
    config = read_unit_config(unit)
    folder = make_folder(out)
    results, read = [], {}
    for path in traces:
        with progress(f"{path.name}") as show:
            rows = read_decode_rows(path, tokens, experts)
            if len(rows) < 2:
                raise UserError(f"{path}: {len(rows)} decode tokens: must be 2 or more, a half to profile")
            if path.stem in read:
                raise UserError(f"{path}: named {path.stem} as another trace: its figures could not be told apart")
            read[path.stem] = rows
            results.append(shoot_out(rows, path.stem, config, show))
        print_whole(_table(results[-1]))
    with progress("across traces"):
        domains = [cross_domain(group, config.weight_rules) for group in _same_geometry(read)]
    command = shlex.join(["moefetch", "bench", "predictors", *(path.name for path in traces)])
    texts = {
        f"{NAME}.md": markdown(results, domains, command),
        f"{NAME}.json": json.dumps({"traces": [result.document() for result in results], "domains": domains}, indent=1),
        f"{NAME}.svg": plot(results),
    }
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    typer.echo("recall is measured, cycles are modelled: docs/predictors.md has the formulas")
    typer.echo(f"wrote {', '.join(str(folder / name) for name in texts)}")
    next_command("moefetch", "replay", traces[0], "--policy", "st_moe,weights")


def _same_geometry(traces: dict[str, Trace]) -> list[dict[str, Trace]]:
    """Return the groups of two traces and more that have one geometry."""
    groups: dict[tuple[str, int, int, int], dict[str, Trace]] = defaultdict(dict)
    for name, trace in traces.items():
        meta = trace.meta
        groups[meta.model, meta.n_layers, meta.n_experts, meta.top_k][name] = trace
    return [group for group in groups.values() if len(group) > 1]


def _table(result: Shootout) -> Table:
    table = Table(title=f"{result.trace}: recall of layers 1 and up", title_justify="left")
    table.add_column("predictor")
    for heading in (*(f"@{budget}" for budget in result.budgets), "layer 0", "for the set's recall", "table bits"):
        table.add_column(heading, justify="right")
    for row in result.contenders:
        layer_0 = "-" if row.recall_layer_0 is None else f"{row.recall_layer_0[0]:.3f}"
        needed = "-" if row.needed is None else f"{row.needed:.2f}"
        table.add_row(row.name, *(f"{recall:.3f}" for recall in row.recall), layer_0, needed, f"{row.table_bits:,}")
    return table
