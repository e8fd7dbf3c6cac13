"""The tables of the unit's predictors: what is loaded, what the golden model has in the end, and their memory."""

import numpy as np
from moefetch.hw.register_access import field_table, register_offsets, table_writes, weight_writes
from moefetch.hw.row_layout import paged_layout
from moefetch.sim.profile import Profile
from moefetch.sim.replay_program import table_rows, weight_rows
from moefetch.sim.weight_profile import WeightProfile
from unit_scenes import CONFIG

OFFSETS, FIELDS = register_offsets(CONFIG), field_table(CONFIG)
TABLE_PORT = "WEIGHT_DATA" if CONFIG.weight_ways else "TABLE_DATA"
"""The register through which tables are loaded and read."""


class LoadedTables:
    """Random tables for every predictor: `profile` for ST-MoE's, `weights` for that of weights or None."""

    def __init__(self, rng, settings):
        self._n_experts = settings["n_experts"]
        shape = (settings["n_layers"], self._n_experts, CONFIG.max_top_k)
        rows = [rng.sample(range(shape[1]), shape[2]) for _ in range(shape[0] * shape[1])]
        self.profile = Profile(np.array(rows, np.uint16).reshape(shape))
        self.weights = None
        if "weights" in CONFIG.predictors:
            rules = CONFIG.weight_rules
            shape = (settings["n_layers"], len(rules.sources), self._n_experts, self._n_experts)
            weights = [rng.randint(rules.lowest, rules.highest) for _ in range(np.prod(shape))]
            self.weights = WeightProfile(rules, np.array(weights, np.int8).reshape(shape))

    def writes(self):
        """Yield the register writes that load all tables."""
        for index, name in enumerate(CONFIG.predictors):
            if name == "weights":
                yield from weight_writes(CONFIG, weight_rows(self.weights))
            else:
                yield from table_writes(CONFIG, index, table_rows(self.profile))

    async def read(self, registers, *place):
        """Read a row through the registers: of (layer, row) its entries, of (layer, source, expert) its weights."""
        weights = CONFIG.weight_ways
        names = ("weight_layer", "weight_source", "weight_row") if weights else ("table_layer", "table_row")
        address = sum(value << FIELDS[name].lsb for name, value in zip(names, place, strict=True))
        await registers.write([(OFFSETS["WEIGHT_ADDRESS" if weights else "TABLE_ADDRESS"], address)])
        n_words = -(-self._n_experts // 4) if weights else CONFIG.max_top_k
        words = [await registers.read(OFFSETS[TABLE_PORT]) for _ in range(n_words)]
        if weights:
            return np.array(words, "<u4").view(np.int8)[: self._n_experts].tolist()
        return [(word & 0xFFFF, word >> FIELDS["table_confidence"].lsb) for word in words]


def golden_rows(golden):
    """Return place -> row as the golden predictor has it, none without one."""
    if golden is None:
        return {}
    if CONFIG.weight_ways:
        return {place: golden.tables[place].tolist() for place in np.ndindex(golden.tables.shape[:3])}
    return {
        (layer, row): entries for layer in range(golden.n_layers) for row, entries in enumerate(golden.cct_rows(layer))
    }


class TableMemory:
    """A predictor's tables in memory; a burst fails now and then where the scene has transient errors.

    `n_failed` counts bursts that failed; none does so more than `retries` times in a row.
    """

    def __init__(self, rng, scene, settings):
        self._rng, self._scene, self._settings = rng, scene, settings
        self.layout = paged_layout(CONFIG)
        self.base = settings["table_base"]
        self.data = bytearray(self.layout.page_bytes << self.layout.page_bits)
        self.n_failed = 0
        self._in_a_row = 0
        self._failing = None

    def __contains__(self, address):
        return self.base <= address < self.base + len(self.data)

    def begin(self, address, words):
        """Choose whether the burst that begins fails, and at which word."""
        assert address % 4096 + words * CONFIG.bus_bytes <= 4096 and address in self
        fails = self._in_a_row < self._settings["retries"] and self._rng.random() < self._scene.transient / 2
        self._in_a_row = self._in_a_row + 1 if fails else 0
        self._failing = address + CONFIG.bus_bytes * self._rng.randrange(words) if fails else None
        self.n_failed += fails

    def _meet(self, address):
        if address == self._failing:
            raise OSError("injected")
        return address - self.base

    def read(self, address, length):
        """Return bytes, or raise for an error response."""
        start = self._meet(address)
        return bytes(self.data[start : start + length])

    async def write(self, address, data):
        """Take bytes, or raise for an error response."""
        start = self._meet(address)
        self.data[start : start + len(data)] = data

    def row(self, *place):
        """Return a row's entries or weights."""
        start = self.layout.row_offset(*place)
        return self.layout.decode_row(self.data[start : start + self.layout.row_bytes])
