"""`moefetch trace record`: run a Hugging Face MoE checkpoint on prompts and keep its routing as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..traces.atomic import check_output
from ..traces.errors import UserError
from ..traces.format import Trace, TraceMeta
from ..traces.record_checkpoint import check_checkpoint, default_device, load_checkpoint, require_record_extra
from ..traces.record_config import RecordConfig, parse_horizons
from ..traces.record_prompts import read_prompts
from ..traces.record_shape import TopKShape
from ..traces.speculative_stats import speculative_stats
from ..traces.writer import write_trace
from .console import next_command, progress

DRAFT_MAPS = ("auto", "direct", "fitted")
DRAFT_LENGTH = 4


def record(
    model: Annotated[Path, typer.Option(help="Folder of a Hugging Face MoE checkpoint.")],
    prompts: Annotated[
        Path,
        typer.Option(help="Text: a prompt per line, or paragraphs separated by blank lines; or .jsonl with 'prompt's."),
    ],
    out: Annotated[Path, typer.Option(help="Trace file to write.")],
    tokens: Annotated[int | None, typer.Option(help="Stop after this many decode tokens in all.")] = None,
    max_new: Annotated[int, typer.Option(help="Decode at most this many tokens for a prompt.")] = 128,
    batch: Annotated[int, typer.Option(help="Prompts decoded together.")] = 1,
    temperature: Annotated[float, typer.Option(help="0 decodes greedily.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    hints: Annotated[
        str, typer.Option(metavar="N|N..M", help="MoE layers ahead that hints are made: 1, a range as 1..4, or 0.")
    ] = "1",
    hint_count: Annotated[int | None, typer.Option(help="Hints for each layer and horizon; default top-k.")] = None,
    logits: Annotated[bool, typer.Option("--logits", help="Also keep the routers' output for every expert.")] = False,
    draft: Annotated[
        Path | None, typer.Option(help="Folder of a draft model: decode speculatively, record its predictions.")
    ] = None,
    draft_length: Annotated[int, typer.Option(help="Tokens drafted for a verification window.")] = DRAFT_LENGTH,
    draft_map: Annotated[
        str,
        typer.Option(
            help="How the target's gates read the draft: direct, fitted (a linear map, fitted on the prompts), or "
            "auto: fitted where the widths differ."
        ),
    ] = DRAFT_MAPS[0],
    top_k_shape: Annotated[
        str | None,
        typer.Option(
            metavar="B,H,E,P",
            help="Experts a token activates in the first (B), peak (H) and last (E) MoE layer, linear between them; "
            "P is the peak's layer, from 0. Reports the change in loss.",
        ),
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Texts for that loss, in the form of the prompts; default the prompts.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Torch device; default cuda if there is one, else cpu.")] = None,
    licence: Annotated[str, typer.Option(help="Licence to state in the trace.")] = "not stated",
) -> None:
    """Record which experts a model selects while it decodes, with look-ahead hints.

    A hint is a later MoE layer's router applied to this layer's router input. Prefill rows are kept and marked.

    With a draft model, decoding is speculative: the rows are those of the windows that the model verified,
    each with the draft's prediction of its experts.

    Nothing is downloaded; an interrupted recording leaves no file.
    """
    require_record_extra()
    check_output(out)
    config = RecordConfig(
        max_new=max_new,
        tokens=tokens,
        temperature=temperature,
        seed=seed,
        n_hints=hint_count,
        horizons=parse_horizons(hints),
        logits=logits,
        batch=batch,
        shape=None if top_k_shape is None else TopKShape.parse(top_k_shape),
    )
    if validation is not None and top_k_shape is None:
        raise UserError(f"validation: {validation}: is for --top-k-shape, which is not given")
    if draft is None and (draft_length, draft_map) != (DRAFT_LENGTH, DRAFT_MAPS[0]):
        raise UserError(f"draft-length {draft_length}, draft-map {draft_map}: are for --draft, which is not given")
    if draft_map not in DRAFT_MAPS:
        raise UserError(f"draft-map: {draft_map!r}: must be one of {', '.join(DRAFT_MAPS)}")
    for folder in (model, draft):
        if folder is not None:
            check_checkpoint(folder)
    texts = read_prompts(prompts)
    judged = None if validation is None else read_prompts(validation)
    from ..traces import recorder  # needs torch: only this command pays for its import
    from ..traces.record_draft import Draft

    place = device or default_device()
    language_model, tokenizer = load_checkpoint(model, place)
    drafting = None
    if draft is not None:
        drafting = Draft(*load_checkpoint(draft, place), draft.resolve().name, draft_length, draft_map)
    total = len(texts) * max_new if tokens is None else min(tokens, len(texts) * max_new)
    with progress("decoding") as show:
        trace = recorder.record(
            language_model,
            tokenizer,
            texts,
            config,
            name=model.resolve().name,
            draft=drafting,
            validation=judged,
            licence=licence,
            provenance={"prompts": prompts.name},
            progress=lambda decoded: show(decoded, total),
        )
    _report(out, write_trace(out, trace), trace)


def _report(out: Path, meta: TraceMeta, trace: Trace) -> None:
    """Say what was written, what was measured, and what to do next."""
    shape = f"{meta.n_layers} MoE layers x {meta.n_experts} experts, top-{meta.top_k}"
    decoded = len(trace.decode_rows())
    typer.echo(f"{out}: {meta.model}, {shape}, {decoded} decode and {len(trace) - decoded} prefill tokens")
    if "top_k_shape" in meta.provenance:
        typer.echo(_loss_line(meta.provenance["top_k_shape"]))
    if trace.window is not None:
        figures = speculative_stats(trace)
        typer.echo(
            f"speculative, measured: {figures.windows} windows, {figures.acceptance:.3f} of the drafted tokens "
            f"accepted, {figures.mean_accepted:.2f} a window; the draft's predictions have "
            f"{figures.mean_recall:.3f} of a token's experts, {figures.mean_window_recall:.3f} of a window's"
        )
    next_command("moefetch", "trace", "stats", out)


def _loss_line(said: dict[str, Any]) -> str:
    """Say what the top-k shape costs."""
    figures = said["validation"]
    full, shaped = figures["loss_full"], figures["loss_shape"]
    layers = ",".join(map(str, said["layers"]))
    change = f"{full:.4f} -> {shaped:.4f} nats a token ({shaped - full:+.4f})"
    return f"validation loss, measured over {figures['tokens']} tokens: {change} with top-k {layers}"
