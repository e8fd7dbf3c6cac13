import copy
import json

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import DECODE
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace


def layer(first):
    return {"selected_experts": [first, first + 1], "selected_probs": [0.75, 0.25]}


def document(n_tokens=3):
    tokens = [{f"token_{7 + t}": {f"layer_{n}": layer(3 * t + n) for n in range(2)}} for t in range(n_tokens)]
    return {"dataset": "d", "category": "c", "full_text": ["a"], "router_data": tokens}


OPTIONS = ImportOptions(n_experts=12)


def test_a_folder_is_a_sequence_for_each_file(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps(document(2)))
    (tmp_path / "a.json").write_text(json.dumps(document(3)))
    trace = import_trace(tmp_path, None, OPTIONS)
    assert trace.sequence.tolist() == [0, 0, 0, 1, 1]
    assert trace.position.tolist() == [7, 8, 9, 7, 8]
    assert set(trace.phase.tolist()) == {DECODE}
    assert trace.experts[1].tolist() == [[3, 4], [4, 5]]
    assert trace.scores[1].tolist() == [[0.75, 0.25], [0.75, 0.25]]
    assert (trace.meta.n_layers, trace.meta.n_experts, trace.meta.top_k) == (2, 12, 2)
    assert trace.meta.provenance["importer"] == "gpt-oss-fingerprint"
    assert trace.meta.provenance["categories"] == ["d/c", "d/c"]
    assert len(trace.meta.provenance["source_sha256"]) == 64


def test_a_truncated_file_is_refused(tmp_path):
    text = json.dumps(document())
    path = tmp_path / "a.json"
    for size in range(text.index('"router_data"') + 20, len(text), 11):
        path.write_text(text[:size])
        with pytest.raises(UserError, match=r"a\.json: not JSON \(truncated\?\)") as caught:
            import_trace(path, None, OPTIONS)
        assert "\n" not in str(caught.value)


def broken(change):
    result = copy.deepcopy(document())
    change(result)
    return result


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(router_data=[]), "'router_data' is empty"),
        (lambda d: d.update(router_data={}), "no list 'router_data'"),
        (lambda d: d["router_data"][1].update(token_x={}), "router_data entry {'token_8'"),
        (lambda d: d["router_data"][1]["token_8"].pop("layer_0"), "entry {'token_8': .*'layer_0'"),
        (lambda d: d["router_data"][1]["token_8"].pop("layer_1"), "tokens' experts differ"),
        (lambda d: d["router_data"][1]["token_8"]["layer_1"].update(selected_experts=[1]), "tokens' experts differ"),
        (
            lambda d: d["router_data"][1]["token_8"]["layer_1"].update(selected_experts=[1, "2"]),
            "must be integers",
        ),
        (lambda d: d["router_data"][1]["token_8"]["layer_1"].update(selected_probs=[1, None]), "score not finite"),
        (
            lambda d: d["router_data"][1]["token_8"]["layer_1"].update(selected_experts=[1, 12]),
            "sequence 0, token 8, layer 1: expert id out of range: experts id 12: must be below 12",
        ),
        (
            lambda d: d["router_data"][1]["token_8"]["layer_1"].update(selected_experts=[4, 4]),
            r"not a trace: duplicate expert \(1\); first: sequence 0, token 8, layer 1",
        ),
        (lambda d: d["router_data"].append({"token_99999999999": d["router_data"][0]["token_7"]}), "position"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    (tmp_path / "a.json").write_text(json.dumps(broken(change)))
    with pytest.raises(UserError, match=message) as caught:
        import_trace(tmp_path / "a.json", None, OPTIONS)
    assert str(caught.value).startswith(str(tmp_path / "a.json"))


def test_an_unknown_geometry_asks_for_the_experts(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(document()))
    with pytest.raises(UserError, match=r"2 layers, top-2: .* state --experts \(the highest id is 8\)"):
        import_trace(tmp_path / "a.json", None, ImportOptions())


def test_the_published_files(published):
    trace = import_trace(published / "original" / "gpt-oss-fingerprint", None, ImportOptions())
    assert (trace.meta.model, trace.meta.n_experts) == ("gpt-oss-20b", 32)
    assert trace.experts.shape == (298, 24, 4)
    assert trace.experts[0, 0].tolist() == [31, 21, 22, 6]
    assert trace.position[0] == 141
    np.testing.assert_allclose(trace.scores.astype(float).sum(2), 1, atol=0.01)  # a softmax over the selected
