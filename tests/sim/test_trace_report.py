"""Is the report's every part taken over the rows that it names, and are its words those of its numbers?"""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moefetch.sim.trace_figures import TRACE_FIGURES
from moefetch.sim.trace_report import trace_report
from moefetch.sim.trace_tables import hidden_rows, layer_rows, size_rows, summary_rows
from moefetch.sim.trace_verdict import verdict
from moefetch.traces.format import DECODE, PREFILL, Trace, TraceMeta
from moefetch.traces.writer import write_trace

from .test_named_experts import drifting

ROOT = Path(__file__).parents[2]
PROSE = ROOT / "traces" / "data" / "prose.parquet"
SHARED = ROOT.parent / "shared" / "traces"


def write(path, experts, starts=None, *, n_experts=8, phase=DECODE, hints=None):
    n_tokens, n_layers, top_k = experts.shape
    starts = np.zeros(n_tokens, bool) if starts is None else starts
    meta = TraceMeta("m", tuple(range(1, n_layers + 1)), n_experts, top_k)
    if hints is not None:
        meta = replace(meta, n_hints=hints.shape[2], hint_horizon=1)
    trace = Trace(
        meta,
        sequence=np.cumsum(starts).astype(np.int32),
        position=np.arange(n_tokens, dtype=np.int32),
        phase=np.full(n_tokens, phase, np.uint8),
        token=np.full(n_tokens, -1, np.int32),
        experts=experts.astype(np.uint16),
        hints=hints,
    )
    write_trace(path, trace)
    return path


@pytest.fixture(scope="module")
def prose():
    return trace_report(PROSE)


def test_figures_of_the_shipped_prose(prose):
    assert (prose.stats.tokens, prose.stats.measured, prose.profiled, prose.scored) == (3838, 2400, 1200, 1200)
    assert sum(map(sum, prose.selections)) == prose.curve.demand == 2400 * 8 * 4
    recall = prose.recall["cross layer"].later_layers()
    assert recall == pytest.approx(prose.stats.cross_layer_recall, abs=0.002)  # nearly tied experts change places
    assert prose.recall["hints"].layer_0() is None
    assert prose.recall["hints"].later_layers() == pytest.approx(prose.stats.hint_recall, abs=0.01)  # of all tokens
    assert prose.recall["CCT+HT"].layer_0() > prose.chance
    # A token selects a token cycle; all tokens select the experts that are ever used.
    assert (prose.windows[0], prose.working_set[0]) == (1, 32)
    assert (prose.windows[-1], prose.working_set[-1]) == (2400, prose.curve.first_uses)
    # At one token cycle an LRU cache holds what the previous token selected: the history finds nothing more.
    one = prose.curve.at(32)
    assert prose.curve.hidden["previous token"][one] == 0
    assert prose.curve.lru[one] == pytest.approx(prose.stats.overlap, abs=0.005)


def test_a_ceiling_is_above_and_rates_grow_with_size(prose):
    curve = prose.curve
    assert all(lru <= belady for lru, belady in zip(curve.lru, curve.belady, strict=True))
    assert sorted(curve.lru) == list(curve.lru)
    assert sorted(curve.belady) == list(curve.belady)
    assert curve.lru[-1] == curve.belady[-1] == 1 - curve.first_uses / curve.demand
    assert curve.slots[-1] == curve.n_keys == 256


def test_words_hold_the_numbers_of_the_tables(prose):
    lines = verdict(prose)
    sizes = {row[0]: row for row in size_rows(prose)[1]}
    hidden = {row[0]: row for row in hidden_rows(prose)[1]}
    for cycles in "124":
        line = next(line for line in lines if line.startswith(f"A cache of {cycles} token cycle"))
        _, slots, share, lru, belady, _ = sizes[cycles]
        for text in (f"{slots} slots", f"{share} of all", f"at most {belady} of", f"LRU hits {lru}."):
            assert text in line
        assert f"at most {hidden[cycles][-1].split()[0]} of LRU's misses" in line  # the hints are last, and best
    assert len(summary_rows(prose)) == 12
    assert all(len(row) == len(layer_rows(prose)[0]) for row in layer_rows(prose)[1])
    assert "hints 76.0% (chance 12.5%)" in lines[0]


def test_the_document_is_json_with_a_formula_for_every_predictor(prose):
    document = json.loads(json.dumps(prose.document()))
    assert document["figures"].keys() == TRACE_FIGURES.keys()
    assert document["recall_at_k"].keys() - {"chance"} <= document["figures"].keys()
    assert {figure["label"] for figure in document["figures"].values()} == {"measured", "modelled"}
    cache = document["cache"]
    assert all(len(cache[name]) == len(cache["slots"]) for name in ("lru", "belady", "token_cycles"))
    assert cache["hidden"].keys() == cache["useless"].keys() == prose.recall.keys()
    assert document["tokens"] == 3838


@pytest.mark.parametrize("phase", [DECODE, PREFILL])
def test_short_and_odd_traces_say_what_they_cannot_tell(tmp_path, phase):
    experts, starts = drifting(2, 30, 2, 8, 2, ragged=True)
    report = trace_report(write(tmp_path / "t", experts, starts, phase=phase))
    assert report.stats.measured == 30
    assert any(re.match(r"The trace is short for its model: \d+", line) for line in verdict(report))
    assert any("over 15 tokens only" in line for line in verdict(report))
    one = trace_report(write(tmp_path / "one", experts[:1]))
    assert (one.recall, one.profiled, one.scored) == ({}, 0, 0)
    assert verdict(one)[0] == "The trace is too short to say what could be predicted."
    assert {row[-1] for row in size_rows(one)[1]} == {"-"}


def test_a_model_that_selects_all_experts_leaves_nothing_to_predict(tmp_path):
    experts = np.tile(np.arange(3, dtype=np.uint16), (10, 2, 1))
    report = trace_report(write(tmp_path / "t", experts, n_experts=3))
    assert verdict(report)[0] == "Each token selects all 3 experts of a layer: there is nothing to predict."
    assert [row[0] for row in size_rows(report)[1]] == ["0.5", "1"]


def test_one_layer_alone(tmp_path):
    experts, starts = drifting(2, 60, 1, 8, 2, ragged=False)
    report = trace_report(write(tmp_path / "t", experts, starts))
    assert all(recall.later_layers() is None for recall in report.recall.values())
    assert report.recall["CCT+HT"].layer_0() is not None
    assert report.stats.cross_layer_recall is None


def test_progress_grows_to_its_total(tmp_path):
    experts, starts = drifting(2, 60, 2, 8, 2, ragged=False)
    told = []
    trace_report(write(tmp_path / "t", experts, starts), lambda *progress: told.append(progress))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (120, 120)


def test_study_of_a_published_trace_is_reproduced(tmp_path):
    source = SHARED / "deepseek-v2-lite.intent.npz"
    if not source.exists():
        pytest.skip(f"{source} is absent: the published traces are not part of the project")
    stored = np.load(source)
    starts = np.zeros(len(stored["experts"]), bool)
    starts[np.cumsum(stored["lengths"])[:-1]] = True
    report = trace_report(write(tmp_path / "t", stored["experts"], starts, n_experts=64))
    found = {name: round(recall.later_layers(), 3) for name, recall in report.recall.items()}
    assert found == {"previous token": 0.261, "static hot set": 0.267, "cross layer": 0.617, "CCT+HT": 0.466}
