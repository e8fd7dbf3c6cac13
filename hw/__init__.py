"""The prefetch unit in Amaranth: configuration, parts, replay harness and emission.

Importing this package imports no Amaranth; the names below do, when first used.
"""

from ..traces.lazy_exports import lazy_exports

_EXPORTS = {
    "UnitConfig": "config",
    "UNIT_PRESETS": "config",
    "PrefetchUnit": "prefetch_unit",
    "PrefetchCore": "prefetch_core",
    "ReplayHarness": "replay_harness",
    "emit_verilog": "emit",
}

__all__ = list(_EXPORTS)  # pyright: ignore[reportUnsupportedDunderAll] - resolved by __getattr__

__getattr__ = lazy_exports(__name__, _EXPORTS)
