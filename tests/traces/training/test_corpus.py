from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace

import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.training import corpus, sources

PROSE = "It was a bright day. " * 60
CODE = "def f(x):\n    return x + 1\n" * 40


def _npm_package(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def _wheel(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def _pinned(source, path):
    return replace(source, filename=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two small packages in place of the published ones."""
    npm, wheel = tmp_path / "a.tgz", tmp_path / "b.whl"
    chapters = {f"package/data/chapter_{i}.txt": PROSE for i in range(60)}
    _npm_package(npm, chapters | {"package/data/data.txt": PROSE * 60, "package/README.md": PROSE})
    modules = {f"b/m{i}.py": CODE for i in range(60)}
    _wheel(wheel, modules | {"b/tests/test_x.py": CODE, "b/empty.py": "", "b/data.json": CODE})
    by_client = {s.client: s for s in sources.SOURCES}
    monkeypatch.setattr(corpus, "SOURCES", (_pinned(by_client["npm"], npm), _pinned(by_client["pip"], wheel)))
    return tmp_path


def test_documents_are_chapters_and_modules_alone(packages):
    documents = corpus.load(packages)
    names = [d.name.split("/", maxsplit=1)[1] for d in documents]
    assert sum(d.domain == "prose" for d in documents) == 60
    assert sum(d.domain == "code" for d in documents) == 60
    assert not any("test" in n or "empty" in n or "README" in n for n in names)


def test_the_held_out_split_is_fixed_by_name_and_small(packages):
    documents = corpus.load(packages)
    held_out = [d.name for d in documents if d.held_out]
    assert 0 < len(held_out) < len(documents) / 8
    assert held_out == [d.name for d in corpus.load(packages) if d.held_out]


def test_another_content_under_the_name_is_refused(packages):
    path = packages / "b.whl"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"b\.whl: sha256 is .* must be"):
        corpus.load(packages)


def test_a_missing_client_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sources.shutil, "which", lambda name: None)
    npm = next(s for s in sources.SOURCES if s.client == "npm")
    with pytest.raises(UserError, match="npm: not found"):
        sources.fetch(npm, tmp_path / "packages")


def test_a_failing_client_is_reported_in_one_line(tmp_path, monkeypatch):
    def failing(command, **_):
        return sources.subprocess.CompletedProcess(command, 1, stdout="", stderr="tried\nno such package\n")

    monkeypatch.setattr(sources.subprocess, "run", failing)
    pip = next(s for s in sources.SOURCES if s.client == "pip")
    with pytest.raises(UserError, match=f"{pip.package} {pip.version}: pip failed: no such package"):
        sources.fetch(pip, tmp_path)


def test_provenance_names_every_source_with_version_and_licence():
    described = corpus.provenance()
    assert [d["package"] for d in described] == [s.package for s in sources.SOURCES]
    assert all(d["version"] and d["licence"] and len(d["sha256"]) == 64 for d in described)
    json.dumps(described)
