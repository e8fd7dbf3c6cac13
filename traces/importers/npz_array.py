"""Arrays of a NumPy archive, read row by row, so that one larger than memory can be imported."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import UserError
from .source_file import SourceFile

ARRAY_ERRORS = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)
ARRAY_ERRORS += (SyntaxError, tokenize.TokenError, TypeError, MemoryError, OverflowError, RuntimeError)
"""What numpy, and reading, raises for a damaged array; its header is parsed as Python."""


class ArchivedArray:
    """One array of an archive, from its first row to its last; UserError naming file and array if it is damaged."""

    def __init__(self, file: SourceFile, name: str, stream: IO[bytes]) -> None:
        self._file, self._name, self._stream = file, name, stream
        try:
            version = npy.read_magic(stream)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            self.shape, is_columns_first, self.dtype = read_header(stream)
        except ARRAY_ERRORS as error:
            raise self._damaged(error) from error
        if self.dtype.hasobject or (is_columns_first and len(self.shape) > 1):
            raise UserError(f"{file}: {name}: {self.dtype}, in Fortran order or of objects: must be plain, in C order")

    def rows(self, n: int) -> NDArray[Any]:
        """The next n rows."""
        shape = (n, *self.shape[1:])
        return self._array(shape)

    def finish(self) -> None:
        """Read the end, so that the archive's checksum of the array is compared."""
        try:
            if self._stream.read(1):
                raise ValueError("more bytes than its shape states")
        except ARRAY_ERRORS as error:
            raise self._damaged(error) from error

    def all(self) -> NDArray[Any]:
        """The whole array; it must be small."""
        return self._array(self.shape)

    def _array(self, shape: tuple[int, ...]) -> NDArray[Any]:
        n_bytes = math.prod(shape) * self.dtype.itemsize
        try:
            raw = self._stream.read(n_bytes)
            if len(raw) < n_bytes:
                raise ValueError(f"{len(raw)} bytes where {n_bytes} must be")
            return np.frombuffer(raw, self.dtype).reshape(shape)
        except ARRAY_ERRORS as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split()) or type(error).__name__
        return UserError(f"{self._file}: not a readable NumPy archive (truncated?): {self._name}: {reason}")


def archived_arrays(file: SourceFile, stream: IO[bytes], stack: ExitStack) -> dict[str, ArchivedArray]:
    """The arrays of an archive by name; `stack` closes them. UserError if it is none."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(stream))
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        opened = {name.removesuffix(".npy"): stack.enter_context(archive.open(name)) for name in names}
    except ARRAY_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file}: not a readable NumPy archive (truncated?): {reason}") from error
    return {name: ArchivedArray(file, name, member) for name, member in opened.items()}
