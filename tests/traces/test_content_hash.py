import dataclasses

from moefetch.traces.content_hash import ContentHash, content_hash


def test_the_hash_does_not_depend_on_how_rows_are_cut(make_trace):
    trace = make_trace(full=True)
    digest = ContentHash(trace.meta)
    for first in range(0, len(trace), 5):
        digest.update(trace.select(slice(first, first + 5)))
    assert digest.hexdigest() == content_hash(trace)


def test_the_hash_covers_every_value_and_the_geometry_but_not_the_description(make_trace):
    trace = make_trace(full=True)
    base = content_hash(trace)
    for name, values in trace.columns().items():
        changed = values.copy()
        changed.reshape(-1)[7] = 0 if changed.reshape(-1)[7] else 1
        assert content_hash(dataclasses.replace(trace, **{name: changed})) != base, name
    assert content_hash(dataclasses.replace(trace, scores=None)) != base
    without = dataclasses.replace(trace, logits=None)  # their shape follows the number of experts
    geometry = dataclasses.replace(trace.meta, n_experts=17)
    assert content_hash(dataclasses.replace(without, meta=geometry)) != content_hash(without)
    described = dataclasses.replace(trace.meta, model="other", provenance={"a": 1})
    assert content_hash(dataclasses.replace(trace, meta=described)) == base
