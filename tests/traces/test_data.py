from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import pytest
from moefetch.traces.format import Trace
from moefetch.traces.stats import file_stats
from moefetch.traces.validate import validate_file

DOMAINS = ("prose", "code")


@pytest.fixture(scope="module", params=DOMAINS)
def path(request):
    with as_file(files("moefetch.traces") / "data" / f"{request.param}.parquet") as path:
        yield path


def test_a_shipped_recording_is_a_sound_trace_with_hints(path):
    assert validate_file(path).findings == []
    trace = Trace.read(path)
    decoded = trace.decode_rows()
    assert len(decoded) >= 2000
    assert (trace.meta.n_layers, trace.meta.n_experts, trace.meta.top_k) == (8, 32, 4)
    assert trace.meta.n_hints == 4 and trace.meta.hint_horizon == 1
    assert trace.scores is not None and (trace.scores[:, :, :-1] >= trace.scores[:, :, 1:]).all()
    np.testing.assert_allclose(trace.scores.astype(float).sum(-1), 1, atol=5e-3)  # the model normalises them
    assert (trace.hint_scores[:, 1:] > 0).all() and (trace.hints[:, 1:] < 32).all()
    assert len(set(decoded.sequence)) >= 16


def test_routing_is_learned(path):
    """Chance: an overlap and recalls of 4/32."""
    stats = file_stats(path)
    assert stats.overlap > 1.3 * 4 / 32
    assert stats.cross_layer_recall > 4 * 4 / 32
    assert stats.hint_recall > 0.7
    assert all(layer.max_over_mean < 6 for layer in stats.load)


def test_provenance_is_inside(path):
    meta = Trace.read(path, 1).meta
    assert meta.licence == "Apache-2.0"
    assert all(source["licence"] and source["version"] for source in meta.provenance["corpus"])
    training = meta.provenance["training"]
    domain = path.stem
    assert training["held_out"][domain]["loss"] < training["held_out"][domain]["unigram_loss"] - 1


def test_the_recordings_are_small():
    folder = files("moefetch.traces") / "data"
    assert sum(len((folder / f"{d}.parquet").read_bytes()) for d in DOMAINS) < 5_000_000
