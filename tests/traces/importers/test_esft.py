import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace

OPTIONS = ImportOptions(n_experts=9)

LINES = {
    1: "3\t1\t0\t5\t3\t7\t\t0.1\t0.2\t0.4\t0.3\t0.5\t0.6\n8\t2\t1\t2\t\t0.9\t0.1\t0.2\t0.1\n",
    10: "1\t2\t3\t4\t5\t6\t\t0.2\t0.1\t0.2\t0.1\t0.2\t0.1\n7\t8\t0\t1\t\t0.2\t0.1\t0.2\t0.1\n",
    2: "1\t0\t3\t4\t5\t6\t\t0.2\t0.1\t0.2\t0.1\t0.2\t0.1\n7\t8\t0\t2\t\t0.2\t0.1\t0.2\t0.1\n",
}


@pytest.fixture
def folder(tmp_path):
    for layer, text in LINES.items():
        (tmp_path / f"expert_weights_{layer}.txt").write_text(text)
    return tmp_path


def test_a_folder_of_layers_is_a_trace(folder):
    trace = import_trace(folder, None, OPTIONS)
    assert trace.meta.layers == (1, 2, 10)
    assert trace.meta.top_k == 2
    assert trace.sequence.tolist() == [0, 0, 0, 1, 1]
    assert trace.position.tolist() == [0, 1, 2, 0, 1]
    assert trace.experts[:, 0].tolist() == [[1, 3], [0, 5], [7, 3], [8, 2], [1, 2]]  # best score first
    np.testing.assert_allclose(trace.scores[0, 0], [0.2, 0.1], rtol=1e-3)
    assert trace.meta.provenance["expert_order"] == "best score first"


def test_the_sources_order_can_be_kept(folder):
    trace = import_trace(folder, None, ImportOptions(n_experts=9, keep_order=True))
    assert trace.experts[:, 0].tolist() == [[3, 1], [0, 5], [3, 7], [8, 2], [1, 2]]
    assert trace.meta.provenance["expert_order"] == "as in the source"


@pytest.mark.parametrize(
    ("layer", "change", "message"),
    [
        (2, lambda text: text[:-3], r"_2\.txt: ends inside line 2: the file is truncated"),
        (2, lambda text: text[: text.index("\n") + 1], r"_2\.txt: line 2: is missing: must have the sequences"),
        (2, lambda text: "", r"_2\.txt: line 1: is missing"),
        (1, lambda text: text.replace("\t0.6\n", "\n"), r"_1\.txt: line 1: 6 ids and 5 weights"),
        (1, lambda text: text.replace("8\t2", "8\tx"), r"_1\.txt: line 2: invalid literal .*'x'"),
        (1, lambda text: text.replace("\t\t", "\t"), r"_1\.txt: line 1: .* must be ids, two tabs, weights"),
        (
            1,
            lambda text: text.replace("8", "9"),
            "sequence 1, token 0, layer 0: .* id 9: must be below 9",
        ),
        (1, lambda text: text.replace("0.6", "1e9"), r"score not finite \(1\); first: sequence 0, token 2, layer 0"),
    ],
)
def test_what_is_wrong_is_named(folder, layer, change, message):
    (folder / f"expert_weights_{layer}.txt").write_text(change(LINES[layer]))
    with pytest.raises(UserError, match=message) as caught:
        import_trace(folder, None, OPTIONS)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(folder):
    (folder / "expert_weights_2.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match=r"_2\.txt: line 1: invalid literal"):
        import_trace(folder, None, OPTIONS)


def test_top_k_can_be_stated_and_must_divide(folder):
    assert import_trace(folder, None, ImportOptions(n_experts=9, top_k=1)).meta.top_k == 1
    with pytest.raises(UserError, match="--top-k 3: must divide"):
        import_trace(folder, None, ImportOptions(n_experts=9, top_k=3))


def test_a_folder_without_layers_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(UserError, match=r"no file expert_weights_<layer>\.txt"):
        import_trace(tmp_path, "esft", OPTIONS)


def test_the_published_files_equal_their_npz(published):
    text = import_trace(published / "original" / "esft-intent", None, ImportOptions(keep_order=True))
    archive = import_trace(published / "deepseek-v2-lite.intent.npz", None, ImportOptions(keep_order=True))
    for trace in (text, archive):
        assert trace.meta.model == "deepseek-v2-lite"
        assert trace.meta.layers == tuple(range(1, 27))
        assert (trace.meta.n_experts, trace.meta.top_k) == (64, 6)
    np.testing.assert_array_equal(text.experts, archive.experts)
    np.testing.assert_array_equal(text.scores, archive.scores)
    np.testing.assert_array_equal(text.sequence, archive.sequence)


def test_two_folders_of_layers_are_not_one(folder):
    (folder / "task").mkdir()
    (folder / "task" / "expert_weights_2.txt").write_text(LINES[2])
    with pytest.raises(UserError, match=r"layer 2 comes twice: give the folder of one recording"):
        import_trace(folder, None, OPTIONS)
