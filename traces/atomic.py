"""Atomic output: a file appears under its name complete, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name in the folder of `path` to write to, and move it onto `path` at the end.

    On any exception the temporary file is removed and `path` stays as it was. Raises UserError if the folder
    is missing, or cannot be written.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder beside `folder` to fill, and move it into its place at the end; one that is there is removed.

    On any exception `folder` stays as it was. Raises UserError if something cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            os.replace(folder, old)
        os.replace(temporary, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            if old.exists() and not folder.exists():
                os.replace(old, folder)
        for rest in (temporary, old):
            shutil.rmtree(rest, ignore_errors=True)


def check_output(path: Path) -> None:
    """Raise UserError now if a file `path` could not be written: for what is written only after long work."""
    _temporary(path).unlink()


def not_among(path: Path, sources: Iterable[Path]) -> Path:
    """Return `path`, an output; UserError if it is one of the sources."""
    if path.exists() and any(source.exists() and path.samefile(source) for source in sources):
        raise UserError(f"{path}: is the source: the output must be another file")
    return path


def _temporary(path: Path) -> Path:
    """A new empty file beside `path`; UserError if there can be none."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder: the output must be a file")
    if not path.parent.is_dir():
        raise UserError(f"{path}: folder {path.parent} does not exist: create it first")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    return temporary
