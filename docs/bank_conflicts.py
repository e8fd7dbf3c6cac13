"""Reads that wait for their bank, with and without the expert mapping unit: the parts' RTL with random experts.

`generated.py` shows what `measure` finds in how-the-unit-works.md.
"""

import random
from collections import deque
from functools import cache
from typing import Any, NamedTuple

from amaranth.hdl import Module
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.expert_mapping import ExpertMapping
from moefetch.hw.expert_sram import ExpertSram
from moefetch.hw.markdown import table

EVENTS, EXPERTS = 6, 8
"""Events, and distinct random experts of each; all are resident when it begins, and read when it ends."""
WRITE_EVERY = 2
"""Cycles from a fetched word to the next one; it goes to a slot that the event does not read."""
UNITS = tuple((banks, window) for banks in (8, 4) for window in (0, 8))
"""Banks and `mapping_window` of each row."""


def unit_of(banks: int, window: int) -> UnitConfig:
    """Return a unit of 4 elements and 32 slots of 64 words."""
    return UNIT_PRESETS["tiny"].replace(slots=32, slot_bytes=256, n_pe=4, banks=banks, mapping_window=window)


class Reads(NamedTuple):
    """What was read: words, waits for another element and for the writer, and the cycles of all events."""

    words: int
    lost_to_elements: int
    lost_to_writer: int
    cycles: int


class Elements:
    """Plays the processing elements and the writer, and counts."""

    def __init__(self, config: UnitConfig, seed: int):
        self.config, self.rng = config, random.Random(seed)
        self.sram = ExpertSram(config=config)
        self.mapping = ExpertMapping(config=config) if config.mapping_window else None
        self.ready: deque[int] = deque()
        self.places: list[tuple[int, int] | None] = [None] * config.n_pe
        """Slot and next word of each element that reads."""
        self.written = 0, 0
        self.driven: dict[int, int] = {}
        self.words = self.cycles = 0
        self.lost = {"element": 0, "writer": 0}

    def design(self) -> Module:
        """Return the parts."""
        m = Module()
        m.submodules.sram = self.sram
        if self.mapping is not None:
            m.submodules.mapping = self.mapping
            for seen, read in zip(self.mapping.read, self.sram.read, strict=True):
                m.d.comb += [getattr(seen, name).eq(getattr(read, name)) for name in ("valid", "ready", "slot", "beat")]
        return m

    async def drive(self, ctx: Any) -> None:
        """Play every event."""
        if self.mapping is not None:
            ctx.set(self.mapping.expert_beats, self.config.slot_beats)
        for _ in range(EVENTS):
            slots = self.rng.sample(range(self.config.slots), EXPERTS)
            self.ready.extend(slots)
            n_left = EXPERTS
            while n_left:
                self._write(ctx, slots)
                self._ask(ctx)
                n_left -= self._take_words(ctx)
                taken = self._granted(ctx)
                await ctx.tick()
                self.cycles += 1
                if taken is not None:
                    self.places[self.places.index(None)] = taken, 0

    def _put(self, ctx: Any, signal: Any, value: int) -> None:
        """Set a signal if that changes it, which is what costs time."""
        if self.driven.get(id(signal)) != value:
            self.driven[id(signal)] = value
            ctx.set(signal, value)

    def _write(self, ctx: Any, read: list[int]) -> None:
        port, (slot, beat) = self.sram.write, self.written
        self._put(ctx, port.valid, self.cycles % WRITE_EVERY == 0)
        if self.cycles % WRITE_EVERY:
            return
        if beat == 0 or slot in read:
            slot, beat = self.rng.choice([slot for slot in range(self.config.slots) if slot not in read]), 0
        self._put(ctx, port.slot, slot)
        self._put(ctx, port.beat, beat)
        self.written = slot, (beat + 1) % self.config.slot_beats

    def _ask(self, ctx: Any) -> None:
        for port, place in zip(self.sram.read, self.places, strict=True):
            self._put(ctx, port.valid, place is not None)
            if place is not None:
                self._put(ctx, port.slot, place[0])
                self._put(ctx, port.beat, place[1])

    def _take_words(self, ctx: Any) -> int:
        """Count words and lost reads, and go on; return how many experts are done with."""
        asked = {p: place for p, place in enumerate(self.places) if place is not None}
        conflict = ctx.get(self.sram.conflict)
        lost = {p for p in asked if conflict >> p & 1}
        served = {asked[p][0] % self.config.banks for p in asked.keys() - lost}
        for p in lost:
            self.lost["element" if asked[p][0] % self.config.banks in served else "writer"] += 1
        self.words += len(asked) - len(lost)
        n_done = 0
        for p in asked.keys() - lost:
            slot, beat = asked[p]
            done = beat + 1 == self.config.slot_beats
            self.places[p] = None if done else (slot, beat + 1)
            n_done += done
        return n_done

    def _granted(self, ctx: Any) -> int | None:
        """Return the slot that the next idle element gets at the end of this cycle: the oldest, or as mapped."""
        idle = None in self.places
        if self.mapping is None:
            return self.ready.popleft() if idle and self.ready else None
        granted, grant = self.mapping.granted, self.mapping.grant
        self._put(ctx, granted.valid, bool(self.ready))
        if self.ready:
            ctx.set(granted.payload.slot, self.ready[0])
        self._put(ctx, grant.ready, idle)
        if self.ready and ctx.get(granted.ready):
            self.ready.popleft()
        return ctx.get(grant.payload.slot) if idle and ctx.get(grant.valid) else None


@cache
def measure(banks: int, window: int, seed: int = 1) -> Reads:
    """Simulate the events on such a unit."""
    elements = Elements(unit_of(banks, window), seed)
    simulator = Simulator(elements.design())
    simulator.add_clock(1e-8)
    simulator.add_testbench(elements.drive)
    simulator.run()
    return Reads(elements.words, elements.lost["element"], elements.lost["writer"], elements.cycles)


def bank_conflicts() -> str:
    """Conflicts of units with and without mapping."""
    rows = []
    for banks, window in UNITS:
        found = measure(banks, window)
        lost = (f"{1000 * count / found.words:.1f}" for count in (found.lost_to_elements, found.lost_to_writer))
        rows.append((banks, window, *lost, f"{found.cycles:,}", "simulated"))
    kinds = ("conflicts per thousand reads: with another element", "with the writer")
    return table(("banks", "`mapping_window`", *kinds, "cycles", "label"), rows)


MAPPING_TABLES = {"bank-conflicts": bank_conflicts}
"""Name in the page -> what renders it."""
