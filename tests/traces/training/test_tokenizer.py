from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tokenizers", reason="training needs the `record` extra")

from moefetch.traces.training.corpus import Document
from moefetch.traces.training.tokenizer import (
    END_OF_TEXT,
    VOCABULARY,
    encode_split,
    save_tokens,
    train_tokenizer,
)


@pytest.fixture(scope="module")
def documents():
    prose = [Document("prose", f"prose/{i}", f"Chapter {i}. The sea was calm, and Zoë slept. " * 20) for i in range(40)]
    return prose + [Document("code", f"code/{i}", f"def f{i}(x):\n    return x * {i}\n" * 20) for i in range(40)]


def test_encoding_loses_nothing_and_ends_every_document(documents, tmp_path):
    tokenizer = train_tokenizer(documents)
    assert tokenizer.get_vocab_size() <= VOCABULARY
    streams = encode_split(tokenizer, documents)
    end = tokenizer.token_to_id(END_OF_TEXT)
    for domain in ("prose", "code"):
        for split, held_out in (("train", False), ("held_out", True)):
            texts = [d.text for d in documents if d.domain == domain and d.held_out == held_out]
            stream = streams[f"{domain}_{split}"]
            assert (stream == end).sum() == len(texts) > 0
            parts = np.split(stream, np.flatnonzero(stream == end) + 1)[:-1]
            assert [tokenizer.decode(p[:-1].tolist()) for p in parts] == texts
    save_tokens(tmp_path / "tokens.npz", streams)
    with np.load(tmp_path / "tokens.npz") as stored:
        np.testing.assert_array_equal(stored["code_train"], streams["code_train"])


def test_held_out_text_does_not_shape_the_vocabulary(documents):
    changed = [Document(d.domain, d.name, "qzx " * 300) if d.held_out else d for d in documents]
    assert train_tokenizer(changed).get_vocab() == train_tokenizer(documents).get_vocab()
