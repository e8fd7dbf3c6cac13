"""`moefetch predict`: the recall of a golden predictor on a trace, without cache, link or time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from ..hw.config import UNIT_PRESETS
from ..hw.weight_rules import CENTRE
from ..sim.predictors.hints import Hints
from ..sim.predictors.interface import Predictor, PredictorEvent
from ..sim.predictors.previous_token import PreviousToken
from ..sim.predictors.st_moe import StMoe
from ..sim.predictors.weights import Weights
from ..sim.profile import Profile
from ..sim.profile_files import AnyProfile, load_profile, require_profile_fits
from ..sim.recall import Recall, RecallTally, measure_recall, ranking_budgets, trace_events
from ..sim.weight_profile import WeightProfile
from ..traces.errors import UserError
from ..traces.format import ABSENT, DECODE, Trace
from ..traces.importers.base import ImportOptions
from ..traces.importers.table import import_trace
from .console import next_command, output, progress, reports_errors

PROGRESS_EVENTS = 4096
RULES = UNIT_PRESETS["default"].weight_rules
SET_SCORE = 2
"""ST-MoE's set is the experts that score this; its ranking goes on below."""


class PredictorName(StrEnum):
    """The golden predictors by name."""

    ST_MOE = "st_moe"
    ST_MOE_PAPER = "st_moe_paper"
    WEIGHTS = "weights"
    HINTS = "hints"
    PREVIOUS_TOKEN = "previous_token"


SET_SCORES = {PredictorName.HINTS: 0, PredictorName.WEIGHTS: CENTRE}
"""The set of the others: all hints, and experts as likely needed as not."""


@reports_errors
def predict(
    trace: Annotated[
        Path,
        typer.Argument(metavar="TRACE", help="A trace (.parquet), or a recording that `trace import` reads."),
    ],
    predictor: Annotated[PredictorName, typer.Option(help="The predictor.")] = PredictorName.ST_MOE,
    split: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Part of the tokens that is the profile; the rest is scored."),
    ] = 0.5,
    profile: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tables that `moefetch profile` wrote, instead of a part of this trace."),
    ] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Take the first N decode tokens only.")] = None,
    experts: Annotated[
        int | None, typer.Option(min=1, help="Experts per layer, where a foreign recording does not say.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure how well a golden predictor names the experts of the next layer."""
    with progress(f"reading {trace.name}"):
        rows = read_decode_rows(trace, tokens, experts)
    n_profiled = int(len(rows) * split)
    if n_profiled == len(rows):
        raise UserError(f"--split {split}: leaves none of {trace}'s {len(rows)} tokens to score")
    with progress(f"{predictor} on {trace.name}") as show:
        recall = _measure(trace, rows, predictor, n_profiled, profile, show)
    result = _Result(trace, predictor, rows, n_profiled, profile, recall)
    if as_json:
        typer.echo(json.dumps(result.report(), indent=2))
    else:
        output().print(result.table())
        typer.echo(result.caption())
    if trace.suffix == ".parquet":
        next_command("moefetch", "replay", trace, "--policy", "st_moe")
    else:
        next_command("moefetch", "trace", "import", trace, "--out", f"{trace.stem}.parquet")


def read_decode_rows(path: Path, tokens: int | None, n_experts: int | None) -> Trace:
    """Return a trace's first decode rows, of a foreign recording with its experts in the order of the source."""
    if path.suffix == ".parquet":
        rows = Trace.read(path, tokens, phase=DECODE)
    else:
        rows = import_trace(path, None, ImportOptions(n_experts=n_experts, keep_order=True)).decode_rows()
        rows = rows.select(slice(tokens))
    if len(rows) == 0:
        raise UserError(f"{path}: no decode tokens: a prediction needs one or more")
    empty = np.argwhere((rows.experts == ABSENT).all(axis=2))
    if len(empty):
        row, layer = (int(index) for index in empty[0])
        place = f"sequence {rows.sequence[row]}, token {rows.position[row]}, layer {rows.meta.layers[layer]}"
        raise UserError(f"{path}: {place}: no expert: an event needs one or more")
    return rows


def _measure(
    path: Path,
    rows: Trace,
    name: PredictorName,
    n_profiled: int,
    profile: Path | None,
    show: Callable[[int, int], None],
) -> Recall:
    meta = rows.meta
    starts = rows.sequence_starts()
    scored = slice(n_profiled, None)
    predictor = _build(path, rows, name, n_profiled, profile)
    total = (len(rows) - n_profiled) * meta.n_layers
    return measure_recall(
        predictor,
        _shown(trace_events(rows.experts[scored], starts[scored]), total, show),
        meta.n_layers,
        meta.n_experts,
        budgets=ranking_budgets(meta.top_k),
        set_score=SET_SCORES.get(name, SET_SCORE),
        history=rows.experts[n_profiled - 1] if n_profiled else None,
    )


def _build(path: Path, rows: Trace, name: PredictorName, n_profiled: int, given: Path | None) -> Predictor:
    meta = rows.meta
    if given is not None and name not in (PredictorName.WEIGHTS, PredictorName.ST_MOE, PredictorName.ST_MOE_PAPER):
        raise UserError(f"--profile {given}: is of no use here: {name} has no tables")
    if name is PredictorName.PREVIOUS_TOKEN:
        return PreviousToken(meta.n_layers)
    if name is PredictorName.HINTS:
        if rows.hints is None:
            raise UserError(f"{path}: has no hints: `--predictor hints` needs a trace recorded with them")
        scores = None if rows.hint_scores is None else rows.hint_scores[n_profiled:]
        return Hints(rows.hints[n_profiled:], scores, horizon=meta.hint_horizon)
    profile = _profile(rows, name, n_profiled, given)
    if name is PredictorName.WEIGHTS:
        tables = profile.tables if isinstance(profile, WeightProfile) else None
        return Weights(meta.n_layers, meta.n_experts, RULES, tables=tables)
    counted = profile if isinstance(profile, Profile) else None
    wrap = name is PredictorName.ST_MOE
    return StMoe(meta.n_layers, meta.n_experts, meta.top_k, min_score=1, wrap=wrap, profile=counted)


def _profile(rows: Trace, name: PredictorName, n_profiled: int, given: Path | None) -> AnyProfile | None:
    meta = rows.meta
    kind = WeightProfile if name is PredictorName.WEIGHTS else Profile
    if given is not None:
        profile = load_profile(given)
        if not isinstance(profile, kind):
            raise UserError(f"{given}: not a profile of predictor {name}")
        require_profile_fits(
            profile, given, n_layers=meta.n_layers, n_experts=meta.n_experts, top_k=meta.top_k, rules=RULES
        )
        return profile
    if not n_profiled:
        return None
    experts, starts = rows.experts[:n_profiled], rows.sequence_starts()[:n_profiled]
    if kind is WeightProfile:
        return WeightProfile.train(experts, starts, meta.n_experts, RULES)
    return Profile.count(experts, starts, meta.n_experts, meta.top_k)


def _shown(events: Iterator[PredictorEvent], total: int, show: Callable[[int, int], None]) -> Iterator[PredictorEvent]:
    for done, event in enumerate(events):
        if done % PROGRESS_EVENTS == 0:
            show(done, total)
        yield event


@dataclass(frozen=True)
class _Result:
    """A measurement with what it was made of."""

    path: Path
    predictor: PredictorName
    rows: Trace
    n_profiled: int
    profile: Path | None
    recall: Recall

    def report(self) -> dict[str, Any]:
        """The figures as JSON."""
        meta = self.rows.meta
        return {
            "trace": str(self.path),
            "model": meta.model,
            "geometry": {"n_layers": meta.n_layers, "n_experts": meta.n_experts, "top_k": meta.top_k},
            "predictor": self.predictor.value,
            "profile": None if self.profile is None else str(self.profile),
            "tokens": {"profiled": self.n_profiled, "scored": len(self.rows) - self.n_profiled},
            "label": "measured",
            "later_layers": self.recall.later_layers.summary(),
            "layer_0": self.recall.layer_0.summary(),
        }

    def table(self) -> Table:
        """The figures as a table, layer 0 apart."""
        table = Table(title=f"{self.predictor} on {self.path.name}", title_justify="left")
        table.add_column("")
        for heading in ("layers 1 and up", "layer 0"):
            table.add_column(heading, justify="right")
        tallies = (self.recall.later_layers, self.recall.layer_0)
        for cells in zip(*(_figures(tally, self.rows.meta.top_k) for tally in tallies), strict=True):
            table.add_row(cells[0][0], *(text for _, text in cells))
        return table

    def caption(self) -> str:
        """What was measured on what."""
        meta = self.rows.meta
        scored = len(self.rows) - self.n_profiled
        profile = (
            f"profile of {self.n_profiled} tokens, measured on the {scored} after them"
            if self.profile is None
            else f"profile {self.profile}, measured on the last {scored} tokens"
        )
        return f"{meta.model}: {meta.n_layers} layers x {meta.n_experts} experts, top-{meta.top_k}; {profile}"


def _figures(tally: RecallTally, top_k: int) -> list[tuple[str, str]]:
    rates = tally.summary()
    size = rates["mean_set_size"]
    return [
        ("recall of its own set", _share(rates["set_recall"])),
        ("mean size of the set", "-" if size is None else f"{size:.2f} = {size / top_k:.2f}k"),
        *((f"recall at {budget}", _share(recall)) for budget, recall in rates["recall_at"].items()),
        ("previous token", _share(rates["previous_token_recall"])),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
