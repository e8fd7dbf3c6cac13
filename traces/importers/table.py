"""The table of importers, and the import of a source with the one that recognises it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..atomic import replacing
from ..errors import UserError
from ..format import Trace, TraceMeta
from ..reader import TraceFile
from ..validate import Report, validate_batches, validate_trace
from ..writer import TraceWriter
from . import (
    bigmoe,
    colibri,
    esft,
    expert_selection,
    flame_moe,
    gpt_oss_fingerprint,
    llama_moe_trace,
    npz,
    router_logits,
    sglang,
    sglang_recorder,
    vllm,
    warp,
)
from .base import Importer, ImportOptions
from .build import TraceBuilder, collected
from .source import Source, opened_source
from .source_file import SourceFile

IMPORTERS: tuple[Importer, ...] = (
    vllm.IMPORTER,
    sglang.IMPORTER,
    sglang_recorder.IMPORTER,
    llama_moe_trace.IMPORTER,
    router_logits.IMPORTER,
    flame_moe.IMPORTER,
    expert_selection.IMPORTER,
    bigmoe.IMPORTER,
    gpt_oss_fingerprint.IMPORTER,
    esft.IMPORTER,
    warp.IMPORTER,
    colibri.IMPORTER,
    npz.IMPORTER,
)
"""In the order in which they are asked. A new format is a module beside these, a row here, and its test."""


def import_trace(path: Path, format_name: str | None, options: ImportOptions) -> Trace:
    """Read a published file, folder or archive as a valid trace in memory.

    `format_name` overrides the detection from content. Raises UserError naming the source, the value and the
    rule for what cannot be read, is of no known format, or is not a recording (see `validate`).
    """
    with opened_source([path]) as source:
        trace = collected(TraceBuilder(source, _importer(source, format_name), options))
    report = validate_trace(trace)
    if not report.valid:
        raise UserError(f"{path}: not a trace: {report.summary()}")
    return trace


def import_file(
    paths: Sequence[Path],
    out: Path,
    format_name: str | None,
    options: ImportOptions,
    *,
    force: bool = False,
    on_bytes: Callable[[int, int], None] | None = None,
) -> tuple[TraceMeta, Report]:
    """Import sources into a trace file, batch by batch; returns its metadata and what validation found.

    What is not a recording is refused with UserError, or with `force` written, its defects counted in the
    provenance. `on_bytes(done, total)` is told the progress.
    """
    with opened_source(paths, on_bytes) as source, replacing(out) as temporary:
        builder = TraceBuilder(source, _importer(source, format_name), options)
        batches = builder.batches()
        first = next(batches)
        with TraceWriter(temporary, builder.meta) as writer:
            report = validate_batches(builder.meta, _written(first, batches, writer))
            meta = builder.final_meta()
            if not report.valid:
                if not force:
                    raise UserError(f"{source}: not a trace: {report.summary()} (--force writes it all the same)")
                meta = dataclasses.replace(meta, provenance=meta.provenance | {"defects": dict(report.counts)})
            writer.meta = meta
            return writer.finish(), report


def _written(first: Trace, rest: Iterator[Trace], writer: TraceWriter) -> Iterator[Trace]:
    writer.write(first)
    yield first
    for batch in rest:
        writer.write(batch)
        yield batch


def _is_trace(file: SourceFile) -> bool:
    try:
        TraceFile(file.path)
    except UserError:
        return False
    return True


def _importer(source: Source, name: str | None) -> Importer:
    names = ", ".join(importer.name for importer in IMPORTERS)
    for importer in IMPORTERS:
        if importer.name == name if name else importer.recognises_source(source):
            source.check_used(importer.suffixes)
            source.start(importer.passes)
            return importer
    if name:
        raise UserError(f"--format {name}: unknown: must be one of {names}")
    if not any(file.head(1) for file in source.files):
        raise UserError(f"{source}: is empty, or cannot be read: must be a recording")
    for file in source.files:
        if _is_trace(file):
            raise UserError(f"{file}: is a trace already: `moefetch trace merge` puts several together")
    raise UserError(f"{source}: of none of the formats {names} by its content (state it with --format)")
