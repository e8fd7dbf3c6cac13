"""The prefetch unit in Amaranth: configuration, parts, replay harness and emission.

Importing this package imports no Amaranth; the names below do, when first used.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "UnitConfig": "config",
    "UNIT_PRESETS": "config",
    "PrefetchUnit": "prefetch_unit",
    "PrefetchCore": "prefetch_core",
    "ReplayHarness": "replay_harness",
    "emit_verilog": "emit",
}

__all__ = list(_EXPORTS)  # pyright: ignore[reportUnsupportedDunderAll] - resolved by __getattr__


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
