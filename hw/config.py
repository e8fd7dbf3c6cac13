"""What is fixed when a unit is generated, as one frozen object that RTL, models and benches read.

Live geometry (layers, experts, slots and beats really used) lies in registers and never exceeds it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .weight_rules import WeightRules

PredictorName = Literal["st_moe", "st_moe_paper", "weights"]

EVENT_BITS = 32
"""Width of an absolute event number; at 10^5 events a second it wraps after 12 hours."""

SCORE_BITS = 8
"""Width of a candidate's and of a router beat's score."""


def bits_for(count: int) -> int:
    """Return the width of an index into `count` things, at least 1."""
    return max(1, (count - 1).bit_length())


class UnitConfig(BaseModel):
    """Capacities of a generated prefetch unit. Errors name the field, the value and the rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_layers: Annotated[int, Field(ge=1, le=256)] = 32
    """MoE layers."""
    max_experts: Annotated[int, Field(ge=2, le=512)] = 64
    """Experts of a layer, and so the largest event."""
    max_top_k: Annotated[int, Field(ge=1, le=16)] = 8
    """Experts that a token selects in a layer; also the entries of a CCT row."""
    slots: Annotated[int, Field(ge=2, le=1024)] = 128
    """Rooms for one expert each in the expert SRAM."""
    slot_bytes: Annotated[int, Field(ge=64, le=1 << 26)] = 49152
    """Size of a slot, a multiple of `bus_bytes`."""
    banks: Annotated[int, Field(ge=1, le=64)] = 8
    """Banks of the expert SRAM; a slot lies wholly in bank `slot % banks`. Divides `slots`."""
    n_pe: Annotated[int, Field(ge=1, le=32)] = 4
    """Processing elements, each with an SRAM read port."""
    bus_bytes: Annotated[int, Field(ge=4, le=128)] = 64
    """Bytes of an AXI beat and of an SRAM word, a power of two."""
    outstanding: Annotated[int, Field(ge=1, le=32)] = 8
    """Largest number of AXI read bursts under way at once."""
    queue_depth: Annotated[int, Field(ge=2, le=128)] = 32
    """Entries of the prefetch queue."""
    horizon: Annotated[int, Field(ge=1, le=8)] = 4
    """Farthest event ahead of the last closed one that a candidate may name; a power of two."""
    scan_lanes: Annotated[int, Field(ge=1, le=32)] = 8
    """Slots that the victim search reads a cycle, a power of two that divides `slots`."""
    predictor_lanes: Annotated[int, Field(ge=1, le=16)] = 1
    """CCT entries that a predictor adds up a cycle; divides `max_top_k`."""
    predictors: tuple[PredictorName, ...] = ("st_moe", "st_moe_paper")
    """Predictors that are generated; register PREDICTOR selects the index + 1, 0 is none."""
    weight_sources: tuple[tuple[int, int], ...] = ((1, 0), (2, 0), (3, 0), (0, 1))
    """Context of predictor `weights`: (layers back, tokens back) of each source, see `weight_rules`."""
    weight_ahead: Annotated[int, Field(ge=1, le=4)] = 1
    """How many events before an event predictor `weights` names its experts; sources begin there."""
    weight_bits: Annotated[int, Field(ge=2, le=8)] = 5
    """Width of a weight of predictor `weights`."""
    weight_lanes: Annotated[int, Field(ge=4, le=128)] = 32
    """Weights that predictor `weights` reads and writes a cycle, a power of two."""
    weight_ways: Annotated[int, Field(ge=0, le=64)] = 0
    """Rows of each layer and source of predictor `weights` that are on chip at once, a power of two, the rest lying in
    memory; 0: all are on chip, always."""
    table_window: Annotated[int, Field(ge=0, le=16)] = 0
    """Layers whose correlation tables are on chip at once, the rest lying in memory; 0: all are on chip, always."""
    mapping_window: Annotated[int, Field(ge=0, le=32)] = 0
    """Grants that the expert mapping unit chooses from so that elements read different banks; 0: none is generated."""
    parity: bool = False
    """Keep a parity bit with each word of the directory and of the predictors' tables; the same cycles."""
    segments: Annotated[int, Field(ge=1, le=4)] = 1
    """Pieces of memory that may make up an expert, as the segment table says for each layer; 1: there is no table."""
    clock_gating: bool = False
    """Stop the clock of the parts that rest between commits; the same cycles, less power, and faster simulation."""
    commit_log: bool = False
    """Export the ordered commit log (simulation only)."""

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        def require(holds: bool, field: str, rule: str) -> None:
            if not holds:
                raise ValueError(f"{field} = {getattr(self, field)}: {rule}")

        for field in ("bus_bytes", "scan_lanes", "horizon", "weight_lanes"):
            value = getattr(self, field)
            require(value & (value - 1) == 0, field, "must be a power of two")
        require(
            self.slot_bytes % self.bus_bytes == 0,
            "slot_bytes",
            f"must be a multiple of bus_bytes = {self.bus_bytes}",
        )
        require(self.slots % self.banks == 0, "banks", f"must divide slots = {self.slots}")
        require(self.slots % self.scan_lanes == 0, "scan_lanes", f"must divide slots = {self.slots}")
        require(
            self.max_top_k <= self.max_experts,
            "max_top_k",
            f"must not exceed max_experts = {self.max_experts}",
        )
        require(
            self.max_top_k % self.predictor_lanes == 0,
            "predictor_lanes",
            f"must divide max_top_k = {self.max_top_k}",
        )
        require(self.weight_ahead <= self.horizon, "weight_ahead", f"must not exceed horizon = {self.horizon}")
        WeightRules(self.weight_sources, self.weight_bits, self.weight_ahead)
        require(len(set(self.predictors)) == len(self.predictors), "predictors", "must not name a predictor twice")
        if self.weight_ways:
            ways = self.weight_ways
            require(ways >= 2 and ways & (ways - 1) == 0, "weight_ways", "must be 0, or a power of two from 2 on")
            require(ways < self.max_experts, "weight_ways", f"must be below max_experts = {self.max_experts}")
            require(
                self.predictors == ("weights",),
                "weight_ways",
                f"needs predictors = weights alone, not {', '.join(self.predictors) or 'none'}",
            )
        require(not (self.parity and self.table_window), "parity", "needs table_window = 0")
        require(not (self.parity and self.weight_ways), "parity", "needs weight_ways = 0")
        if self.table_window:
            # One layer's table learns, the next one's predicts, and a third is on its way.
            require(self.table_window >= 3, "table_window", "must be 0, or 3 or more")
            require(
                self.table_window <= self.max_layers,
                "table_window",
                f"must not exceed max_layers = {self.max_layers}",
            )
            require(
                self.predictors in (("st_moe",), ("st_moe_paper",)),
                "table_window",
                f"needs predictors = st_moe or st_moe_paper alone, not {', '.join(self.predictors) or 'none'}",
            )
        return self

    @property
    def layer_bits(self) -> int:
        """Width of a layer index."""
        return bits_for(self.max_layers)

    @property
    def expert_bits(self) -> int:
        """Width of an expert index."""
        return bits_for(self.max_experts)

    @property
    def slot_bits(self) -> int:
        """Width of a slot index."""
        return bits_for(self.slots)

    @property
    def segment_bits(self) -> int:
        """Width of an index into a layer's segments."""
        return bits_for(self.segments)

    @property
    def slot_beats(self) -> int:
        """AXI beats, and SRAM words, of a slot."""
        return self.slot_bytes // self.bus_bytes

    @property
    def weight_rules(self) -> WeightRules:
        """The rules of predictor `weights`."""
        return WeightRules(self.weight_sources, self.weight_bits, self.weight_ahead)

    @property
    def has_weights(self) -> bool:
        """Predictor `weights` is generated."""
        return "weights" in self.predictors

    @property
    def pages_tables(self) -> bool:
        """Tables of the predictor lie in memory, and what is needed of them comes on chip."""
        return bool(self.paging)

    @property
    def paging(self) -> str:
        """Which field says that tables lie in memory, and its value, for messages; empty if they do not."""
        fields = ("table_window", "weight_ways")
        return ", ".join(f"{field} = {getattr(self, field)}" for field in fields if getattr(self, field))

    @property
    def digest(self) -> str:
        """First 12 hex digits of the configuration's SHA-256, printed in every artefact."""
        unused = set() if self.has_weights else {"weight_sources", "weight_ahead", "weight_bits", "weight_lanes"}
        options = ("clock_gating", "weight_ways", "table_window", "mapping_window", "parity")
        unused |= {name for name in options if not getattr(self, name)}
        unused |= {"segments"} if self.segments == 1 else set()
        return hashlib.sha256(self.model_dump_json(exclude=unused).encode()).hexdigest()[:12]

    def replace(self, **changes: object) -> UnitConfig:
        """Return a validated copy with some fields changed."""
        return UnitConfig.model_validate({**self.model_dump(), **changes})


UNIT_PRESETS = {
    "default": UnitConfig(),
    "tiny": UnitConfig(
        max_layers=4,
        max_experts=8,
        max_top_k=2,
        slots=8,
        slot_bytes=512,
        banks=2,
        n_pe=2,
        bus_bytes=4,
        outstanding=2,
        queue_depth=4,
        scan_lanes=2,
        horizon=2,
    ),
    "edge": UnitConfig(
        max_layers=8,
        max_experts=32,
        max_top_k=4,
        slots=8,
        slot_bytes=49152,
        banks=2,
        n_pe=2,
        bus_bytes=16,
        outstanding=4,
        queue_depth=8,
        scan_lanes=2,
        horizon=2,
        predictors=("st_moe",),
    ),
    "paper": UnitConfig(
        max_layers=60,
        max_experts=256,
        max_top_k=8,
        slots=32,
        slot_bytes=1 << 19,
        banks=8,
        n_pe=8,
        bus_bytes=128,
        outstanding=8,
        predictors=("st_moe_paper",),
    ),
    "large": UnitConfig(
        max_layers=64,
        max_experts=256,
        max_top_k=8,
        slots=256,
        slot_bytes=1 << 17,
        banks=16,
        n_pe=8,
        bus_bytes=64,
        outstanding=16,
        queue_depth=64,
        predictors=("st_moe",),
    ),
}
"""Named units.

`default` serves the shipped traces and the models up to 32 x 64 experts, `tiny` is for tests. `edge` fills a Lattice
ECP5-85F: `moefetch-small` on `ecp5-ddr3`. `paper` has the sizes of the ST-MoE paper (arXiv 2606.15453): a table of 256
rows of 8 entries for each of up to 60 layers, 8 processing elements, 16 MB of expert buffer; its slots of 512 KiB are
ours. `large` is for 64 layers of 256 experts, all tables on chip.
"""
