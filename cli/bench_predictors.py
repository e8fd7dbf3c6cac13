"""`moefetch bench predictors`: what every predictor names, and what it costs."""

from __future__ import annotations

import shlex
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..hw.config import UnitConfig
from ..hw.unit_file import read_unit_config
from ..sim.kept_results import KeptResults
from ..sim.model_spec import load_model
from ..sim.network_limit import NetworkResults
from ..sim.planning import read_trace
from ..sim.platform_spec import load_platform
from ..sim.preset_files import preset_names
from ..sim.report import make_folder
from ..sim.rtl_replay import BUILD
from ..sim.shootout import Shootout, cross_domain, shoot_out
from ..sim.shootout_document import ShootoutDocument
from ..sim.shootout_replays import PlatformReplays, replay_on_platforms
from ..traces.atomic import replacing
from ..traces.content_hash import content_hash
from ..traces.errors import UserError
from ..traces.format import Trace
from .console import next_command, print_whole, progress, reports_errors
from .predict import read_decode_rows

NETWORKS = "networks.json"
PARTS = BUILD / "bench" / "predictors"
"""What is found is kept here trace by trace: a run that was cut short goes on."""
REPLAY_TOKENS = 1000


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
    networks: Annotated[
        bool, typer.Option(help=f"Train networks too, the limit; minutes a trace, kept in DIR/{NETWORKS}.")
    ] = False,
    replay_tokens: Annotated[
        int, typer.Option(min=0, help="Decode steps to replay on every platform preset; 0: none.")
    ] = REPLAY_TOKENS,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for tables, plots and predictors.json.")] = BUILD
    / "bench",
) -> None:
    """Measure all predictors on traces: recall, table bits, cycles; time and link bytes on every platform preset.

    The first half of each trace is the profile, the second is scored. Replays are of the first tokens, and their
    profiles of the trace's end; only a trace whose model is a preset is replayed.
    """
    config = read_unit_config(unit)
    folder = make_folder(out)
    trained = NetworkResults(folder / NETWORKS) if networks else None
    kept = KeptResults(make_folder(PARTS))
    read = _read(traces, tokens, experts)
    results = [_shoot_out(name, rows, config, trained, kept) for name, rows in read.items()]
    with progress("across traces"):
        domains = [cross_domain(group, config.weight_rules) for group in _same_geometry(read)]
    options = [*(["--networks"] if networks else []), "--replay-tokens", str(replay_tokens)]
    command = shlex.join(["moefetch", "bench", "predictors", *(path.name for path in traces), *options])
    replays = [
        found
        for path, rows in zip(traces, read.values(), strict=True)
        for found in _replays(path, rows.meta.model, config, replay_tokens, experts, kept)
    ]
    document = ShootoutDocument(command=command, traces=tuple(results), domains=tuple(domains), replays=tuple(replays))
    _write(document, folder)
    next_command("moefetch", "replay", traces[0], "--policy", "st_moe,weights")


def _read(paths: list[Path], tokens: int | None, experts: int | None) -> dict[str, Trace]:
    """Return name -> the first decode rows of each trace."""
    read: dict[str, Trace] = {}
    for path in paths:
        rows = read_decode_rows(path, tokens, experts)
        if len(rows) < 2:
            raise UserError(f"{path}: {len(rows)} decode tokens: must be 2 or more, a half to profile")
        if path.stem in read:
            raise UserError(f"{path}: named {path.stem} as another trace: its figures could not be told apart")
        read[path.stem] = rows
    return read


def _shoot_out(
    name: str, rows: Trace, config: UnitConfig, networks: NetworkResults | None, kept: KeptResults
) -> Shootout:
    key = {"name": name, "content": content_hash(rows), "unit": config.digest, "networks": networks is not None}
    with progress(name) as show:
        result = kept.get(Shootout, key, lambda: shoot_out(rows, name, config, show, networks=networks))
    print_whole(_table(result))
    return result


def _replays(
    path: Path, model: str, unit: UnitConfig, tokens: int, experts: int | None, kept: KeptResults
) -> tuple[PlatformReplays, ...]:
    """Return a trace's replays, none if its model is no preset."""
    if not tokens:
        return ()
    if model not in preset_names("models"):
        typer.echo(f"note: {path}: model {model} is no preset: not replayed", err=True)
        return ()
    platforms = [load_platform(name) for name in preset_names("platforms")]
    trace, spec = read_trace(path, experts), load_model(model)
    key = {
        "name": path.stem, "content": content_hash(trace), "unit": unit.digest, "tokens": tokens,
        "specs": [described.model_dump(mode="json") for described in (spec, *platforms)],
    }  # fmt: skip
    with progress(f"{path.name} on {len(platforms)} platforms") as show:
        return kept.get(
            tuple[PlatformReplays, ...],
            key,
            lambda: tuple(replay_on_platforms(path, trace, spec, platforms, unit, tokens, show)),
        )


def _write(document: ShootoutDocument, folder: Path) -> None:
    files = document.files()
    for name, text in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    typer.echo("recall is measured, cycles are modelled: docs/predictors.md has the formulas")
    typer.echo(f"wrote {', '.join(str(folder / name) for name in files)}")


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
