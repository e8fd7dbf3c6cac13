"""Golden vectors for benches that know nothing of Python: a program of register writes, router beats and grants.

The golden model decides everything that the vectors expect. They hold whatever the unit's timing is, because a bench
waits for the unit to come to rest before it gives grants back, and because events whose outcome would depend on who
comes first are drawn again.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from ..hw.config import UnitConfig
from ..hw.counter_names import COUNTERS
from ..hw.records import GrantStatus, VictimPolicy
from ..hw.register_access import (
    command_writes,
    counter_offset,
    field_table,
    register_offsets,
    segment_writes,
    settings_writes,
    top_k_writes,
)
from ..hw.replay_pattern import pattern
from ..hw.segment_layout import Segment, expert_pieces
from .calm_unit import CalmUnit, DependsOnTiming, RememberingPredictor
from .golden.directory import SlotState
from .golden.event import RouterBeat
from .golden.open_event import Grant
from .golden.settings import UnitSettings
from .predictors import predictor_class

SEED = 2606
MOST_LAYERS, MOST_TOP_K, MOST_BEATS = 5, 4, 40
N_STEPS = 4
DRAWS = 200
"""Tries for an event whose outcome depends on no timing."""
RETRIES = 1

END, WRITE, READ, ROUTE, GRANT, REST, RELEASE, FAULT = range(8)
"""Operations; see `word`."""


def word(operation: int, a: int = 0, b: int = 0) -> str:
    """Return one instruction: operation (8 bits), a (64), b (32), in hexadecimal.

    WRITE, READ: register address, word. ROUTE: packed beat. GRANT: packed grant, sum over its words. REST: wait
    until the unit rests. RELEASE: packed grant. FAULT: first address that answers with an error, length in bytes.
    """
    return f"{operation:02x}_{a:016x}_{b:08x}"


@dataclass
class SmokeVectors:
    """The program, a line an instruction, and what of the model it was made with."""

    lines: list[str] = field(default_factory=list)
    expert_beats: int = 0
    events: int = 0
    grants: dict[str, int] = field(default_factory=dict)
    """Name of a grant status -> how many."""
    counters: dict[str, int] = field(default_factory=dict)
    """What the golden model counted."""

    @property
    def text(self) -> str:
        """The file that a bench loads."""
        return "\n".join(["// SPDX-License-Identifier: Apache-2.0", *self.lines]) + "\n"


def smoke_vectors(config: UnitConfig) -> SmokeVectors:
    """Return the vectors of a unit: hits, misses, prefetches and evictions, and a transfer that fails at the end."""
    return _Program(config).vectors


class _Program:
    """Draws events, plays them on the golden model and writes the program.

    The least stale experts give way: the longest unused ones are those of the next layer, so that under LRU a miss
    and a candidate would race for the same slot.
    """

    def __init__(self, config: UnitConfig):
        self._config = config
        self._rng = random.Random(SEED)
        self.vectors = SmokeVectors(expert_beats=min(config.slot_beats, MOST_BEATS))
        # Room for an event, the prefetches for the next, and as much again and one that may give way.
        self._top_k = max(1, min(config.max_top_k, MOST_TOP_K, (config.slots - 1) // 3))
        self._settings = self._live_settings()
        self._n_layers, self._n_experts = self._settings["n_layers"], self._settings["n_experts"]
        self._segments = [self._layer_segments(layer) for layer in range(self._n_layers)]
        self._unit = self._golden_unit()
        self._fields = field_table(config)
        self._offsets = register_offsets(config)
        self._previous: dict[int, list[int]] = {}
        self._write(self._programming())
        for step in range(N_STEPS):
            for layer in range(self._n_layers):
                self._event(layer, start=step == 0 and layer == 0)
        self._failing_event()
        self._read_counters()
        self._line(word(END))

    def _live_settings(self) -> dict[str, int]:
        config, top_k = self._config, self._top_k
        pages = -(-self.vectors.expert_beats * config.bus_bytes // 4096)
        n_experts = min(config.max_experts, 4 * top_k)
        budget = min(top_k, config.queue_depth)
        return {
            "n_layers": min(config.max_layers, MOST_LAYERS), "n_experts": n_experts,
            "n_slots": min(config.slots, 2 * top_k + budget + 1), "expert_beats": self.vectors.expert_beats,
            "base": 0x12_3456_7000, "layer_stride": 4096 * pages * config.max_experts, "expert_stride": 4096 * pages,
            "predictor": 1 if self._predicts else 0, "row_entries": top_k, "budget": budget, "min_score": 2,
            "victim_policy": VictimPolicy.LEAST_STALE, "outstanding": config.outstanding, "burst_beats": 16,
            "retries": RETRIES,
        } | ({"segment_enable": 1} if config.segments > 1 else {})  # fmt: skip

    def _layer_segments(self, layer: int) -> list[Segment]:
        """Return where a layer's experts lie: in one piece, or in all that the unit knows, the last one lowest."""
        live, count, word = self._settings, self._config.segments, self._config.bus_bytes
        if count == 1:
            first = live["base"] + layer * live["layer_stride"]
            return [Segment(first, live["expert_stride"], word * live["expert_beats"])]
        cuts = [live["expert_beats"] * part // count for part in range(count + 1)]
        return [
            Segment(
                base=live["base"] + (layer * count + count - 1 - part) * live["layer_stride"],
                stride=word * live["expert_beats"],
                length=word * (end - start),
            )
            for part, (start, end) in enumerate(pairwise(cuts))
        ]

    @property
    def _predicts(self) -> bool:
        """A ring of one layer would name experts of the event that is open, and few slots would race for victims."""
        return bool(self._config.predictors) and self._config.max_layers > 1 and self._config.slots > 3

    def _golden_unit(self) -> CalmUnit:
        config, live = self._config, self._settings
        settings = UnitSettings(
            n_layers=live["n_layers"], n_experts=live["n_experts"], n_slots=live["n_slots"],
            top_k=[self._top_k] * live["n_layers"], queue_depth=config.queue_depth, horizon=config.horizon,
            budget=live["budget"], victim_policy=VictimPolicy.LEAST_STALE,
        )  # fmt: skip
        if not self._predicts:
            return CalmUnit(settings, None, holds=False)
        name, geometry = config.predictors[0], (live["n_layers"], live["n_experts"])
        kind = predictor_class(name)
        if name == "weights":
            predictor = kind(*geometry, config.weight_rules, min_score=live["min_score"], tables=None)
        else:
            predictor = kind(*geometry, live["row_entries"], min_score=live["min_score"], profile=None)
        return CalmUnit(settings, RememberingPredictor(predictor), holds=name == "st_moe_paper")

    def _programming(self) -> Iterator[tuple[int, int]]:
        yield from top_k_writes(self._config, [self._top_k] * self._n_layers)
        yield from settings_writes(self._config, self._settings)
        if self._config.segments > 1:
            yield from segment_writes(self._config, self._segments)
        yield self._offsets["IRQ_ENABLE"], 1 << self._fields["transfer_error"].lsb
        yield self._offsets["COUNTER_CONTROL"], 1 << self._fields["clear"].lsb

    def _event(self, layer: int, *, start: bool) -> None:
        """Draw an event until its outcome depends on no timing, and write it."""
        for _ in range(DRAWS):
            members = self._draw(layer)
            beats = self._beats(layer, members, start=start)
            unit = copy.deepcopy(self._unit)
            try:
                grants = unit.open(beats, failing=None, quiesced=False)
                unit.close(grants, quiesced=False)
            except DependsOnTiming:
                continue
            self._unit = unit
            self._previous[layer] = members
            self._write_event(beats, grants)
            return
        raise RuntimeError(f"{self._config.digest}: no event without a race was found in {DRAWS} draws")

    def _draw(self, layer: int) -> list[int]:
        """Return experts in router order, some of them those of the step before."""
        again = self._previous.get(layer, [])
        kept = self._rng.sample(again, min(len(again), self._rng.choice((self._top_k, self._top_k, self._top_k - 1))))
        others = [expert for expert in range(self._n_experts) if expert not in kept]
        members = kept + self._rng.sample(others, self._top_k - len(kept))
        self._rng.shuffle(members)
        return members

    def _beats(self, layer: int, members: list[int], *, start: bool) -> list[RouterBeat]:
        last = len(members) - 1
        return [
            RouterBeat(layer, expert, 255 - place, place == last, place == last, start)
            for place, expert in enumerate(members)
        ]

    def _failing_event(self) -> None:
        """With prefetching stopped, one expert's bytes answer with errors: an error grant, and an interrupt.

        All others are hits: the bursts that are fetched again would come behind those of another miss, or before them.
        """
        config = self._config
        self._write(command_writes(config, "quiesce"))
        self._line(word(REST))
        slots = self._unit._directory.slots
        resident = [slot.expert for slot in slots if slot.layer == 0 and slot.state == SlotState.RESIDENT]
        bad = next(expert for expert in range(self._n_experts) if expert not in resident)
        members = [bad, *self._rng.sample(resident, min(len(resident), self._top_k - 1))]
        beats = self._beats(0, members, start=False)
        grants = self._unit.open(beats, failing=bad, quiesced=True)
        self._unit.close(grants, quiesced=True)
        address, length = expert_pieces(self._segments[0], bad)[-1]
        self._line(word(FAULT, address, length), f"expert {bad} of layer 0 answers with errors")
        self._write_event(beats, grants)
        causes = 1 << self._fields["transfer_error"].lsb | 1 << self._fields["command_done"].lsb
        self._read("IRQ_STATUS", causes)
        self._read("FAILED_KEY", bad << self._fields["failed_expert"].lsb)

    def _write_event(self, beats: list[RouterBeat], grants: list[Grant]) -> None:
        self.vectors.events += 1
        for beat in beats:
            packed = beat.layer | beat.expert << 16 | beat.score << 32
            packed |= beat.token_last << 40 | beat.last << 41 | beat.sequence_start << 42
            self._line(word(ROUTE, packed), f"layer {beat.layer} expert {beat.expert}")
        for grant in grants:
            status = GrantStatus(grant.status)
            self.vectors.grants[status.name] = self.vectors.grants.get(status.name, 0) + 1
            total = 0 if status is GrantStatus.ERROR else self._sum(grant)
            self._line(word(GRANT, _packed(grant), total), f"expert {grant.expert} in slot {grant.slot}, {status.name}")
        self._line(word(REST))
        for grant in grants:
            self._line(word(RELEASE, _packed(grant)))
        self._line(word(REST))

    def _read_counters(self) -> None:
        """Compare all counters that the golden model has."""
        self._write([(self._offsets["COUNTER_CONTROL"], 1 << self._fields["snapshot"].lsb)])
        self.vectors.counters = self._unit.finish()
        for name, value in self.vectors.counters.items():
            if name in COUNTERS:
                self._line(word(READ, counter_offset(self._config, name), value), name)

    def _sum(self, grant: Grant) -> int:
        """Return the sum over an expert's 32-bit words: rotate left by one, then exclusive or."""
        total = 0
        for first, length in expert_pieces(self._segments[grant.layer], grant.expert):
            for address in range(first, first + length, 4):
                total = (total << 1 & 0xFFFFFFFF | total >> 31) ^ pattern(address)
        return total

    def _write(self, writes: Iterable[tuple[int, int]]) -> None:
        names = {offset: name for name, offset in self._offsets.items()}
        for address, value in writes:
            self._line(word(WRITE, address, value), names.get(address, ""))

    def _read(self, register: str, value: int) -> None:
        self._line(word(READ, self._offsets[register], value), register)

    def _line(self, text: str, comment: str = "") -> None:
        self.vectors.lines.append(f"{text} // {comment}" if comment else text)


def _packed(grant: Grant) -> int:
    return grant.layer | grant.expert << 16 | grant.slot << 32 | grant.status << 48
