"""`moefetch trace record`: run a Hugging Face MoE checkpoint on prompts and keep its routing as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..traces.errors import UserError
from ..traces.format import TraceMeta
from ..traces.record_checkpoint import default_device, load_checkpoint, require_record_extra
from ..traces.record_prompts import read_prompts
from ..traces.writer import write_trace
from .console import next_command, progress


def record(
    model: Annotated[Path, typer.Option(help="Folder of a Hugging Face MoE checkpoint.")],
    prompts: Annotated[
        Path,
        typer.Option(help="Text: a prompt per line, or paragraphs separated by blank lines; or .jsonl with 'prompt's."),
    ],
    out: Annotated[Path, typer.Option(help="Trace file to write.")],
    tokens: Annotated[int | None, typer.Option(help="Stop after this many decode tokens in all.")] = None,
    max_new: Annotated[int, typer.Option(help="Decode at most this many tokens for a prompt.")] = 128,
    temperature: Annotated[float, typer.Option(help="0 decodes greedily.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    hints: Annotated[int | None, typer.Option(help="Hints for each layer; default top-k, 0 for none.")] = None,
    device: Annotated[str | None, typer.Option(help="Torch device; default cuda if there is one, else cpu.")] = None,
    licence: Annotated[str, typer.Option(help="Licence to state in the trace.")] = "not stated",
) -> None:
    """Record which experts a model selects while it decodes, with look-ahead hints.

    A hint is the next MoE layer's router applied to this layer's router input. Prefill rows are kept and
    marked. Nothing is downloaded; an interrupted recording leaves no file.
    """
    require_record_extra()
    _check_output(out)
    texts = read_prompts(prompts)
    from ..traces import recorder  # needs torch: only this command pays for its import

    config = recorder.RecordConfig(max_new=max_new, tokens=tokens, temperature=temperature, seed=seed, n_hints=hints)
    language_model, tokenizer = load_checkpoint(model, device or default_device())
    total = len(texts) * max_new if tokens is None else min(tokens, len(texts) * max_new)
    with progress("decoding") as show:
        trace = recorder.record(
            language_model,
            tokenizer,
            texts,
            config,
            name=model.resolve().name,
            licence=licence,
            provenance={"prompts": prompts.name},
            progress=lambda decoded: show(decoded, total),
        )
    meta = write_trace(out, trace)
    _report(out, meta, rows=len(trace), decoded=len(trace.decode_rows()))


def _check_output(out: Path) -> None:
    """Find out before the long work that the result could not be written."""
    if out.is_dir():
        raise UserError(f"{out}: is a folder: the output must be a file")
    if not out.parent.is_dir():
        raise UserError(f"{out}: folder {out.parent} does not exist: create it first")


def _report(out: Path, meta: TraceMeta, *, rows: int, decoded: int) -> None:
    """Say what was written and what to do with it."""
    shape = f"{meta.n_layers} MoE layers x {meta.n_experts} experts, top-{meta.top_k}"
    typer.echo(f"{out}: {meta.model}, {shape}, {decoded} decode and {rows - decoded} prefill tokens")
    next_command("moefetch", "trace", "stats", out)
