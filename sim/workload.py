"""A replay's integers, derived from a model and a platform: bytes, beats and cycles, shrunk by a scale."""

from fractions import Fraction
from math import ceil

from pydantic import BaseModel, ConfigDict

from .model_spec import ModelSpec
from .platform_spec import PlatformSpec

PAGE_BYTES = 4096
"""Expert bases and strides are multiples of this."""
MIN_BURSTS = 8
"""Whole bursts that a scaled expert must span."""
MAX_PREDICTION_SHARE = Fraction(5, 100)
"""Largest share of an expert's transfer that a prediction may take on a scaled platform."""


class Workload(BaseModel):
    """What a replay runs with; every number is a whole one. `scale` 1 is real size.

    A scale divides bytes, cycles and latency alike, each rounded up once. It leaves alone bursts, cycles per
    beat, background traffic and whatever the unit takes for itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    platform: str
    scale: int
    clock_hz: int
    n_layers: int
    n_experts: int
    top_k: int
    slots: int
    n_pe: int
    bus_bytes: int
    expert_bytes: int
    """Of a scaled expert, a multiple of `bus_bytes`."""
    attention_cycles: int
    """From the end of an event to the next event's router."""
    step_cycles: int
    """More before the first event of a step."""
    expert_cycles: int
    """From an expert's grant to its end; at least its beats."""
    latency_cycles: int
    """From a burst's address to its first beat."""
    cycles_per_beat: int
    outstanding: int
    max_burst_beats: int
    background_period: int
    """0 when there is no background traffic."""
    background_length: int

    @property
    def expert_beats(self) -> int:
        """Beats of an expert."""
        return self.expert_bytes // self.bus_bytes

    @property
    def expert_stride(self) -> int:
        """Bytes from one expert of a layer to the next."""
        return ceil(self.expert_bytes / PAGE_BYTES) * PAGE_BYTES

    @property
    def layer_stride(self) -> int:
        """Bytes from one layer to the next."""
        return self.n_experts * self.expert_stride

    @property
    def transfer_cycles(self) -> int:
        """Link cycles of an expert, without latency and background."""
        return self.expert_beats * self.cycles_per_beat

    def to_scale(self, prediction_cycles: int) -> tuple[bool, str]:
        """Say whether results at this scale stand for the real size, and why.

        A scaled expert must span 8 whole bursts or more, and `prediction_cycles` (the unit's, from event to
        last candidate) must be 5 % of the expert's transfer or less. Scale 1 is real size by definition.
        """
        if self.scale == 1:
            return True, "real size"
        bursts = self.expert_beats // self.max_burst_beats
        if bursts < MIN_BURSTS:
            return False, f"not to scale: an expert spans {bursts} bursts, below {MIN_BURSTS}"
        share = Fraction(prediction_cycles, self.transfer_cycles)
        text = f"prediction takes {float(share):.1%} of an expert's transfer"
        if share > MAX_PREDICTION_SHARE:
            return False, f"not to scale: {text}, above {float(MAX_PREDICTION_SHARE):.0%}"
        return True, f"to scale: an expert spans {bursts} bursts, {text}"


def derive(model: ModelSpec, platform: PlatformSpec, scale: int, *, max_burst_beats: int | None = None) -> Workload:
    """Return the workload of a model on a platform; `max_burst_beats` shortens the platform's bursts.

    Raises ValueError for a scale below 1 or a burst that the platform does not allow.
    """
    if scale < 1:
        raise ValueError(f"scale must be 1 or more, not {scale}")
    burst_beats = _burst_beats(platform, max_burst_beats)
    beats = ceil(Fraction(model.expert_bytes, platform.bus_bytes * scale))
    compute = platform.compute

    def cycles(n_bytes: int, flops: int) -> int:
        seconds = max(
            Fraction(n_bytes, compute.attention_bytes_per_second),
            Fraction(flops, compute.attention_flops_per_second),
        )
        return ceil(seconds * platform.clock_hz / scale)

    expert_seconds = Fraction(model.expert_flops, compute.expert_flops_per_second)
    return Workload(
        model=model.name,
        platform=platform.name,
        scale=scale,
        clock_hz=platform.clock_hz,
        n_layers=model.n_layers,
        n_experts=model.n_experts,
        top_k=model.top_k,
        slots=platform.slots,
        n_pe=platform.n_pe,
        bus_bytes=platform.bus_bytes,
        expert_bytes=beats * platform.bus_bytes,
        attention_cycles=cycles(model.attention_bytes, model.attention_flops),
        step_cycles=cycles(model.step_bytes, model.step_flops),
        expert_cycles=max(beats, ceil(expert_seconds * platform.clock_hz / scale)),
        latency_cycles=ceil(platform.latency_cycles / scale),
        cycles_per_beat=platform.link.cycles_per_beat,
        outstanding=platform.link.outstanding,
        max_burst_beats=burst_beats,
        background_period=platform.background.period_cycles,
        background_length=platform.background.length_cycles,
    )


def auto_scale(model: ModelSpec, platform: PlatformSpec, max_burst_beats: int | None = None) -> int:
    """Return the largest scale at which an expert still spans 8 whole bursts; 1 if it never does.

    Whether prediction is short enough too is for `Workload.to_scale`, which knows the unit's latency.
    """
    needed = MIN_BURSTS * _burst_beats(platform, max_burst_beats)
    # ceil(beats / scale) >= needed holds as long as beats / scale > needed - 1
    beats = Fraction(model.expert_bytes, platform.bus_bytes)
    return max(1, ceil(beats / (needed - 1)) - 1)


def _burst_beats(platform: PlatformSpec, max_burst_beats: int | None) -> int:
    longest = platform.link.max_burst_beats
    if max_burst_beats is None:
        return longest
    if not 1 <= max_burst_beats <= longest:
        raise ValueError(f"max_burst_beats must be 1 to the platform's {longest}, not {max_burst_beats}")
    return max_burst_beats
