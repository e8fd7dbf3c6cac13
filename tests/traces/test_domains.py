import dataclasses
from pathlib import Path

import pytest
from moefetch.traces.domains import SequenceOrdinals, domains_of, domains_or_name, in_domains, with_edit
from moefetch.traces.errors import UserError
from moefetch.traces.format import TraceMeta

META = TraceMeta("m", (0,), 4, 2, provenance={"categories": ["a/x", "b"], "kept": 1})


def test_ordinals_count_sequences_over_batches_cut_anywhere(make_trace):
    trace = make_trace(lengths=(3, 2, 4))
    trace.sequence[:] = [7] * 3 + [2] * 2 + [9] * 4
    for cut in range(10):
        ordinals = SequenceOrdinals()
        parts = [ordinals.of(trace.select(slice(0, cut))).tolist(), ordinals.of(trace.select(slice(cut, 9))).tolist()]
        assert parts[0] + parts[1] == [0] * 3 + [1] * 2 + [2] * 4
        assert ordinals.count == 3


def test_a_domain_is_a_name_or_what_it_begins_with():
    assert in_domains("a/x", ["a"]) and in_domains("a/x", ["b", "a/x"])
    assert not in_domains("ab", ["a"]) and not in_domains("a", ["a/x"])


def test_names_are_the_traces_or_the_files():
    unnamed = dataclasses.replace(META, provenance={})
    assert domains_of(META) == ["a/x", "b"] and domains_of(unnamed) is None
    assert domains_or_name(unnamed, Path("d/prose.parquet"), 3) == ["prose"] * 3
    with pytest.raises(UserError, match="2 categories in the provenance: must be 3, a name a sequence"):
        domains_or_name(META, Path("t"), 3)


def test_an_edit_is_added_to_those_before():
    once = dataclasses.replace(META, provenance=with_edit(META, {"operation": "slice"}, ["b"]))
    assert once.provenance == {"categories": ["b"], "kept": 1, "edits": [{"operation": "slice"}]}
    twice = with_edit(once, {"operation": "convert"}, None)
    assert [edit["operation"] for edit in twice["edits"]] == ["slice", "convert"]
    assert META.provenance == {"categories": ["a/x", "b"], "kept": 1}
