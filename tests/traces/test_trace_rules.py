import numpy as np
import pytest
from moefetch.traces.format import Trace, TraceMeta
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace
from moefetch.traces.trace_rules import IDENTICAL_ROWS, IdenticalRows, LostOrder, RepeatedLayer, set_hashes


def findings(rule, trace, cut=None):
    batches = [trace] if cut is None else [trace.select(slice(0, cut)), trace.select(slice(cut, None))]
    return [str(f) for batch in batches for f in rule.update(batch)] + [str(f) for f in rule.finish()]


def shuffled(trace, seed=3):
    """The same rows, in random order within each sequence."""
    order = np.lexsort((np.random.default_rng(seed).random(len(trace)), trace.sequence))
    trace = trace.select(slice(None))
    trace.experts = trace.experts[order]
    return trace


def test_set_hashes_are_those_of_sets(make_trace):
    trace = make_trace()
    turned = trace.select(slice(None))
    turned.experts = trace.experts[:, :, ::-1]
    np.testing.assert_array_equal(set_hashes(trace), set_hashes(turned))
    sets = {tuple(sorted(row)) for row in trace.experts.reshape(-1, 3).tolist()}
    assert len(np.unique(set_hashes(trace))) == len(sets)


@pytest.mark.parametrize("cut", [None, 5, 25])
def test_a_repeated_layer_is_named(make_trace, cut):
    trace = make_trace()
    trace.experts[:, 3] = trace.experts[:, 1, ::-1]
    trace.experts[0, 3] = [0, 1, 2]
    (found,) = findings(RepeatedLayer(trace.meta), trace, cut)
    assert found.startswith("sequence 0, token 1, layer 3: repeated layer: has layer 1's experts in 31 of 32")


def test_layers_that_often_agree_are_no_copies(make_trace):
    trace = make_trace()
    trace.experts[::2, 3] = trace.experts[::2, 1]
    assert findings(RepeatedLayer(trace.meta), trace) == []


def test_a_model_without_a_choice_repeats_every_layer_rightly(make_trace):
    trace = make_trace(n_experts=3, top_k=3)
    assert findings(RepeatedLayer(trace.meta), trace) == findings(IdenticalRows(trace.meta), trace) == []


@pytest.mark.parametrize("cut", [None, 2, 10, 18])
def test_a_warm_up_is_named_once(make_trace, cut):
    trace = make_trace()
    trace.experts[2 : 2 + IDENTICAL_ROWS + 1] = trace.experts[2, :, ::-1]
    (found,) = findings(IdenticalRows(trace.meta), trace, cut)
    assert found.startswith("sequence 0, token 17, all layers: identical rows: the 16th row in a run")


def test_a_run_ends_with_its_sequence(make_trace):
    trace = make_trace()
    trace.experts[10:30] = trace.experts[10]
    assert findings(IdenticalRows(trace.meta), trace) == []


@pytest.mark.parametrize("cut", [None, 100, 400, 450])
def test_lost_order_is_found_and_kept_order_is_not(make_trace, cut):
    trace = make_trace(lengths=(400, 300, 300), n_layers=8, n_experts=32, top_k=4)
    assert findings(LostOrder(trace.meta), trace, cut) == []
    (found,) = findings(LostOrder(trace.meta), shuffled(trace), cut)
    assert found.startswith("sequence 0, token 0, all layers: order lost: consecutive tokens share 0.")
    assert "must differ" in found


def test_the_shuffled_overlap_is_that_of_all_pairs():
    """Against every pair of rows counted, from the message of a rule that is made to speak."""
    rng = np.random.default_rng(5)
    ids = np.argsort(rng.random((400, 2, 6)), axis=2)[:, :, :2].astype(np.uint16)
    zeros = np.zeros(400, np.int32)
    meta = TraceMeta("m", (0, 1), 6, 2)
    trace = Trace(meta, zeros, np.arange(400, dtype=np.int32), zeros.astype(np.uint8), zeros, ids)
    (found,) = findings(LostOrder(meta), trace)
    member = (ids[:, :, :, None] == np.arange(6)).any(2)
    shares = np.einsum("alf,blf->ab", member, member, dtype=np.int64) / 4
    expected = (shares.sum() - np.trace(shares)) / (400 * 399)
    assert f"shuffled ones {expected:.4f} " in found


def test_a_short_trace_is_not_judged(make_trace):
    assert findings(LostOrder(make_trace().meta), shuffled(make_trace())) == []


@pytest.mark.parametrize("name", ["gpt-oss-20b.decode.npz", "deepseek-v2-lite.intent.npz"])
def test_a_published_trace_in_random_order_is_refused(published, name):
    trace = import_trace(published / name, None, ImportOptions())
    (found,) = findings(LostOrder(trace.meta), shuffled(trace))
    assert "order lost" in found
