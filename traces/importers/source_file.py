"""One file of a source: its bytes decompressed, its lines, and errors that name it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from ..errors import UserError

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
COPY_BYTES = 1 << 20
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
        with naming(self):
            raw = self.path.open("rb")
            decompress = _decompressor(raw)
            stream = raw if decompress is None else decompress(raw)
        return io.BufferedReader(_Checked(self, raw, stream), COPY_BYTES)

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
                while done < n_bytes and (piece := stream.read(COPY_BYTES)):
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
            with naming(self):
                raw = stack.enter_context(self.path.open("rb"))
            if _decompressor(raw) is None:
                yield stack.enter_context(io.BufferedReader(_Seekable(self, raw), COPY_BYTES))
            else:
                spooled = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(stack.enter_context(self.open()), spooled, COPY_BYTES)
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
        with naming(self._file):
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


class _Seekable(io.RawIOBase):
    """A file that can be read in any order, whose progress is told in bytes read."""

    def __init__(self, file: SourceFile, raw: IO[bytes]) -> None:
        self._file, self._raw = file, raw

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._file.on_bytes(len(data))
        return len(data)


def _decompressor(raw: IO[bytes]) -> Callable[[Any], Any] | None:
    start = raw.read(8)
    raw.seek(0)
    return next((decompress for magic, decompress in _DECOMPRESSORS if start.startswith(magic)), None)


@contextmanager
def naming(file: SourceFile) -> Iterator[None]:
    """Turn what reading a damaged file raises into a UserError that names the file."""
    try:
        yield
    except READ_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{file}: cannot be read (truncated?): {' '.join(str(reason).split())}") from error
