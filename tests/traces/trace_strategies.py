"""Hypothesis strategies: traces of every shape, with every optional column there or not."""

import numpy as np
from hypothesis import strategies as st
from moefetch.traces.format import ABSENT, UNKNOWN_TOKEN, Trace, TraceMeta


@st.composite
def traces(draw, columns=None):
    """A trace of 1 to 4 sequences; `columns` fixes the optional ones."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    n_experts = draw(st.integers(2, 9))
    top_k = draw(st.integers(1, n_experts))
    layers = tuple(sorted(draw(st.sets(st.integers(0, 20), min_size=1, max_size=4))))
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    names = draw(st.sets(st.sampled_from(["scores", "hints", "window", "logits"]))) if columns is None else columns
    n_hints = draw(st.integers(1, n_experts)) if "hints" in names else 0
    far = draw(st.integers(0, len(layers) - 1)) if n_hints else 0
    n, n_layers = sum(lengths), len(layers)
    domains = {"categories": [f"d{i % 2}/s{i}" for i in range(len(lengths))]} if draw(st.booleans()) else {}
    meta = TraceMeta(
        "model",
        layers,
        n_experts,
        top_k,
        n_hints,
        int(n_hints > 0),
        far_horizons=far,
        licence="MIT",
        provenance=domains,
    )

    def ids(width):
        ranked = rng.random((n, n_layers, n_experts)).argsort(2)[:, :, :width].astype(np.uint16)
        return np.where(rng.random(ranked.shape) < 0.05, ABSENT, ranked).astype(np.uint16)

    def floats(width):
        return np.sort(rng.random((n, n_layers, width)), 2)[:, :, ::-1].astype(np.float16)

    optional = {"scores": floats(top_k)} if "scores" in names else {}
    optional |= {"logits": floats(n_experts)} if "logits" in names else {}
    if n_hints:
        optional |= {"hints": ids(n_hints), "hint_scores": floats(n_hints)}
    if far:
        optional |= {"far_hints": np.concatenate([ids(n_hints)] * far, 2), "far_scores": floats(n_hints * far)}
    if "window" in names:
        optional |= {"window": np.sort(rng.integers(-1, 5, n)).astype(np.int32), "accepted": rng.random(n) < 0.5}
        optional |= {"draft_experts": ids(n_hints)} if n_hints else {}
    return Trace(
        meta,
        sequence=np.repeat(rng.permutation(50)[: len(lengths)], lengths).astype(np.int32),
        position=np.concatenate([np.arange(length) for length in lengths]).astype(np.int32),
        phase=rng.integers(0, 2, n).astype(np.uint8),
        token=rng.integers(UNKNOWN_TOKEN, 99, n).astype(np.int32),
        experts=ids(top_k),
        **optional,
    )
