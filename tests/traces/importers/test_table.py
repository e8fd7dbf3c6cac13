import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import IMPORTERS, import_trace

SOURCES = {
    "gpt-oss-fingerprint": "original/gpt-oss-fingerprint",
    "esft": "original/esft-intent",
    "bigmoe": "original/bigmoe/gemma.route.csv",
    "npz": "deepseek-v2-lite.summary.npz",
}


def test_names_are_unique_and_each_format_has_a_published_source():
    assert [importer.name for importer in IMPORTERS] == list(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_recognised_by_its_own_importer_alone(published, name):
    recognising = [importer.name for importer in IMPORTERS if importer.recognises(published / SOURCES[name])]
    assert recognising == [name]


def test_unknown_sources_and_formats_are_named(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    names = "gpt-oss-fingerprint, esft, bigmoe, npz"
    for source, name, message in (
        (tmp_path / "none", None, "none: no such file or folder"),
        (tmp_path / "a.bin", None, f"of none of the formats {names} by its content"),
        (tmp_path, None, f"of none of the formats {names} by its content"),
        (tmp_path / "a.bin", "foo", f"--format foo: unknown: must be one of {names}"),
    ):
        with pytest.raises(UserError) as caught:
            import_trace(source, name, ImportOptions())
        assert message in str(caught.value)


@pytest.mark.parametrize("name", SOURCES)
def test_every_importer_refuses_what_is_not_its_own(tmp_path, name):
    for content in (b"", b"{", b"{}", b"\x00\xff" * 50, b"# route_trace v1\n", b"PK\x03\x04", b"1\t2\n"):
        (tmp_path / "a.json").write_bytes(content)
        for source in (tmp_path / "a.json", tmp_path):
            with pytest.raises(UserError) as caught:
                import_trace(source, name, ImportOptions())
            assert "\n" not in str(caught.value)
