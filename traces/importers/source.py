"""Sources of an import: files, folders, compressed files, archives and standard input, read as one."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import UserError
from .source_file import COPY_BYTES, READ_ERRORS, SourceFile, naming

STANDARD_INPUT = Path("-")


class _Progress:
    """Bytes read of all files, told once an importer has begun: recognising a format reads some of them too."""

    def __init__(self, total: int, on_bytes: Callable[[int, int], None] | None) -> None:
        self._size, self._on_bytes = total, on_bytes
        self._total = self._done = 0

    def start(self, passes: int) -> None:
        self._total, self._done = self._size * passes, 0

    def add(self, n_bytes: int) -> None:
        self._done = min(self._done + n_bytes, self._total)
        if self._on_bytes is not None and self._total:
            self._on_bytes(self._done, self._total)


@dataclass(frozen=True)
class _Group:
    """The files of one path that the user named; a folder or archive may hold others too."""

    shown: str
    files: tuple[SourceFile, ...]
    is_folder: bool

    def choose(self, suffixes: Sequence[str]) -> tuple[SourceFile, ...]:
        if not self.is_folder:
            return self.files
        return tuple(file for file in self.files if file.name.endswith(tuple(suffixes)))


class Source:
    """The files of an import, in order; as text, what the user asked for.

    `current` is the file being read, where an importer reads one after the other.
    """

    def __init__(self, shown: str, groups: Sequence[_Group], progress: _Progress) -> None:
        self.shown = shown
        self._progress = progress
        self._groups = groups
        self.current: SourceFile | None = None
        self.files = tuple(file for group in groups for file in group.files)

    def __str__(self) -> str:
        return self.shown

    def start(self, passes: int) -> None:
        """Begin to tell the progress, of an importer that reads every file so many times."""
        self._progress.start(passes)

    @property
    def name(self) -> str:
        """Its own name, without folders: what a trace's provenance keeps."""
        return ", ".join(Path(name).name for name in self.shown.split(", ")) or self.shown

    def choose(self, suffixes: Sequence[str]) -> tuple[SourceFile, ...]:
        """The files of folders and archives with one of these suffixes, and any that the user named."""
        return tuple(file for group in self._groups for file in group.choose(suffixes))

    def check_used(self, suffixes: Sequence[str]) -> None:
        """Raise UserError for a folder or archive of which `choose` takes nothing, where there are several."""
        for group in self._groups:
            if not group.choose(suffixes):
                raise UserError(f"{group.shown}: no file {', '.join(suffixes)}: must be of the others' format")


def digest_of(files: Sequence[SourceFile]) -> str:
    """SHA-256 of the files' bytes as they lie on disk, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with naming(file), file.path.open("rb") as stream:
            while piece := stream.read(COPY_BYTES):
                digest.update(piece)
    return digest.hexdigest()


@contextmanager
def opened_source(paths: Sequence[Path], on_bytes: Callable[[int, int], None] | None = None) -> Iterator[Source]:
    """The files of `paths`: files, folders with all below them, archives (tar, zip), or `-` for standard input.

    Archives and standard input are unpacked into a temporary folder, removed at the end, so that memory stays
    bounded. `on_bytes(done, total)` is told the progress after `Source.start`. Raises UserError for what does
    not exist or is damaged.
    """
    with ExitStack() as stack:
        found = [(_shown([path]), _entries(path, stack)) for path in paths]
        for name, entries in found:
            if not entries:
                raise UserError(f"{name}: holds no files: must hold one or more")
        progress = _Progress(sum(path.stat().st_size for _, entries in found for path, _ in entries), on_bytes)
        groups = []
        for name, entries in found:
            files = tuple(SourceFile(path, shown, progress.add) for path, shown in entries)
            groups.append(_Group(name, files, is_folder=[file.shown for file in files] != [name]))
        yield Source(_shown(paths), groups, progress)


def _shown(paths: Sequence[Path]) -> str:
    return ", ".join("standard input" if path == STANDARD_INPUT else str(path) for path in paths)


def _entries(path: Path, stack: ExitStack) -> list[tuple[Path, str]]:
    shown = _shown([path])
    if path == STANDARD_INPUT or path.is_fifo():  # neither can be read twice
        copied = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moefetch-"))) / "stdin"
        with copied.open("wb") as copy, _stream(path) as stream:
            shutil.copyfileobj(stream, copy, COPY_BYTES)
        path = copied
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if path.is_dir():
        return [(file, str(file)) for file in _files_below(path)]
    unpack = _unpacker(SourceFile(path, shown, lambda _: None))
    if unpack is None:
        return [(path, shown)]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moefetch-")))
    unpack(folder)
    return [(file, f"{shown}:{file.relative_to(folder)}") for file in _files_below(folder)]


def _stream(path: Path) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else path.open("rb")


def _files_below(folder: Path) -> list[Path]:
    inside = (path for path in folder.rglob("*") if path.is_file())
    return sorted(p for p in inside if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def _unpacker(file: SourceFile) -> Callable[[Path], None] | None:
    """What unpacks the file into a folder, if it is an archive of files; NumPy's and torch's zip files are not."""
    start = file.head(512)
    if start[257:262] == b"ustar":
        return lambda folder: _unpack_tar(file, folder)
    if not start.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(file.path) as archive:
            names = archive.namelist()
    except READ_ERRORS:
        return None  # an importer will say that it is damaged
    if any(name.endswith((".npy", "/data.pkl")) for name in names):
        return None
    return lambda folder: _unpack_zip(file, folder)


def _unpack_tar(file: SourceFile, folder: Path) -> None:
    with naming(file), file.open() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        archive.extractall(folder, filter="data")


def _unpack_zip(file: SourceFile, folder: Path) -> None:
    with naming(file), zipfile.ZipFile(file.path) as archive:
        archive.extractall(folder)
