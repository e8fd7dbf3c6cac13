"""Golden models, workloads, replays and reports; free of Amaranth."""

from importlib import import_module
from typing import Any

_EXPORTS = {"Replay": "replay_api", "replay": "replay_api", "PolicyOptions": "policies"}

__all__ = list(_EXPORTS)  # pyright: ignore[reportUnsupportedDunderAll] - resolved by __getattr__


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
