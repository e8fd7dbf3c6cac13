"""The workload of a replay as ports: what the bench sets, once for agent, elements and harness."""

from amaranth.lib.wiring import In, Member, Out

from .config import UnitConfig, bits_for

RESULTS = {
    "done": Out(1),
    "events": Out(32),
    "granted": Out(32),
    "errors": Out(32),
    "words": Out(48),
    "wrong_words": Out(32),
}
"""What the agent found, by name."""


def expert_ports(config: UnitConfig) -> dict[str, Member]:
    """Return what a processing element must know: an expert's cycles, beats and place in memory."""
    return {
        "expert_cycles": In(32),
        "expert_beats": In(bits_for(config.slot_beats + 1)),
        "base": In(64),
        "layer_stride": In(48),
        "expert_stride": In(32),
    }


def workload_ports(config: UnitConfig) -> dict[str, Member]:
    """Return what the agent must know: when to start, how many events, the phases, and the experts."""
    return {
        "start": In(1),
        "n_events": In(32),
        "attention_cycles": In(32),
        "step_cycles": In(32),
        **expert_ports(config),
    }
