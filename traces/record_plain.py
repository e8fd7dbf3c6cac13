"""Plain decoding of a batch of sequences with a KV cache, one token a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .format import DECODE, PREFILL
from .record_rows import Rows, captured_rows, take_rows
from .record_tap import RouterTap


@dataclass
class _Sequence:
    """A sequence being decoded: its prompt, and the generator that draws its tokens."""

    ids: list[int]
    generator: torch.Generator
    ended: bool = False


class PlainDecoder:
    """Decodes batches; `temperature` 0 is greedy, otherwise each sequence draws from its own generator.

    Prompts of a batch are padded on the left, and the padding is masked: a sequence's rows do not depend on
    its neighbours (but for rounding).
    """

    def __init__(self, model: Any, tap: RouterTap, temperature: float, top_k: int):
        self._model, self._tap = model, tap
        self._temperature, self._top_k = temperature, top_k
        self._device = next(model.parameters()).device

    @torch.no_grad()
    def decode(
        self, prompts: Sequence[list[int]], limit: int, seeds: Sequence[int], ends: set[int]
    ) -> Iterator[tuple[int, Rows]]:
        """Yield (index in the batch, rows): the prefill's rows of each sequence, then one decode row at a time.

        A sequence has at most `limit` decode rows, fewer where the model ends it with one of `ends`.
        """
        batch = [_Sequence(ids, torch.Generator().manual_seed(seed)) for ids, seed in zip(prompts, seeds, strict=True)]
        width = max(len(s.ids) for s in batch)
        mask = torch.tensor([[0] * (width - len(s.ids)) + [1] * len(s.ids) for s in batch])
        tokens = torch.tensor([[0] * (width - len(s.ids)) + s.ids for s in batch])
        output = self._forward(tokens, mask, None)
        rows = self._rows(tokens.flatten(), PREFILL)
        for index, sequence in enumerate(batch):
            end = (index + 1) * width
            yield index, take_rows(rows, slice(end - len(sequence.ids), end))
        for _ in range(limit):
            pairs = zip(batch, output.logits[:, -1], strict=True)
            chosen = torch.tensor([[self._choose(sequence, logits, ends)] for sequence, logits in pairs])
            if all(sequence.ended for sequence in batch):
                return
            mask = torch.cat([mask, torch.ones(len(batch), 1, dtype=mask.dtype)], dim=1)
            output = self._forward(chosen, mask, output.past_key_values)
            rows = self._rows(chosen.flatten(), DECODE)
            for index, sequence in enumerate(batch):
                if not sequence.ended:
                    yield index, take_rows(rows, slice(index, index + 1))

    def _forward(self, tokens: Tensor, mask: Tensor, cache: Any) -> Any:
        """Run the model on the batch's next tokens; `mask` [batch, all tokens so far] is 0 for padding."""
        padded: dict[str, Tensor] = {}
        if not mask.all():
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
            padded = {"attention_mask": mask.to(self._device), "position_ids": positions.to(self._device)}
        return self._model(input_ids=tokens.to(self._device), past_key_values=cache, use_cache=True, **padded)

    def _choose(self, sequence: _Sequence, logits: Tensor, ends: set[int]) -> int:
        """Return the sequence's next token, and note its end; an ended one goes on with a token nobody keeps."""
        if not sequence.ended:
            token = next_token(logits, self._temperature, sequence.generator)
            sequence.ended = token in ends
            if not sequence.ended:
                return token
        return 0

    def _rows(self, tokens: Tensor, phase: int) -> Rows:
        captured = captured_rows(self._tap.take(), self._top_k, self._tap.n_hints)
        phases = np.full(len(tokens), phase, np.uint8)
        return {"phase": phases, "token": tokens.numpy().astype(np.int32)} | captured


def next_token(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    """Return the best token, or one drawn at `temperature` (on the CPU, so that every device draws alike)."""
    if temperature == 0:
        return int(logits.argmax())
    probabilities = (logits.float().cpu() / temperature).softmax(-1)
    return int(torch.multinomial(probabilities, 1, generator=generator))
