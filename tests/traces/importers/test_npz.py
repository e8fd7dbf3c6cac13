import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_file, import_trace

OPTIONS = ImportOptions(n_experts=16, model="mine")


@pytest.fixture
def arrays(make_trace):
    trace = make_trace()
    lengths = np.array([20, 12], np.int32)
    return {"experts": trace.experts.astype(np.uint8), "scores": trace.scores, "lengths": lengths}


def test_arrays_become_a_trace(tmp_path, arrays, make_trace):
    np.savez(tmp_path / "t.npz", category=np.array(["x/y", "z"]), **arrays)
    trace = import_trace(tmp_path / "t.npz", None, OPTIONS)
    expected = make_trace()
    for name in ("experts", "scores", "sequence", "position", "phase"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(expected, name), strict=True)
    assert trace.meta.model == "mine"
    assert trace.meta.provenance["categories"] == ["x/y", "z"]


def test_scores_and_lengths_are_optional(tmp_path, arrays):
    np.savez(tmp_path / "t.npz", experts=arrays["experts"])
    trace = import_trace(tmp_path / "t.npz", None, OPTIONS)
    assert trace.scores is None
    assert set(trace.sequence.tolist()) == {0}
    assert trace.meta.provenance["expert_order"] == "as in the source"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(lengths=np.array([20, 11])), "lengths: must be positive integers with the sum 32"),
        (lambda a: a.update(lengths=np.array([32, 0])), "lengths"),
        (lambda a: a.update(experts=a["experts"][:, 0]), r"experts: uint8 \[32, 3\]: must be integers"),
        (lambda a: a.update(experts=a["experts"] * 1.0), "experts: float64"),
        (lambda a: a.update(experts=a["experts"][:0]), r"experts: uint8 \[0, 4, 3\]"),
        (lambda a: a.update(scores=a["scores"][:5]), r"scores: float16 \[5, 4, 3\]: must be floats"),
        (lambda a: a["experts"].__setitem__((21, 1, 2), 16), "sequence 1, token 1, layer 1: .* id 16: must be"),
        (lambda a: a.update(hints=a["experts"].astype(np.uint16)), r"hints: shape \(32, 4, 3\): must be \(32, 4, 0\)"),
        (lambda a: a.update(hints=a["experts"]), "hints: uint8: must be uint16"),
        (lambda a: a.update(other=a["experts"]), "array 'other': not a column of a trace"),
        (lambda a: a.update(phase=np.full(32, 300)), r"phase int64 300\.\.300: must be whole numbers, 0\.\.255"),
        (lambda a: a.update(position=np.arange(32) / 2), r"position float64 .*: must be whole numbers"),
        (lambda a: a.update(token=np.arange(31)), r"token: \[31\]: must have 32 rows"),
        (lambda a: a.update(meta=np.array("{")), "trace metadata"),
        (lambda a: a.pop("experts"), r"holds \['lengths', 'scores'\]: must hold 'experts'"),
        (lambda a: a.update(scores=np.array([{}], object)), "scores: object, in Fortran order or of objects"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, arrays, change, message):
    change(arrays)
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(UserError, match=message) as caught:
        import_trace(tmp_path / "t.npz", "npz", OPTIONS)
    assert str(caught.value).startswith(str(tmp_path / "t.npz")) and "\n" not in str(caught.value)


def test_a_negative_id_is_named(tmp_path, arrays):
    experts = arrays["experts"].astype(np.int16)
    experts[0, 0, 0] = -1
    np.savez(tmp_path / "t.npz", experts=experts)
    with pytest.raises(UserError, match="token 0, layer 0: expert id -1"):
        import_trace(tmp_path / "t.npz", None, OPTIONS)


def test_a_truncated_or_damaged_archive_is_refused(tmp_path, arrays):
    path = tmp_path / "t.npz"
    np.savez_compressed(path, **arrays)
    whole = path.read_bytes()
    for size in range(0, len(whole), 13):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError):
            import_trace(path, "npz", OPTIONS)
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for place in rng.choice(len(whole), 200, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            assert len(import_trace(path, "npz", OPTIONS)) == 32
        except UserError as error:
            assert "\n" not in str(error)


def test_a_model_that_is_named_must_fit_to_be_known(tmp_path):
    ids = np.argsort(np.random.default_rng(0).random((3, 24, 32)), 2)[:, :, :4]
    np.savez(tmp_path / "t.npz", experts=ids)
    assert import_trace(tmp_path / "t.npz", None, ImportOptions()).meta.model == "gpt-oss-20b"
    with pytest.raises(UserError, match="24 layers, top-4: not the geometry of a known model"):
        import_trace(tmp_path / "t.npz", None, ImportOptions(model="another"))


def test_archives_with_other_columns_or_names_are_refused(tmp_path, arrays):
    arrays.pop("category", None)
    np.savez(tmp_path / "a.npz", **arrays)
    n = len(arrays["experts"])
    np.savez(tmp_path / "b.npz", **arrays, accepted=np.ones(n, bool))
    np.savez(tmp_path / "c.npz", **arrays, category=np.array(["x"] * len(arrays["lengths"])))
    np.savez(tmp_path / "d.npz", **arrays, category=np.array(["x"]))
    options = ImportOptions(n_experts=16)
    for names, message in (
        ("ab", r"b\.npz: sequence 2, token 0: accepted: must be with all tokens, or with none"),
        ("ac", "2 categories, 4 sequences: must be a category for each sequence"),
        ("d", "1 categories, 2 sequences: must be a category for each sequence"),
    ):
        with pytest.raises(UserError, match=message):
            import_file([tmp_path / f"{name}.npz" for name in names], tmp_path / "out", None, options, force=True)
    assert not (tmp_path / "out").exists()


def test_a_stated_top_k_must_be_that_of_the_source(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=r"--top-k 2: .*a\.npz has 3 experts a token: must be that"):
        import_trace(tmp_path / "a.npz", None, ImportOptions(n_experts=16, top_k=2))
