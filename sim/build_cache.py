"""Builds kept by content: what follows from the same sources and options is compiled once.

Two processes that want the same build wait for each other; one that is cut short leaves nothing that counts.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..traces.errors import UserError


def kept_build(
    cache_dir: Path, name: str, what: object, files: Sequence[Path], compile_into: Callable[[Path, Path], None]
) -> Path:
    """Return the folder `cache_dir`/`name`-DIGEST, made by `compile_into(folder, log)` if it is not there.

    The digest is of `what`, whose `repr` must tell all options apart, and of the contents of `files`. Whatever
    `compile_into` raises leaves no folder behind, but its log.
    """
    digest = hashlib.sha256(repr(what).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    folder = cache_dir.resolve() / f"{name}-{digest.hexdigest()[:16]}"
    with _locked(folder.parent, folder.name):
        if not folder.is_dir():
            _make(folder, compile_into)
    return folder


def _make(folder: Path, compile_into: Callable[[Path, Path], None]) -> None:
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        compile_into(unfinished, folder.with_name(folder.name + ".log"))
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(folder)


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Hold a lock that other processes respect and that dies with this one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / f".{name}.lock", "w")  # noqa: SIM115 - closed below, after the lock's whole life
    except OSError as error:
        raise UserError(f"{folder}: cannot be written, builds are kept there: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
