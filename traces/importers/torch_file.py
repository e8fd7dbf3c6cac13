"""Reader of `torch.save` files that needs no torch and runs no code: tensors, containers and plain values.

Such a file is a zip archive with a pickle `<name>/data.pkl` and a raw file `<name>/data/<key>` per storage
(torch.serialization). The pickle may name only what rebuilds a tensor; a tensor's bytes are read when it is asked for.
"""

from __future__ import annotations

import math
import pickle
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ShortStorage": "<i2",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
    "BoolStorage": "?",
}
_ERRORS = (pickle.UnpicklingError, zipfile.BadZipFile, KeyError, EOFError, AttributeError, TypeError)
_ERRORS += (ValueError, IndexError, OSError, RuntimeError, MemoryError, OverflowError, zlib.error)


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in the file; `read` gives its values, bfloat16 as float32."""

    archive: zipfile.ZipFile
    member: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> NDArray[Any]:
        """The values; UserError if the file does not hold them all."""
        try:
            raw = self.archive.read(self.member)
            flat = np.frombuffer(raw, "<u2" if self.dtype == "bfloat16" else self.dtype)
            if self.dtype == "bfloat16":
                flat = (flat.astype(np.uint32) << 16).view(np.float32)
            last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
            if math.prod(self.shape) and not 0 <= last < len(flat):
                raise ValueError(f"a tensor of shape {list(self.shape)} in {len(flat)} values")
            strides = tuple(s * flat.itemsize for s in self.stride)
            return np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides, writeable=False).copy()
        except _ERRORS as error:
            raise UserError(f"{self.archive.filename}: {self.member}: {error}: the file is damaged") from error


def is_torch_file(stream: IO[bytes]) -> bool:
    """Whether the stream is a zip archive with a pickle as `torch.save` makes it."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def load_torch_file(shown: object, stream: IO[bytes]) -> Any:
    """The saved object, with `StoredTensor`s that read from `stream`; UserError naming `shown` if it is none."""
    try:
        archive = zipfile.ZipFile(stream)
        archive.filename = str(shown)
        pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if pickled is None:
            raise ValueError("no data.pkl in it")
        prefix = pickled.removesuffix("data.pkl")
        if f"{prefix}byteorder" in archive.namelist() and archive.read(f"{prefix}byteorder") != b"little":
            raise ValueError("it is not little-endian")
        with archive.open(pickled) as file:
            return _Unpickler(file, archive, prefix).load()
    except _ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{shown}: not a file of torch.save with plain tensors (truncated?): {reason}") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(file)
        self._archive, self._prefix = archive, prefix

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch._tensor", "_rebuild_from_type_v2"): lambda rebuild, _type, given, _state: rebuild(*given),
            ("torch", "Tensor"): None,  # types that are named and not made
            ("torch.nn.parameter", "Parameter"): None,
            ("torch.nn.parameter", "Buffer"): None,
        }
        if (module, name) in known:
            return known[module, name]
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it holds {module}.{name}: save plain tensors, lists and dicts")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, *_ = pid
        if kind != "storage" or not isinstance(dtype, str):
            raise pickle.UnpicklingError("unknown storage")
        return (f"{self._prefix}data/{key}", dtype)

    def _tensor(self, storage: tuple[str, str], offset: int, shape: Any, stride: Any, *_: Any) -> StoredTensor:
        member, dtype = storage
        return StoredTensor(self._archive, member, dtype, int(offset), tuple(shape), tuple(stride))
