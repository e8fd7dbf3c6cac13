"""Golden models, workloads, replays and reports; free of Amaranth, but for replays on the RTL.

Importing this package imports none of its modules; the names below are there when first used.
"""

from ..traces.lazy_exports import lazy_exports

_EXPORTS = {
    "PolicyOptions": "policies",
    "Replay": "replay_api",
    "load_model": "model_spec",
    "load_platform": "platform_spec",
    "read_trace": "planning",
    "replay": "replay_api",
}

__all__ = list(_EXPORTS)  # pyright: ignore[reportUnsupportedDunderAll] - resolved by __getattr__

__getattr__ = lazy_exports(__name__, _EXPORTS)
