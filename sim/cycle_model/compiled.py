"""How the model's functions are compiled: to machine code, kept on disk."""

import hashlib
from contextlib import suppress
from pathlib import Path

from numba import njit

STAMP = "cycle_model.digest"


def _drop_stale_code() -> None:
    """Delete machine code of other sources: numba looks only at the file of a function, not at those that it calls."""
    folder = Path(__file__).parent
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))).hexdigest()
    kept = folder / "__pycache__"
    stamp = kept / STAMP
    with suppress(OSError):  # where nothing can be written numba keeps nothing beside the sources either
        if stamp.exists() and stamp.read_text() == digest:
            return
        kept.mkdir(exist_ok=True)
        for pattern in ("*.nbi", "*.nbc"):
            for file in kept.glob(pattern):
                file.unlink(missing_ok=True)
        stamp.write_text(digest)


_drop_stale_code()
compiled = njit(cache=True, nogil=True, _nrt=False)
"""Decorator of every function that runs once or more in each event."""
