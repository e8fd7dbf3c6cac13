"""Does the digest change with the sources, and with nothing else?"""

from moefetch.sim import source_digest as file
from moefetch.sim.source_digest import source_digest, tool_version


def test_a_change_of_a_source_changes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "ROOT", tmp_path)
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "a.py").write_text("1")
    first = source_digest(["sim"])
    (tmp_path / "sim" / "notes.txt").write_text("no source")
    assert source_digest(["sim"]) == first
    (tmp_path / "sim" / "a.py").write_text("2")
    second = source_digest(["sim"])
    (tmp_path / "sim" / "a.py").rename(tmp_path / "sim" / "b.py")
    assert len({first, second, source_digest(["sim"]), source_digest(["sim"], ["numpy"])}) == 4


def test_the_version_names_release_and_sources():
    version, _, digest = tool_version().partition("+")
    assert version.count(".") == 2 and len(digest) == 12
