import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.source import opened_source
from moefetch.traces.importers.table import import_file, import_trace

from .fixtures import OPTIONS, prompted, write_fingerprint, write_warp

COMPRESSORS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
    ".lz4": lambda data: pa.compress(data, "lz4", asbytes=True),
}


@pytest.fixture
def trace(make_trace):
    return prompted(make_trace())


@pytest.fixture
def folder(tmp_path, trace):
    (tmp_path / "in").mkdir()
    return write_fingerprint(tmp_path / "in", trace)


def rows(path):
    with opened_source([path]) as source:
        return [file.name for file in source.files]


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_compressed_file_is_its_content_and_a_cut_one_is_refused(tmp_path, trace, suffix):
    plain = write_warp(tmp_path, trace)
    packed = plain.with_name(plain.name + suffix)
    packed.write_bytes(COMPRESSORS[suffix](plain.read_bytes()))
    found = import_trace(packed, None, OPTIONS)
    np.testing.assert_array_equal(found.experts, trace.experts)
    assert found.meta.provenance["source"] == packed.name
    whole = packed.read_bytes()
    for size in range(4, len(whole) - 1, len(whole) // 7):
        packed.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"jsonl"):
            import_trace(packed, "warp", OPTIONS)


def test_a_compressed_archive_of_arrays_is_read(tmp_path, trace):
    stream = io.BytesIO()
    np.savez(stream, experts=trace.experts)
    (tmp_path / "t.npz.gz").write_bytes(gzip.compress(stream.getvalue()))
    np.testing.assert_array_equal(import_trace(tmp_path / "t.npz.gz", None, OPTIONS).experts, trace.experts)


def test_a_folder_is_read_with_all_below_it_but_what_is_hidden(folder):
    (folder / "0.json").rename(folder / "README.md")
    (folder / "sub").mkdir()
    (folder / "README.md").rename(folder / "sub" / "0.json")
    (folder / "README.md").write_text("about")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.json").write_text("no")
    found = import_trace(folder, None, OPTIONS)
    assert found.meta.provenance["categories"] == ["d/c1", "d/c0"]


def test_a_damaged_file_of_a_folder_is_never_left_out(folder):
    (folder / "0.json").write_text("{")
    with pytest.raises(UserError, match=r"0\.json: not JSON \(truncated\?\)"):
        import_trace(folder, None, OPTIONS)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_an_archive_is_the_folder_in_it(tmp_path, folder, trace, kind):
    path = tmp_path / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"deep/{file.name}")
    else:
        with tarfile.open(path, "w:gz" if kind.endswith("gz") else "w") as archive:
            archive.add(folder, "deep")
    np.testing.assert_array_equal(import_trace(path, None, OPTIONS).experts, trace.experts)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="all"):
        import_trace(path, None, OPTIONS)


def test_a_file_of_an_archive_is_named_by_both(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/b.json", '{"router_data": [{}]}')
    with pytest.raises(UserError, match=r"a\.zip:x/b\.json: router_data entry"):
        import_trace(tmp_path / "a.zip", "gpt-oss-fingerprint", OPTIONS)


def test_several_sources_are_one(tmp_path, folder, trace):
    out = tmp_path / "out.parquet"
    meta, report = import_file([folder / "1.json", folder / "0.json"], out, None, OPTIONS)
    assert meta.provenance["categories"] == ["d/c1", "d/c0"]
    assert meta.provenance["source"] == "1.json, 0.json"
    assert report.rows == len(trace)


def test_standard_input_is_a_source(monkeypatch, tmp_path, folder, trace):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(folder, "deep")
    stream.seek(0)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
    from pathlib import Path

    meta, report = import_file([Path("-")], tmp_path / "out.parquet", None, OPTIONS)
    assert (meta.provenance["source"], report.rows) == ("standard input", len(trace))


def test_nothing_is_left_in_the_temporary_folder(tmp_path, folder, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder, "deep")
    import_trace(tmp_path / "a.tar", None, OPTIONS)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_line_without_its_end_is_a_truncated_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"1\n2\r\n3")
    with opened_source([path]) as source:
        found = []
        with pytest.raises(UserError, match=r"a\.txt: ends inside line 3"):
            found += source.files[0].lines()
    path.write_bytes(b"1\n2\r\n3\n")
    with opened_source([path]) as source:
        assert list(source.files[0].lines()) == [(1, b"1"), (2, b"2"), (3, b"3")]


def test_an_unstated_model_asks_for_its_experts(folder):
    with pytest.raises(
        UserError, match=r"4 layers, top-3: not the geometry .* state --experts \(the highest id is 15\)"
    ):
        import_trace(folder, None, ImportOptions())


def test_a_named_file_is_never_left_out(tmp_path, folder, trace):
    fingerprints = sorted(folder.iterdir())
    lines = write_warp(tmp_path, trace)
    with pytest.raises(UserError, match=rf"{lines.name}: not JSON"):
        import_file([lines, *fingerprints], tmp_path / "out", None, OPTIONS)
    (tmp_path / "others").mkdir()
    lines.rename(tmp_path / "others" / lines.name)
    with pytest.raises(UserError, match=r"others: no file \.json: must be of the others' format"):
        import_file([tmp_path / "others", *fingerprints], tmp_path / "out", None, OPTIONS)
    other = tmp_path / "renamed.answer"
    other.write_bytes(fingerprints[0].read_bytes())
    _, report = import_file([*fingerprints, other], tmp_path / "out", None, OPTIONS)
    assert report.rows > len(trace)


def test_a_pipe_is_read_as_standard_input_is(tmp_path, trace):
    lines = write_warp(tmp_path, trace).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[lines])
    thread.start()
    found = import_trace(tmp_path / "pipe", None, OPTIONS)
    thread.join()
    np.testing.assert_array_equal(found.experts, trace.experts)


def test_an_empty_source_is_called_so(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UserError, match="a: is empty, or cannot be read"):
        import_trace(tmp_path / "a", None, OPTIONS)


def test_rows_of_another_model_name_their_file(tmp_path, make_trace):
    for name, n_experts in (("a", 16), ("b", 12)):
        trace = make_trace(n_experts=n_experts)
        np.savez(tmp_path / f"{name}.npz", experts=trace.experts, meta=np.array(trace.meta.to_json()))
    with pytest.raises(UserError, match=r"b\.npz: sequence 1, token 0: n_experts 12: must be 16 as in the rows before"):
        import_file([tmp_path / "a.npz", tmp_path / "b.npz"], tmp_path / "out", None, ImportOptions())
    assert not (tmp_path / "out").exists()
