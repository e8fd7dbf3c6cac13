"""Loss of a language model on texts: what a change of its routing costs in quality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from .errors import UserError
from .record_checkpoint import position_count


@torch.no_grad()
def text_loss(model: Any, texts: Sequence[Sequence[int]]) -> tuple[float, int]:
    """Return the mean cross-entropy in nats of every token after the first of each text, and their number.

    Texts (token ids) are cut to the model's positions. Raises UserError if no text has two tokens.
    """
    device = next(model.parameters()).device
    positions = position_count(model)
    total, count = 0.0, 0
    for ids in texts:
        tokens = torch.tensor([list(ids[:positions])], device=device)
        if tokens.shape[1] < 2:
            continue
        logits = model(input_ids=tokens, use_cache=False).logits[0, :-1].float()
        total += float(functional.cross_entropy(logits, tokens[0, 1:].to(logits.device), reduction="sum"))
        count += len(logits)
    if not count:
        raise UserError("validation: no text of two tokens or more")
    return total / count, count
