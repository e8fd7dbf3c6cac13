"""What software may change while the unit runs: the register bank's output, the core's input.

The core uses a copy that it takes at a step's first event, so a step never sees half a change; the timeouts, and where
tables lie, act at once.
"""

from amaranth.lib import data

from .config import UnitConfig, bits_for
from .interfaces import MAX_BURST_BEATS
from .records import AbortPolicy, VictimPolicy
from .watchdog import TIMEOUT_BITS


def settings_layout(config: UnitConfig) -> data.StructLayout:
    """Return the live settings; each field's register of the same name says what it means."""
    return data.StructLayout(
        {
            "n_layers": bits_for(config.max_layers + 1),
            "n_experts": bits_for(config.max_experts + 1),
            "n_slots": bits_for(config.slots + 1),
            "expert_beats": bits_for(config.slot_beats + 1),
            "base": 64,
            "layer_stride": 48,
            "expert_stride": 32,
            "predictor": bits_for(len(config.predictors) + 1),
            "hints": 1,
            "hints_first": 1,
            "row_entries": bits_for(config.max_top_k + 1),
            "budget": bits_for(config.max_experts + 1),
            "min_score": 8,
            "hold_cycles": 32,
            "victim_policy": VictimPolicy,
            "abort_policy": AbortPolicy,
            "evict_at_event_end": 1,
            "route_timeout": TIMEOUT_BITS,
            "bus_timeout": TIMEOUT_BITS,
            "outstanding": bits_for(config.outstanding + 1),
            "burst_beats": bits_for(MAX_BURST_BEATS + 1),
            "retries": 4,
            "qos_demand": 4,
            "qos_prefetch": 4,
            "cache": 4,
            "prot": 3,
        }
        | ({"segment_enable": 1} if config.segments > 1 else {})
        | ({"table_base": 64, "table_enable": 1} if config.pages_tables else {})
    )
