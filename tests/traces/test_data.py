from __future__ import annotations

import json
from importlib.resources import as_file, files

import numpy as np
import pytest
from moefetch.traces.domains import domains_of
from moefetch.traces.format import ABSENT, DECODE, Trace
from moefetch.traces.speculative_stats import speculative_stats
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
    with as_file(files("moefetch.traces") / "data") as folder:
        recordings = sorted(folder.rglob("*.parquet"))
        assert len(recordings) == 3
        assert sum(path.stat().st_size for path in recordings) < 5_000_000


@pytest.fixture(scope="module")
def speculative():
    with as_file(files("moefetch.traces") / "data" / "speculative" / "prose-code.parquet") as path:
        assert validate_file(path).findings == []
        return Trace.read(path)


def test_windows_are_those_of_greedy_verification(speculative):
    trace = speculative
    inside = trace.phase == DECODE
    assert ((trace.window >= 0) == inside).all() and trace.accepted[~inside].all()
    rows = trace.select(inside)
    first = np.r_[True, rows.window[1:] != rows.window[:-1]]
    assert (np.diff(rows.window)[first[1:]] == 1).all() and rows.window[0] == 0
    assert first.sum() >= 1000 and np.diff(np.flatnonzero(np.r_[first, True])).max() == 5  # draft length 4
    assert rows.accepted[first].all()
    follows = ~first[1:]
    assert (rows.position[1:][follows] == rows.position[:-1][follows] + 1).all()
    assert not (rows.accepted[1:] & ~rows.accepted[:-1])[follows].any()  # nothing stays after a rejection
    kept = trace.select(trace.accepted)
    same = kept.sequence[1:] == kept.sequence[:-1]
    assert (np.diff(kept.position)[same] == 1).all()  # the text has no gaps
    rejected = np.flatnonzero(~rows.accepted & np.r_[True, rows.accepted[:-1]])
    for row in rejected:  # the target's own token is another one
        place = (kept.sequence == rows.sequence[row]) & (kept.position == rows.position[row])
        assert not place.any() or kept.token[place] != rows.token[row]


def test_predictions_are_there_for_all_but_a_windows_last_token(speculative):
    rows = speculative.select(speculative.window >= 0)
    last = np.r_[rows.window[1:] != rows.window[:-1], True]
    known = (rows.draft_experts != ABSENT).all((1, 2))
    assert known[~last].all() and not known[last].any()
    assert (speculative.draft_experts[speculative.window < 0] == ABSENT).all()


def test_figures_of_the_draft_are_measured_on_the_recording(speculative):
    """Chance: a recall of 4/32."""
    text = (files("moefetch.traces") / "data" / "measured.json").read_text(encoding="utf-8")
    stated = json.loads(text)["speculative"]
    domain = np.array(domains_of(speculative.meta))[np.cumsum(speculative.sequence_starts()) - 1]
    parts = {d: speculative.select(domain == d) for d in DOMAINS} | {"all": speculative}
    for name, part in parts.items():
        figures = speculative_stats(part)
        for key, value in stated[name].items():
            assert getattr(figures, key) == pytest.approx(value, abs=6e-5), (name, key)
        assert 0.4 < figures.acceptance < 0.95 and min(figures.recall) > 4 * 4 / 32


def test_provenance_says_how_the_draft_was_made_and_predicts(speculative):
    said = speculative.meta.provenance
    assert said["speculative"]["verification"] == "greedy" and said["speculative"]["map"].startswith("none")
    assert said["speculative"]["draft_training"]["steps_done"] > 0
    assert len(domains_of(speculative.meta)) == len(set(speculative.sequence))
