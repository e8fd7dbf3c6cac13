"""`moefetch profile`: the tables that a predictor starts from, trained offline on a trace."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..hw.unit_file import read_unit_config
from ..sim.profile import Profile
from ..sim.weight_profile import WeightProfile
from ..traces.errors import UserError
from .console import next_command, progress, reports_errors
from .predict import read_decode_rows


class ProfiledName(StrEnum):
    """The predictors that start from a profile."""

    WEIGHTS = "weights"
    ST_MOE = "st_moe"


@reports_errors
def profile(
    trace: Annotated[
        Path,
        typer.Argument(metavar="TRACE", help="A trace (.parquet), or a recording that `trace import` reads."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The profile to write (.npz).")],
    predictor: Annotated[
        ProfiledName, typer.Option(help="weights: what it learns from the tokens; st_moe: counts of co-selection.")
    ] = ProfiledName.WEIGHTS,
    split: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Part of the tokens, from the first on, that is profiled.")
    ] = 1.0,
    tokens: Annotated[int | None, typer.Option(min=1, help="Take the first N decode tokens only.")] = None,
    experts: Annotated[
        int | None, typer.Option(min=1, help="Experts per layer, where a foreign recording does not say.")
    ] = None,
    unit: Annotated[
        str, typer.Option(metavar="PRESET|FILE", help="The unit whose sources and bits the weights are for.")
    ] = "default",
) -> None:
    """Train a predictor's tables offline, for `predict --profile` and `replay --profile`."""
    config = read_unit_config(unit)
    with progress(f"reading {trace.name}"):
        rows = read_decode_rows(trace, tokens, experts)
    count = int(len(rows) * split)
    if count == 0:
        raise UserError(f"--split {split}: leaves none of {trace}'s {len(rows)} tokens to profile")
    meta, starts = rows.meta, rows.sequence_starts()[:count]
    with progress(f"profiling {trace.name}"):
        if predictor is ProfiledName.WEIGHTS:
            made = WeightProfile.train(rows.experts[:count], starts, meta.n_experts, config.weight_rules)
            size = made.tables.size * config.weight_bits
        else:
            made = Profile.count(rows.experts[:count], starts, meta.n_experts, meta.top_k)
            size = made.rows.size * ((meta.n_experts - 1).bit_length() + 2)
        made.save(out)
    typer.echo(
        f"{out}: {predictor} of {meta.model}, {meta.n_layers} layers x {meta.n_experts} experts, trained on the first "
        f"{count} tokens; {size:,} bits of tables"
    )
    next_command("moefetch", "predict", trace, "--predictor", predictor, "--profile", out)
