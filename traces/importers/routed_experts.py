"""Arrays of routed experts as servers return them: nested lists, base64 of an .npy file, or base64 with a shape."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .base import integers
from .npz_array import ARRAY_ERRORS


def routed_experts(where: object, value: Any) -> NDArray[np.int64]:
    """[T, L, K] ids of one field of a response; UserError naming `where` if it is none of the three encodings."""
    if isinstance(value, list):
        return integers(where, value, 3, "tokens' layers or experts")
    if isinstance(value, dict):
        return _with_shape(where, value)
    raw = from_base64(where, value)
    try:
        array = np.load(io.BytesIO(raw), allow_pickle=False)
    except ARRAY_ERRORS as error:
        raise UserError(f"{where}: not base64 of an .npy file: {error}") from error
    return integers(where, array, 3, "tokens' layers or experts")


def from_base64(where: object, value: Any) -> bytes:
    """The bytes of a base64 text; UserError naming `where` if it is none."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise UserError(f"{where}: not base64 (truncated?): {error}") from error


def _with_shape(where: object, value: dict[str, Any]) -> NDArray[np.int64]:
    try:
        raw = from_base64(where, value["data"])
        array = np.frombuffer(raw, np.dtype(value["dtype"])).reshape(value["shape"])
    except ARRAY_ERRORS as error:
        raise UserError(f"{where}: {error}: must have data, shape and dtype that fit") from error
    return integers(where, array, 3, "tokens' layers or experts")


def without_dense_layers(where: object, experts: NDArray[np.int64], layers: tuple[int, ...]) -> NDArray[np.int64]:
    """The given layers of [T, L, K]; UserError if there are not so many."""
    if layers and layers[-1] >= experts.shape[1]:
        raise UserError(
            f"{where}: {experts.shape[1]} layers: must be at least {layers[-1] + 1} as in the first request"
        )
    return experts[:, list(layers)]
