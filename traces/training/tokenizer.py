"""Tokenizer: byte-level BPE trained on the training split, and the corpus as token arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .corpus import DOMAINS, Document

END_OF_TEXT = "<|endoftext|>"
VOCABULARY = 2048


def train_tokenizer(documents: list[Document]) -> Tokenizer:
    """Return a byte-level BPE of `VOCABULARY` entries, trained on the documents that are not held out.

    Both domains weigh the same: the larger one is cut to the size of the smaller.
    """
    texts = {d: [x.text for x in documents if x.domain == d and not x.held_out] for d in DOMAINS}
    limit = min(sum(map(len, t)) for t in texts.values())
    sample: list[str] = []
    for domain in DOMAINS:
        left = limit
        for text in texts[domain]:
            sample.append(text[:left])
            left -= len(sample[-1])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample, trainer)
    return tokenizer


def encode_split(tokenizer: Tokenizer, documents: list[Document]) -> dict[str, NDArray[np.uint16]]:
    """Return token streams `{prose,code}_{train,held_out}`, documents in order, each ended by END_OF_TEXT."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    streams: dict[str, NDArray[np.uint16]] = {}
    for domain in DOMAINS:
        for split, held_out in (("train", False), ("held_out", True)):
            texts = [d.text for d in documents if d.domain == domain and d.held_out == held_out]
            parts = [np.asarray([*e.ids, end], dtype=np.uint16) for e in tokenizer.encode_batch(texts)]
            streams[f"{domain}_{split}"] = np.concatenate(parts)
    return streams


def save_tokens(path: Path, streams: dict[str, NDArray[np.uint16]]) -> None:
    """Store the token streams in one `.npz`."""
    with path.open("wb") as file:
        np.savez(file, **streams)  # pyright: ignore[reportArgumentType]
