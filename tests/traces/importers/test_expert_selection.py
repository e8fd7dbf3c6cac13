import json

import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import DECODE, PREFILL
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace

DOCUMENT = [
    {"0": None, "1": [[5], [2]], "2": None, "3": [[7], [1]]},
    {"0": None, "1": [[4]], "2": None, "3": [[0]]},
    {"0": None, "1": [[3]], "2": None, "3": [[6]]},
]


def read(folder, document):
    folder.mkdir(exist_ok=True)
    (folder / "0.json").write_text(json.dumps(document, indent=4))
    return import_trace(folder, "expert-selection", ImportOptions(n_experts=8))


def test_the_first_pass_is_the_prompt_and_null_layers_are_dense(tmp_path):
    trace = read(tmp_path / "abstract_algebra", DOCUMENT)
    assert trace.meta.layers == (1, 3)
    assert trace.phase.tolist() == [PREFILL, PREFILL, DECODE, DECODE]
    assert trace.experts[:, :, 0].tolist() == [[5, 7], [2, 1], [4, 0], [3, 6]]
    assert trace.meta.provenance["categories"] == ["abstract_algebra"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[2].pop("3"), "pass 2: layer '3': must be there as in the first pass"),
        (lambda d: d[1].update({"1": [[4], [5]], "3": [[4], [5]]}), "pass 1: 2 tokens: must be one"),
        (lambda d: d[1].update({"1": [[4, 5]]}), "pass 1: layers' tokens or experts differ in length"),
        (lambda d: d[1].update({"1": None}), "pass 1: layers' tokens"),
        (lambda d: d[0].update({"x": [[1]]}), "pass 0: .*must be an object of layer numbers"),
        (lambda d: d[1].update({"1": [[8]]}), "expert id out of range"),
        (lambda d: d.clear(), "no forward passes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    document = json.loads(json.dumps(DOCUMENT))
    change(document)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "s", document)
