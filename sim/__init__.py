"""Golden models, workloads, replays and reports; free of Amaranth, but for replays on the RTL.

Importing this package imports none of its modules; the names below are there when first used.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "PolicyOptions": "policies",
    "Replay": "replay_api",
    "load_model": "model_spec",
    "load_platform": "platform_spec",
    "read_trace": "planning",
    "replay": "replay_api",
}

__all__ = list(_EXPORTS)  # pyright: ignore[reportUnsupportedDunderAll] - resolved by __getattr__


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
