"""Offline profile of the weight predictor: the tables that it starts from."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.weight_rules import WeightRules
from ..traces.atomic import replacing
from ..traces.errors import UserError

PASSES = 2
"""Passes over the profiling tokens; more gain nothing."""


@dataclass(frozen=True)
class WeightProfile:
    """Tables int8 [L, sources, E, E] for predictors of `rules`."""

    rules: WeightRules
    tables: NDArray[np.int8]

    def __post_init__(self) -> None:
        if self.tables.ndim != 4 or self.tables.dtype != np.int8 or 0 in self.tables.shape:
            raise ValueError(f"tables must be int8 [L, sources, E, E], not {self.tables.dtype} {self.tables.shape}")
        if self.tables.shape[1] != len(self.rules.sources) or self.tables.shape[2] != self.tables.shape[3]:
            raise ValueError(f"tables {self.tables.shape} are not [L, {len(self.rules.sources)} sources, E, E]")
        if self.tables.min() < self.rules.lowest or self.tables.max() > self.rules.highest:
            raise ValueError(f"a weight is not in {self.rules.lowest} to {self.rules.highest}")

    @classmethod
    def train(
        cls, experts: NDArray[Any], sequence_start: NDArray[np.bool_], n_experts: int, rules: WeightRules
    ) -> "WeightProfile":
        """Run the predictor itself over the tokens of a profiling part, `PASSES` times.

        `experts` is [T, L, K] ids in decode order (0xFFFF for an absent one), `sequence_start` [T] marks each
        sequence's first token. Logistic regression on the same tokens, quantised, gives no better start: see
        docs/predictors.md. Raises ValueError when there is no token.
        """
        if len(experts) == 0:
            raise ValueError("a profile needs at least one token")
        from .named_by_weights import weights  # here, as it compiles when first asked for

        tables = None
        for _ in range(PASSES):
            _, tables = weights(np.asarray(experts), sequence_start, n_experts, rules, 0, tables=tables)
        assert tables is not None
        return cls(rules, tables)

    def save(self, path: str | Path) -> None:
        """Write the profile as a compressed .npz; the file appears whole or not at all."""
        sources = np.array(self.rules.sources, np.int8)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, weight_tables=self.tables, weight_sources=sources,
                weight_bits=np.int8(self.rules.bits), weight_ahead=np.int8(self.rules.ahead),
            )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> "WeightProfile":
        """Read a profile that `save` wrote; raises UserError for any other file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                sources = tuple((int(layers), int(tokens)) for layers, tokens in file["weight_sources"])
                rules = WeightRules(sources, int(file["weight_bits"]), int(file["weight_ahead"]))
                return cls(rules, file["weight_tables"])
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not a profile of predictor weights (.npz): {error}") from error
