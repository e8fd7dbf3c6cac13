"""Speculative decoding: a draft model proposes tokens, the target verifies them greedily, in windows.

A window is one forward pass of the target over its own last token and the drafted tokens after it. A drafted
token is accepted if it is the target's most likely one after everything before it, so that the accepted tokens
are the ones that the target alone would decode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from .format import DECODE, PREFILL
from .record_draft import DraftPredictor
from .record_router import Selection
from .record_rows import Rows, captured_rows, expert_rows
from .record_tap import RouterTap

OUTSIDE = -1
"""Window number of a row that no window verified."""


@dataclass
class _Reader:
    """A model with its cache: `length` tokens of the text are in it; it chooses among `vocabulary` tokens.

    The cache keeps every position even where a model attends to the last ones alone, so that rejected ones can
    be taken back (transformers' `crop` with a negative number).
    """

    model: Any
    vocabulary: int
    cache: Any = field(default_factory=DynamicCache)
    length: int = 0

    def read(self, tokens: list[int]) -> list[int]:
        """Read tokens; return the most likely next token after each."""
        device = next(self.model.parameters()).device
        output = self.model(input_ids=torch.tensor([tokens], device=device), past_key_values=self.cache, use_cache=True)
        self.length += len(tokens)
        return output.logits[0, :, : self.vocabulary].argmax(-1).tolist()

    def forget_after(self, length: int) -> None:
        """Take the positions from `length` on out of the cache."""
        if self.length <= length:
            return
        self.cache.crop(length - self.length)
        self.length = length


class SpeculativeDecoder:
    """Decodes one sequence after another and yields their rows.

    The draft's `length` tokens are drafted for a window, fewer where the text would pass its limit or the draft
    ends it. Both models choose among the token ids that both have: vocabularies may be padded differently.
    """

    def __init__(self, model: Any, tap: RouterTap, predictor: DraftPredictor, top_k: int):
        self._model, self._tap, self._predictor = model, tap, predictor
        self._draft = predictor.draft
        self._top_k = top_k
        self._vocabulary = min(m.config.get_text_config().vocab_size for m in (model, self._draft.model))
        self._windows = 0

    @torch.no_grad()
    def decode(
        self, prompts: Sequence[list[int]], limit: int, seeds: Sequence[int], ends: set[int]
    ) -> Iterator[tuple[int, Rows]]:
        """Yield (0, rows) of the one prompt: the prefill's, then those of each window, rejected ones too.

        `limit` accepted rows are decoded, fewer where the target ends the text with one of `ends`;
        decoding is greedy and has no use for `seeds`.
        """
        (ids,) = prompts
        target, draft = _Reader(self._model, self._vocabulary), _Reader(self._draft.model, self._vocabulary)
        text = [*ids, target.read(ids)[-1]]
        yield 0, self._rows(ids, 0, PREFILL, OUTSIDE, len(ids), [])
        last = len(ids) + limit
        while len(text) <= last and text[-1] not in ends:
            start = len(text) - 1
            drafted, predictions = self._propose(draft, text, min(self._draft.length, last - len(text)), ends)
            tokens = [text[-1], *drafted]
            best = target.read(tokens)
            accepted = next((i for i, token in enumerate(drafted) if token != best[i]), len(drafted))
            yield 0, self._rows(tokens, start, DECODE, self._windows, 1 + accepted, predictions)
            self._windows += 1
            text += [*drafted[:accepted], best[accepted]]
            for reader in (target, draft):
                reader.forget_after(len(text) - 1)

    def _propose(
        self, draft: _Reader, text: list[int], count: int, ends: set[int]
    ) -> tuple[list[int], list[list[Selection | None]]]:
        """Return at most `count` drafted tokens, and the predictions for each token that the draft read for it."""
        drafted: list[int] = []
        predictions: list[list[Selection | None]] = []
        unread = text[draft.length :]
        while len(drafted) < count:
            token = draft.read(unread)[-1]
            predictions.append(self._predictor.predict())
            if token in ends:
                break
            drafted.append(token)
            unread = [token]
        return drafted, predictions

    def _rows(
        self,
        tokens: list[int],
        start: int,
        phase: int,
        window: int,
        kept: int,
        predictions: list[list[Selection | None]],
    ) -> Rows:
        """Return the rows of the target's last pass, over tokens from position `start`; the first `kept` stayed."""
        count = len(tokens)
        nothing: list[Selection | None] = [None] * len(self._tap.routers)
        padded = predictions + [nothing] * (count - len(predictions))
        predicted = [expert_rows(p, 1, self._predictor.n_hints) for p in padded]
        return {
            "position": np.arange(start, start + count, dtype=np.int32),
            "phase": np.full(count, phase, np.uint8),
            "token": np.asarray(tokens, np.int32),
            **captured_rows(self._tap.take(), self._top_k, self._tap.n_hints),
            "window": np.full(count, window, np.int32),
            "accepted": np.arange(count) < kept,
            "draft_experts": np.concatenate(predicted),
        }
