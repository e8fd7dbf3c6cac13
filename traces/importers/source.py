"""Sources of an import: files, folders, compressed files, archives and standard input, read as one."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import shutil
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from ..errors import UserError

STANDARD_INPUT = Path("-")
READ_ERRORS = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
READ_ERRORS += (NotImplementedError, RuntimeError, IndexError, KeyError, struct.error)
"""What reading a damaged or foreign file raises; ArrowInvalid is a ValueError."""

_DECOMPRESSORS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", lambda raw: pa.CompressedInputStream(raw, "zstd")),
    (b"\x04\x22\x4d\x18", lambda raw: pa.CompressedInputStream(raw, "lz4")),
)
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4")
_COPY_BYTES = 1 << 20
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class SourceFile:
    """One file of a source; as text it is the name that the user knows it by."""

    path: Path
    shown: str
    on_bytes: Callable[[int], None]

    def __str__(self) -> str:
        return self.shown

    @property
    def name(self) -> str:
        """The file's own name, without the suffix of its compression."""
        name = self.path.name
        return name.rpartition(".")[0] if name.endswith(_COMPRESSED) else name

    def open(self) -> io.BufferedReader:
        """Its bytes, decompressed; reading raises UserError where they are damaged."""
        with _naming(self):
            raw = self.path.open("rb")
            decompress = _decompressor(raw)
            stream = raw if decompress is None else decompress(raw)
        return io.BufferedReader(_Checked(self, raw, stream), _COPY_BYTES)

    def head(self, n_bytes: int = 4096) -> bytes:
        """The first bytes, decompressed; none of what cannot be read."""
        try:
            with self.open() as stream:
                return stream.read(n_bytes)
        except UserError:
            return b""

    def contains(self, text: bytes, n_bytes: int = 16 << 20) -> bool:
        """Whether the first bytes hold `text`; read piece by piece."""
        try:
            with self.open() as stream:
                tail, done = b"", 0
                while done < n_bytes and (piece := stream.read(_COPY_BYTES)):
                    if text in tail + piece:
                        return True
                    tail, done = piece[-len(text) :], done + len(piece)
        except UserError:
            pass
        return False

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Numbered lines without their ends; UserError if the last one has no end, as in a truncated file."""
        for first, block in self.line_blocks():
            yield from enumerate(block[:-1].split(b"\n"), first)

    def line_blocks(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines in blocks of some megabytes, each with the number of its first; UserError as `lines`."""
        number = 1
        with self.open() as stream:
            while block := stream.read(_BLOCK_BYTES):
                block = (block + stream.readline()).replace(b"\r\n", b"\n")
                if not block.endswith(b"\n"):
                    line = number + block.count(b"\n")
                    raise UserError(f"{self}: ends inside line {line}: the file is truncated")
                yield number, block
                number += block.count(b"\n")

    @contextmanager
    def seekable(self) -> Iterator[IO[bytes]]:
        """Its bytes, decompressed, as a stream that can be read in any order."""
        with ExitStack() as stack:
            with _naming(self):
                raw = stack.enter_context(self.path.open("rb"))
            if _decompressor(raw) is None:
                yield raw
                self.on_bytes(self.path.stat().st_size)
            else:
                spooled = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(stack.enter_context(self.open()), spooled, _COPY_BYTES)
                spooled.seek(0)
                yield spooled


class _Checked(io.RawIOBase):
    """A stream whose errors name the file, and whose progress is told in bytes of the file on disk."""

    def __init__(self, file: SourceFile, raw: IO[bytes], stream: Any) -> None:
        self._file, self._raw, self._stream = file, raw, stream
        self._told = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _naming(self._file):
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        place = self._raw.tell() if not self._raw.closed else self._told
        self._file.on_bytes(place - self._told)
        self._told = place
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class Source:
    """The files of an import, in order; as text, what the user asked for."""

    def __init__(self, shown: str, files: Sequence[SourceFile], *, is_folder: bool) -> None:
        self.shown = shown
        self.files = tuple(files)
        self.is_folder = is_folder

    def __str__(self) -> str:
        return self.shown

    @property
    def name(self) -> str:
        """Its own name, without folders: what a trace's provenance keeps."""
        return ", ".join(Path(name).name for name in self.shown.split(", ")) or self.shown

    def choose(self, suffixes: Sequence[str]) -> tuple[SourceFile, ...]:
        """The files of a folder with one of these suffixes; of anything else all files, whatever their names."""
        if not self.is_folder:
            return self.files
        return tuple(file for file in self.files if file.name.endswith(tuple(suffixes)))


def digest_of(files: Sequence[SourceFile]) -> str:
    """SHA-256 of the files' bytes as they lie on disk, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with _naming(file), file.path.open("rb") as stream:
            while piece := stream.read(_COPY_BYTES):
                digest.update(piece)
    return digest.hexdigest()


@contextmanager
def opened_source(paths: Sequence[Path], on_bytes: Callable[[int, int], None] | None = None) -> Iterator[Source]:
    """The files of `paths`: files, folders with all below them, archives (tar, zip), or `-` for standard input.

    Archives and standard input are unpacked into a temporary folder, removed at the end, so that memory stays
    bounded. `on_bytes(done, total)` is told the progress. Raises UserError for what does not exist or is damaged.
    """
    with ExitStack() as stack:
        found = [entry for path in paths for entry in _entries(path, stack)]
        if not found:
            raise UserError(f"{_shown(paths)}: holds no files: must hold one or more")
        total, done = sum(path.stat().st_size for path, _ in found), 0

        def tell(n_bytes: int) -> None:
            nonlocal done
            done += n_bytes
            if on_bytes is not None:
                on_bytes(min(done, total), total)

        files = [SourceFile(path, shown, tell) for path, shown in found]
        single = len(paths) == 1 and len(files) == 1 and files[0].shown == _shown(paths)
        yield Source(_shown(paths), files, is_folder=not single)


def _shown(paths: Sequence[Path]) -> str:
    return ", ".join("standard input" if path == STANDARD_INPUT else str(path) for path in paths)


def _entries(path: Path, stack: ExitStack) -> list[tuple[Path, str]]:
    shown = _shown([path])
    if path == STANDARD_INPUT:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moefetch-"))) / "stdin"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy, _COPY_BYTES)
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
    with _naming(file), file.open() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        archive.extractall(folder, filter="data")


def _unpack_zip(file: SourceFile, folder: Path) -> None:
    with _naming(file), zipfile.ZipFile(file.path) as archive:
        archive.extractall(folder)


def _decompressor(raw: IO[bytes]) -> Callable[[Any], Any] | None:
    start = raw.read(8)
    raw.seek(0)
    return next((decompress for magic, decompress in _DECOMPRESSORS if start.startswith(magic)), None)


@contextmanager
def _naming(file: SourceFile) -> Iterator[None]:
    try:
        yield
    except READ_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{file}: cannot be read (truncated?): {' '.join(str(reason).split())}") from error
