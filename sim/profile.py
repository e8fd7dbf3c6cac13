"""Offline profile of co-selection: the initial rows of ST-MoE's cross-layer correlation table."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..traces.atomic import replacing
from ..traces.errors import UserError
from ..traces.format import ABSENT

CHUNK_TOKENS = 4096
"""Tokens counted at once: bounds memory, and keeps a chunk's counts exact in float32 (under 2**24)."""


@dataclass(frozen=True)
class Profile:
    """Rows of the table for each layer pair: `rows` [L, E, k] uint16.

    `rows[l, e]` holds the k distinct experts of layer (l+1) mod L that were most often selected together with
    expert e of layer l; the last pair wraps to layer 0 of the next token of the same sequence. Every entry
    starts at confidence 2.
    """

    rows: NDArray[np.uint16]

    def __post_init__(self) -> None:
        if self.rows.ndim != 3 or self.rows.dtype != np.uint16 or 0 in self.rows.shape:
            raise ValueError(f"rows must be uint16 [L, E, k], not {self.rows.dtype} {self.rows.shape}")
        _, n_experts, length = self.rows.shape
        if length > n_experts:
            raise ValueError(f"a row of {length} entries cannot hold distinct experts of {n_experts}")
        if int(self.rows.max()) >= n_experts:
            raise ValueError(f"expert {int(self.rows.max())} is not in 0 to {n_experts - 1}")
        if (np.diff(np.sort(self.rows, axis=2).astype(np.int32), axis=2) == 0).any():
            raise ValueError("a row holds the same expert twice")

    @classmethod
    def count(
        cls, experts: NDArray[Any], sequence_start: NDArray[np.bool_], n_experts: int, row_length: int
    ) -> "Profile":
        """Count co-selections over the tokens of a profiling part and keep the most frequent.

        `experts` is [T, L, K] ids in decode order (0xFFFF for an absent one), `sequence_start` [T] marks each
        sequence's first token. Ties go to the lower id; a row never seen takes the target layer's most
        selected experts. Raises ValueError when there is no token.
        """
        if len(experts) == 0:
            raise ValueError("a profile needs at least one token")
        n_layers = experts.shape[1]
        rows = np.empty((n_layers, n_experts, row_length), np.uint16)
        for layer in range(n_layers):
            following = (layer + 1) % n_layers
            pairs, popularity = _count_pair(experts, sequence_start, n_experts, layer, following)
            pairs[pairs.sum(axis=1) == 0] = popularity
            rows[layer] = np.argsort(-pairs, axis=1, kind="stable")[:, :row_length]
        return cls(rows)

    def save(self, path: str | Path) -> None:
        """Write the profile as a compressed .npz; the file appears whole or not at all."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, st_moe_rows=self.rows)

    @classmethod
    def load(cls, path: str | Path) -> "Profile":
        """Read a profile that `save` wrote; raises UserError for any other file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(file["st_moe_rows"])
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not a profile (.npz with st_moe_rows uint16 [L, E, k]): {error}") from error


def _count_pair(
    experts: NDArray[Any], sequence_start: NDArray[np.bool_], n_experts: int, layer: int, following: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the co-selections [E, E] of a layer pair and the selections [E] of its second layer."""
    wraps = following <= layer
    pairs = np.zeros((n_experts, n_experts), np.int64)
    popularity = np.zeros(n_experts, np.int64)
    for start in range(0, len(experts), CHUNK_TOKENS):
        chunk = slice(start, start + CHUNK_TOKENS)
        selected = _one_hot(experts[chunk, following], n_experts)
        popularity += selected.sum(axis=0).astype(np.int64)
        if wraps:  # the token before each; the trace's first token has none
            begin = max(start, 1)
            source = _one_hot(experts[begin - 1 : start + CHUNK_TOKENS - 1, layer], n_experts)
            source = source[: len(experts) - begin]
            source[sequence_start[begin : start + CHUNK_TOKENS]] = 0
            selected = selected[begin - start :]
        else:
            source = _one_hot(experts[chunk, layer], n_experts)
        pairs += (source.T @ selected).astype(np.int64)
    return pairs, popularity


def _one_hot(members: NDArray[Any], n_experts: int) -> NDArray[np.float32]:
    """Return [T, E] ones where a token selected an expert; `members` is [T, K] with absent ids left out."""
    table = np.zeros((len(members), n_experts), np.float32)
    tokens, places = np.nonzero(members != ABSENT)
    table[tokens, members[tokens, places]] = 1
    return table
