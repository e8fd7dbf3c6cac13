"""A digest of the sources that a result follows from, so that results of other sources are told apart."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
SUFFIXES = (".py", ".rdl", ".v")
MODEL_SOURCES = ("hw", "sim", "traces")
"""Packages that a result of the cycle model follows from."""
DIGITS = 12


def source_digest(packages: Iterable[str], versions_of: Iterable[str] = ()) -> str:
    """Return 12 hex digits over the sources of some of our packages and the versions of installed ones."""
    digest = hashlib.sha256(repr([metadata.version(package) for package in versions_of]).encode())
    for name in packages:
        for file in sorted((ROOT / name).rglob("*")):
            if file.suffix in SUFFIXES:
                digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:DIGITS]


@cache
def tool_version() -> str:
    """Return the version of moefetch with the digest of what its cycle model is made of."""
    return f"{metadata.version('moefetch')}+{source_digest(MODEL_SOURCES)}"
