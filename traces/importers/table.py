"""The table of importers, and the import of a source with the one that recognises it."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from ..format import Trace
from ..validate import validate_trace
from . import bigmoe, esft, gpt_oss_fingerprint, npz
from .base import Importer, ImportOptions

IMPORTERS: tuple[Importer, ...] = (
    gpt_oss_fingerprint.IMPORTER,
    esft.IMPORTER,
    bigmoe.IMPORTER,
    npz.IMPORTER,
)
"""In the order in which they are asked. A new format is a module beside these, a row here, and its test."""


def import_trace(source: Path, format_name: str | None, options: ImportOptions) -> Trace:
    """Read a published file or folder as a valid trace.

    `format_name` overrides the detection from content. Raises UserError naming the source, the value and the
    rule for what cannot be read, is of no known format, or is not a recording (see `validate`).
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder")
    importer = _named(format_name) if format_name else _detect(source)
    trace = importer.read(source, options)
    report = validate_trace(trace)
    if not report.valid:
        raise UserError(f"{source}: not a trace: {report.summary()}")
    return trace


def _named(name: str) -> Importer:
    for importer in IMPORTERS:
        if importer.name == name:
            return importer
    raise UserError(f"--format {name}: unknown: must be one of {_names()}")


def _detect(source: Path) -> Importer:
    for importer in IMPORTERS:
        if importer.recognises(source):
            return importer
    raise UserError(f"{source}: of none of the formats {_names()} by its content (state it with --format)")


def _names() -> str:
    return ", ".join(importer.name for importer in IMPORTERS)
