"""What a replay must know about a machine: clock, link to the slow memory, slots and rates of compute."""

from fractions import Fraction
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .preset_files import read_spec

MAX_BURST_BYTES = 4096
"""An AXI burst never crosses a 4 KiB line."""

Rate = Annotated[int, Field(ge=1)]


class LinkSpec(BaseModel):
    """The link to the memory that holds the experts; it serves bursts in address order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cycles_per_beat: Annotated[int, Field(ge=1, le=64)]
    """Cycles of the clock that a beat of `bus_bytes` takes; whole, so that time stays exact."""
    latency_ns: Annotated[float, Field(ge=0)]
    """From a burst's address to its first beat."""
    outstanding: Annotated[int, Field(ge=1, le=32)]
    """Bursts under way at once."""
    max_burst_beats: Annotated[int, Field(ge=1, le=256)]
    """Beats of the longest burst."""


class BackgroundSpec(BaseModel):
    """Traffic that takes the link for `length_cycles` at the start of every `period_cycles`; 0, 0 for none.

    A scale leaves both alone: it is their ratio that costs bandwidth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    period_cycles: Annotated[int, Field(ge=0)] = 0
    length_cycles: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.length_cycles >= max(self.period_cycles, 1):
            raise ValueError(
                f"length_cycles = {self.length_cycles}: must be below period_cycles = {self.period_cycles}"
            )
        return self


class ComputeSpec(BaseModel):
    """Rates at which the machine does a model's work; a phase takes the longer of its bytes and its flops."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attention_bytes_per_second: Rate
    """Rate at which weights and KV cache outside the experts are read."""
    attention_flops_per_second: Rate
    """Rate of all processing elements together."""
    expert_flops_per_second: Rate
    """Rate of one processing element."""


class EnergySpec(BaseModel):
    """What a platform is built of: names in the energy table (sim/energy_table.py)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    link: Annotated[tuple[str, ...], Field(min_length=1)]
    """Everything that a bit passes from the memory that holds the experts to the unit; their energies add up."""
    slots: str
    """What the slots lie in."""
    tables: str
    """What the predictor's tables lie in."""


class PlatformSpec(BaseModel):
    """A machine. `source` says for each number where it comes from (fields of parts as `link.latency_ns`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    clock_hz: Annotated[int, Field(ge=1)]
    """Clock of the unit, of the link and of the SRAM."""
    bus_bytes: Annotated[int, Field(ge=4, le=128)]
    """Bytes of an AXI beat, a power of two."""
    slots: Annotated[int, Field(ge=2, le=1024)]
    """Rooms for one expert each."""
    n_pe: Annotated[int, Field(ge=1, le=32)]
    """Processing elements, each with an SRAM read port."""
    link: LinkSpec
    background: BackgroundSpec = BackgroundSpec()
    compute: ComputeSpec
    energy: EnergySpec | None = None
    """None: reports have no energy."""
    source: dict[str, str] = {}
    """Field -> where its number comes from."""

    @model_validator(mode="after")
    def _check_bus(self) -> Self:
        if self.bus_bytes & (self.bus_bytes - 1):
            raise ValueError(f"bus_bytes = {self.bus_bytes}: must be a power of two")
        if self.link.max_burst_beats * self.bus_bytes > MAX_BURST_BYTES:
            raise ValueError(
                f"link.max_burst_beats = {self.link.max_burst_beats}: a burst of {self.bus_bytes}-byte beats "
                f"must not exceed {MAX_BURST_BYTES} bytes"
            )
        return self

    @property
    def link_bytes_per_second(self) -> Fraction:
        """Rate of the link, without background traffic."""
        return Fraction(self.bus_bytes * self.clock_hz, self.link.cycles_per_beat)

    @property
    def latency_cycles(self) -> Fraction:
        """Latency of the link in cycles, before scaling and rounding."""
        return Fraction(str(self.link.latency_ns)) * self.clock_hz / 10**9


def load_platform(name_or_path: str) -> PlatformSpec:
    """Return the platform of a preset's name or of a TOML file; raises UserError (one line)."""
    return read_spec("platforms", name_or_path, PlatformSpec)
