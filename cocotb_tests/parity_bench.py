"""cocotb tests of an emitted unit with parity: bits of its memories flip at any time, of every word in turn.

Every word of every granted expert is compared with memory, each event's grants with its members, and the counters with
their laws. What the unit decides differs from the golden model's, which knows no faults.
"""

import os

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge
from moefetch.hw.records import Kind
from moefetch.sim.golden.event import collect_event
from unit_bench import CONFIG, SEEDS, Bench
from unit_scenes import SCENES

PARITY_ERROR = 1 << 7
LANES = {"keys": CONFIG.scan_lanes, "ticks": CONFIG.scan_lanes, "stamps": CONFIG.scan_lanes, "rows": CONFIG.max_top_k}


class Members:
    """Stands in for the golden model: knows only whom each event must grant, once each."""

    faults = 0

    def __init__(self, settings):
        self._settings = settings
        self._offered, self._granted = [], []

    def offer_event(self, beats):
        """Take an event's router beats."""
        settings = self._settings
        self._offered.append(collect_event(beats, settings.n_layers, settings.n_experts, settings.top_k))

    def offer_hints(self, beats):
        """Hints decide nothing here."""

    def check_grant(self, layer, expert, slot, status):
        """Note a grant."""
        self._granted.append((layer, expert))

    def check(self, record, cycle):
        """At an event's end require its grants."""
        if record.kind == Kind.END:
            event = self._offered.pop(0)
            assert sorted(self._granted) == sorted((event.layer, expert) for expert in event.members)
            self._granted.clear()

    def finish(self):
        """Return the counters that are known."""
        return {}


class FlippingBench(Bench):
    """Plays a scene while bits flip; a word is left alone while it is wrong already."""

    def __init__(self, dut, name, seed):
        super().__init__(dut, name, seed)
        self.model = self.world.model = Members(self.model.settings)
        self.flips = 0
        self._memories = []
        for memory in os.environ["UNIT_MEMORIES"].split():
            handle, width, depth = memory.split(":")
            lanes = next((count for name, count in LANES.items() if handle.endswith("__" + name)), 1)
            self._memories.append((getattr(dut, handle), int(width) // lanes, lanes, int(depth)))
        self._striker = cocotb.start_soon(self._strike())

    async def _strike(self):
        rng = self.rng
        while True:
            await ClockCycles(self.dut.clk, rng.randint(1, 25))
            await FallingEdge(self.dut.clk)
            memory, width, lanes, depth = rng.choice(self._memories)
            word = memory[rng.randrange(depth)]
            place = rng.randrange(lanes) * width
            held = int(word.value)
            if (held >> place & (1 << width) - 1).bit_count() % 2 == 0:
                word.value = held ^ 1 << place + rng.randrange(width)
                self.flips += 1

    async def _check_end(self):
        self._striker.cancel()
        counters = await self._counters()
        assert counters["parity_errors"] > 5 and self.flips > 50, "the scene meets too few flips"
        self.expected_causes |= PARITY_ERROR
        await super()._check_end()

    async def _check_invalidations(self):
        """Words that are wrong still are not to be named."""


@cocotb.test()
@cocotb.parametrize(name=list(SCENES), seed=SEEDS)
async def flips(dut, name, seed):
    await FlippingBench(dut, name, seed).play()
