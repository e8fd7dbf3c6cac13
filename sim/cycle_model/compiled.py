"""How the model's functions are compiled: to machine code, kept on disk."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import config as numba_config

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
"""No function of the model makes an array, so none has to count references to those it is given; none divides by 0."""
PREFIX = "cycle_model-"
CONSTANTS = ("counter_names.py", "records.py", "weight_rules.py")
"""Files of `hw` whose constants are frozen into the code."""
IS_COMPILED = not numba_config.DISABLE_JIT  # pyright: ignore[reportAttributeAccessIssue]
"""Not so where tests take the sources as plain Python."""


def _cache_folder() -> Path:
    """Return the folder for machine code of these sources, and drop those of others.

    Numba by itself looks only at the file of a function, not at those that it calls or takes constants from.
    """
    folder = Path(__file__).parent
    files = [*sorted(folder.glob("*.py")), *(folder.parents[1] / "hw" / name for name in CONSTANTS)]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    kept = folder / "__pycache__"
    for other in kept.glob(f"{PREFIX}*"):
        if other.name != PREFIX + digest[:16]:
            with suppress(OSError):
                shutil.rmtree(other)
    return kept / (PREFIX + digest[:16])


_FOLDER = _cache_folder()


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into each of its callers: for what is called all the time, from few places."""
    return compiled(function, forceinline=True)


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function at its first call, with its callees."""
    config: Any = numba_config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_FOLDER)
    try:
        return njit(**OPTIONS, **options)(function)
    finally:
        config.CACHE_DIR = before
