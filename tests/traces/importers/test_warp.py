import json

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace
from moefetch.traces.stats import trace_stats

OPTIONS = ImportOptions(n_experts=16)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_token_number_as_in_the_first_line_begins_a_sequence(tmp_path, make_trace):
    experts = make_trace().experts.tolist()
    rows = [{"tok": 1 + i % 16, "layers": layers} for i, layers in enumerate(experts)]
    trace = import_trace(write(tmp_path / "a.jsonl", rows), None, OPTIONS)
    assert trace.sequence.tolist() == [0] * 16 + [1] * 16
    assert trace.position.tolist() == [*range(1, 17)] * 2
    assert trace.scores is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[3].update(tok=9), r"a\.jsonl: tok 9 after 3: must be one more, or 1 for a new sequence"),
        (lambda r: r[3].update(tok="4"), "tok 4: must be a whole number"),
        (lambda r: r[3].pop("layers"), r"must be {'tok': n, 'layers': \[\[ids\], \.\.\]}"),
        (lambda r: r[3]["layers"].pop(), "tokens' layers or experts differ in length"),
        (lambda r: r[3]["layers"][0].__setitem__(0, 1.5), "must be integers"),
        (lambda r: r.__setitem__(3, 7), "must be {'tok'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, make_trace, change, message):
    rows = [{"tok": 1 + i, "layers": layers} for i, layers in enumerate(make_trace(lengths=(8,)).experts.tolist())]
    change(rows)
    with pytest.raises(UserError, match=message):
        import_trace(write(tmp_path / "a.jsonl", rows), "warp", OPTIONS)


def test_the_published_file(published):
    trace = import_trace(published / "original" / "warp" / "trace_olmoe_299.jsonl", None, ImportOptions())
    assert (trace.meta.model, trace.meta.n_layers, trace.meta.n_experts, trace.meta.top_k) == ("olmoe-1b-7b", 16, 64, 8)
    assert trace.meta.provenance["geometry"] == "taken from the known model olmoe-1b-7b"
    assert len(trace) == 299
    figures = trace_stats(trace)
    np.testing.assert_allclose([figures.overlap, figures.cross_layer_recall], [0.435, 0.520], atol=6e-3)
