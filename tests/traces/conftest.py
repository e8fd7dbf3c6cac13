"""Traces that tests make, and the published ones where they are at hand."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from moefetch.traces.format import ABSENT, DECODE, UNKNOWN_TOKEN, Trace, TraceMeta

SHARED = Path(__file__).parents[3] / "shared" / "traces"


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of published traces; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: the published traces are not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def checkpoints() -> ModuleType:
    """The module beside this file, which needs torch: pytest's importlib mode puts no test folder on the path."""
    for package in ("torch", "transformers"):
        pytest.importorskip(package, reason="the recorder needs the `record` extra")
    path = Path(__file__).with_name("moe_checkpoints.py")
    spec = importlib.util.spec_from_file_location("moe_checkpoints", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def sticky_experts(rng: np.random.Generator, n_tokens: int, n_layers: int, n_experts: int, top_k: int) -> np.ndarray:
    """Distinct experts a layer, drawn by a slowly drifting score, so that consecutive tokens overlap."""
    score = rng.random((n_layers, n_experts))
    rows = []
    for _ in range(n_tokens):
        score = 0.8 * score + 0.2 * rng.random(score.shape)
        rows.append(np.argsort(-score, axis=1)[:, :top_k])
    return np.array(rows).astype(np.uint16)


@pytest.fixture(scope="session")
def make_trace() -> Callable[..., Trace]:
    """A factory of small traces with every property a recording has; `full` gives every optional column."""

    def make(
        lengths: tuple[int, ...] = (20, 12),
        n_layers: int = 4,
        n_experts: int = 16,
        top_k: int = 3,
        seed: int = 1,
        full: bool = False,
    ) -> Trace:
        rng = np.random.default_rng(seed)
        n = sum(lengths)
        experts = sticky_experts(rng, n, n_layers, n_experts, top_k)
        scores = np.sort(rng.random(experts.shape), axis=2)[:, :, ::-1].astype(np.float16)
        columns = {}
        n_hints = top_k + 1 if full else 0
        if full:
            hints = sticky_experts(rng, n, n_layers, n_experts, n_hints)
            hints[:, 0] = ABSENT
            columns = {
                "hints": hints,
                "hint_scores": rng.random(hints.shape).astype(np.float16),
                "far_hints": sticky_experts(rng, n, n_layers, n_experts, 2 * n_hints),
                "far_scores": rng.random((n, n_layers, 2 * n_hints)).astype(np.float16),
                "logits": rng.normal(size=(n, n_layers, n_experts)).astype(np.float16),
                "window": np.arange(n, dtype=np.int32) // 4,
                "accepted": np.arange(n) % 4 < rng.integers(1, 5, n)[np.arange(n) // 4],
                "draft_experts": sticky_experts(rng, n, n_layers, n_experts, n_hints),
            }
        token = rng.integers(0, 1000, n).astype(np.int32)
        token[::5] = UNKNOWN_TOKEN
        return Trace(
            TraceMeta(
                "test-model", tuple(range(n_layers)), n_experts, top_k, n_hints, int(full), far_horizons=2 * full
            ),
            sequence=np.repeat(np.arange(len(lengths)), lengths).astype(np.int32),
            position=np.concatenate([np.arange(length) for length in lengths]).astype(np.int32),
            phase=np.full(n, DECODE, np.uint8),
            token=token,
            experts=experts,
            scores=scores,
            **columns,
        )

    return make


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Trace, Trace], None]:
    """Compare two traces column by column, types included."""

    def compare(left: Trace, right: Trace) -> None:
        assert left.columns().keys() == right.columns().keys()
        for name, values in left.columns().items():
            np.testing.assert_array_equal(values, right.columns()[name], err_msg=name, strict=True)

    return compare
