import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import DECODE
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.source import opened_source
from moefetch.traces.importers.table import IMPORTERS, import_file, import_trace
from moefetch.traces.reader import TraceFile

from .fixtures import ALL_DECODE, ONE_SEQUENCE, OPTIONS, SCORED, SOURCES, expected_experts, prompted

PUBLISHED = {
    "gpt-oss-fingerprint": "original/gpt-oss-fingerprint",
    "esft": "original/esft-intent",
    "bigmoe": "original/bigmoe/gemma.route.csv",
    "warp": "original/warp/trace_olmoe_299.jsonl",
    "npz": "deepseek-v2-lite.summary.npz",
}
NAMES = [importer.name for importer in IMPORTERS]


def recognising(path):
    with opened_source([path]) as source:
        return [importer.name for importer in IMPORTERS if importer.recognises_source(source)]


@pytest.fixture(params=SOURCES)
def written(request, tmp_path, make_trace):
    """A format's name, a trace, and its source."""
    if request.param == "sglang-recorder":
        pytest.importorskip("torch", reason="torch writes the recorder's file")
    trace = prompted(make_trace(lengths=(20, 12, 31)))
    return request.param, trace, SOURCES[request.param](tmp_path, trace)


def test_names_are_unique_and_each_format_has_a_fixture():
    assert len(set(NAMES)) == len(NAMES)
    assert {*SOURCES, "router-logits"} == set(NAMES)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_source_is_recognised_by_its_own_importer_alone(published, name):
    assert recognising(published / PUBLISHED[name]) == [name]


def test_every_format_is_recognised_and_keeps_what_it_holds(written):
    name, trace, source = written
    assert recognising(source) == [name]
    found = import_trace(source, None, OPTIONS)
    found = found.select(np.argsort(found.sequence, kind="stable"))  # the recorder's requests come as they end
    np.testing.assert_array_equal(found.experts, expected_experts(name, trace))
    assert found.meta.provenance["importer"] == name
    if name not in ONE_SEQUENCE:
        np.testing.assert_array_equal(found.sequence, trace.sequence)
        np.testing.assert_array_equal(found.position, trace.position)
    np.testing.assert_array_equal(found.phase, trace.phase * 0 + DECODE if name in ALL_DECODE else trace.phase)
    if name in SCORED:
        scores = np.where(expected_experts(name, trace) == trace.experts, trace.scores, 0)
        np.testing.assert_allclose(found.scores, scores, atol=1e-3)
    if name in ("vllm", "sglang-recorder"):
        np.testing.assert_array_equal(found.token, trace.token)


def test_the_file_is_the_trace_in_memory(written, tmp_path, assert_same):
    _, _, source = written
    told = []
    out = tmp_path.parent / "out.parquet"
    meta, report = import_file([source], out, None, OPTIONS, on_bytes=lambda *place: told.append(place))
    in_memory = import_trace(source, None, OPTIONS)
    stored = TraceFile(out)
    assert_same(in_memory, in_memory.concatenate(list(stored.batches())))
    assert stored.meta == meta
    assert meta.provenance == in_memory.meta.provenance
    assert report.rows == len(in_memory)
    assert told and all(done <= total for done, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] > 0.49 * told[-1][1]


def test_unknown_sources_and_formats_are_named(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    names = ", ".join(NAMES)
    for source, name, message in (
        (tmp_path / "none", None, "none: no such file or folder"),
        (tmp_path / "a.bin", None, f"of none of the formats {names} by its content"),
        (tmp_path, None, f"of none of the formats {names} by its content"),
        (tmp_path / "a.bin", "foo", f"--format foo: unknown: must be one of {names}"),
    ):
        with pytest.raises(UserError) as caught:
            import_trace(source, name, ImportOptions())
        assert message in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_importer_refuses_what_is_not_its_own(tmp_path, name):
    documents = (b"", b"{", b"{}", b"[]", b"[{}]", b"# route_trace v1\n", b"PK\x03\x04", b"1\t2\n", b"\x00\xff" * 50)
    for content in documents:
        (tmp_path / "a.json").write_bytes(content)
        for source in (tmp_path / "a.json", tmp_path):
            with pytest.raises(UserError) as caught:
                import_trace(source, name, ImportOptions(top_k=2))
            assert "\n" not in str(caught.value)
