"""Networks trained offline: the limit that predictors are measured against.

For each layer a network of its own, with one hidden layer, learns from the first half of a trace which experts follow
which context, and is frozen then. Trained with Adam (Kingma and Ba, ICLR 2015) on the cross-entropy of each expert.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.weight_rules import Source

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NetworkRecipe:
    """What a network sees and how it is trained.

    `sources` are sets of experts selected before, as in `WeightRules`, but any (layers back, 0) and (0, tokens back).
    Of more than `most_tokens` tokens it learns from the last so many. `dropout` is the share of hidden units that a
    batch leaves out; the rate of learning falls to 0 in a line.
    """

    sources: tuple[Source, ...]
    most_tokens: int = 20_000
    hidden: int = 384
    epochs: int = 12
    batch: int = 128
    rate: float = 4e-3
    dropout: float = 0.5
    seed: int = 1

    def document(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def network_ranking(
    first: tuple[NDArray[np.uint16], NDArray[np.bool_]],
    second: tuple[NDArray[np.uint16], NDArray[np.bool_]],
    n_experts: int,
    recipe: NetworkRecipe,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.uint16]:
    """Train on the `first` half (experts [T, L, K], sequence starts [T]) and rank all experts of the `second`'s events.

    Returns [T, L, E]; ties go to the lower expert. `show` is called with layers done and layers in all.
    """
    experts, starts = second
    shown, shown_starts = first[0][-recipe.most_tokens :], first[1][-recipe.most_tokens :]
    n_layers = experts.shape[1]
    ranked = np.empty((*experts.shape[:2], n_experts), np.uint16)
    for layer in range(n_layers):
        show(layer, n_layers)
        network = _Network(recipe, n_experts, seed=recipe.seed + layer)
        context = _context(shown, shown_starts, layer, n_experts, recipe.sources)
        network.train(context, _multi_hot(shown[:, layer], n_experts))
        scores = network.scores(_context(experts, starts, layer, n_experts, recipe.sources))
        ranked[:, layer] = np.argsort(-scores, axis=1, kind="stable")
    return ranked


def _context(
    experts: NDArray[np.uint16], starts: NDArray[np.bool_], layer: int, n_experts: int, sources: tuple[Source, ...]
) -> Floats:
    """Return [T, sources x E]: what each source of `layer` selected, nothing where that was another sequence."""
    n_tokens, n_layers, _ = experts.shape
    position = np.arange(n_tokens) - np.maximum.accumulate(np.where(starts, np.arange(n_tokens), 0))
    parts = []
    for layers_back, tokens_back in sources:
        wraps, origin = divmod(layer - layers_back, n_layers)
        back = tokens_back - wraps
        part = np.zeros((n_tokens, n_experts), np.float32)
        part[back:] = _multi_hot(experts[: n_tokens - back, origin], n_experts)
        part[position < back] = 0
        parts.append(part)
    return np.concatenate(parts, axis=1)


def _multi_hot(experts: NDArray[np.uint16], n_experts: int) -> Floats:
    """Return [T, E]: 1 for each of `experts` [T, K]."""
    found = np.zeros((len(experts), n_experts + 1), np.float32)
    np.put_along_axis(found, np.minimum(experts, n_experts).astype(np.intp), 1, axis=1)
    return found[:, :n_experts]


class _Network:
    """One hidden layer of rectified linear units, and an output for each expert."""

    def __init__(self, recipe: NetworkRecipe, n_experts: int, *, seed: int):
        self._recipe = recipe
        self._random = np.random.default_rng(seed)
        n_inputs, hidden = len(recipe.sources) * n_experts, recipe.hidden
        self._parameters: list[Floats] = [
            self._drawn(n_inputs, hidden), np.zeros(hidden, np.float32),
            self._drawn(hidden, n_experts), np.zeros(n_experts, np.float32),
        ]  # fmt: skip
        self._means = [np.zeros_like(values) for values in self._parameters]
        self._squares = [np.zeros_like(values) for values in self._parameters]

    def _drawn(self, n_from: int, n_to: int) -> Floats:
        return self._random.normal(0, np.sqrt(2 / n_from), (n_from, n_to)).astype(np.float32)

    def scores(self, context: Floats) -> Floats:
        """Return a score for each expert."""
        into, into_bias, out, out_bias = self._parameters
        return np.maximum(context @ into + into_bias, 0) @ out + out_bias

    def train(self, context: Floats, selected: Floats) -> None:
        """Learn which experts were selected in which context."""
        recipe = self._recipe
        batches = max(1, len(context) // recipe.batch)
        total = recipe.epochs * batches
        order = np.arange(len(context))
        for step in range(total):
            if step % batches == 0:
                order = self._random.permutation(len(context))
            chosen = order[step % batches :: batches]
            self._descend(self._gradients(context[chosen], selected[chosen]), step + 1, 1 - step / total)

    def _gradients(self, context: Floats, selected: Floats) -> list[Floats]:
        into, into_bias, out, out_bias = self._parameters
        hidden: Any = np.maximum(context @ into + into_bias, 0)
        kept = self._random.random(hidden.shape, np.float32) >= self._recipe.dropout
        mask = kept.astype(np.float32) / np.float32(1 - self._recipe.dropout)
        hidden *= mask
        probability: Any = 1 / (1 + np.exp(-(hidden @ out + out_bias)))
        error = (probability - selected) / np.float32(len(context))
        error_hidden = (error @ out.T) * mask * (hidden > 0)
        return [context.T @ error_hidden, error_hidden.sum(axis=0), hidden.T @ error, error.sum(axis=0)]

    def _descend(self, gradients: list[Floats], step: int, share: float) -> None:
        rate = np.float32(self._recipe.rate * share * np.sqrt(1 - 0.999**step) / (1 - 0.9**step))
        for values, gradient, mean, square in zip(self._parameters, gradients, self._means, self._squares, strict=True):
            mean += np.float32(0.1) * (gradient - mean)
            square += np.float32(0.001) * (gradient * gradient - square)
            values -= rate * mean / (np.sqrt(square) + np.float32(1e-8))
