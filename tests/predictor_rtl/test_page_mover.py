"""Does a page move in whole, in no more bursts and cycles than stated, and does no error stop it?"""

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.table_layout import TableLayout
from moefetch.predictor_rtl.page_mover import PageMover

from .page_memory import PageMemory

# A page of 4 groups of 16 words.
CONFIG = UNIT_PRESETS["tiny"].replace(max_experts=64, predictors=("st_moe",), table_window=3)
LAYOUT = TableLayout(CONFIG)


class Bench:
    """A mover between a bank of words and a memory."""

    def __init__(self, *, burst_beats=256, retries=0, **memory):
        self.mover = PageMover(config=CONFIG)
        self.memory = PageMemory(CONFIG, "mover", retries=retries, **memory)
        self.memory.data[:] = bytes(self.memory.rng.randrange(256) for _ in self.memory.data)
        self.bank = [self.memory.rng.getrandbits(32) for _ in range(LAYOUT.words)]
        self.control = {"enable": 1, "burst_beats": burst_beats, "retries": retries}
        self.cycle = self.done = self.busy_bus = 0
        self.pulses = {"error": 0, "retry": 0, "lost": 0, "written": 0}

    def page(self, layer):
        """Return a layer's words in memory."""
        start = layer * LAYOUT.page_bytes
        raw = self.memory.data[start : start + LAYOUT.page_bytes]
        return [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]

    def move(self, *, load, changed, layer=2, old_layer=1):
        """Run one move; `done` is the cycles from start to it."""
        simulator = Simulator(self.mover)
        simulator.add_clock(1e-6)

        async def serve(ctx):
            await self.memory.serve(ctx, self.mover.bus)

        async def main(ctx):
            mover = self.mover
            ctx.set(mover.control, self.control)
            ctx.set(mover.changed, changed)
            ctx.set(mover.order, {"load": load, "bank": 1, "page": layer, "old_page": old_layer})
            ctx.set(mover.start, 1)
            await ctx.tick()
            ctx.set(mover.start, 0)
            while not self.done:
                await ctx.tick()
                assert self.cycle < 4000, "the mover hangs"

        simulator.add_process(self._watch)
        simulator.add_testbench(serve, background=True)
        simulator.add_testbench(main)
        simulator.run()

    async def _watch(self, ctx):
        mover, bus = self.mover, self.mover.bus
        signals = (mover.read, mover.fill, mover.word, mover.fill_data, mover.done, bus.request.valid, bus.done)
        waiting = False
        async for _, _, read, fill, word, filled, done, requested, ended, *pulses in ctx.tick().sample(
            *signals, *(getattr(mover, name) for name in self.pulses)
        ):
            if read:
                ctx.set(mover.data, self.bank[word])
            if fill:
                self.bank[word] = filled
            waiting |= requested
            self.busy_bus += waiting
            waiting &= not ended
            for name, pulse in zip(self.pulses, pulses, strict=True):
                self.pulses[name] += pulse
            if done:
                self.done = self.cycle
            self.cycle += 1


@pytest.mark.parametrize(("load", "changed"), [(1, 0b0000), (1, 0b1010), (0, 0b0000), (0, 0b1001)])
def test_cycles_bursts_and_words(load, changed):
    bench = Bench()
    kept = list(bench.bank)
    before = bench.page(1)
    bench.move(load=load, changed=changed)
    assert bench.done == (2 * LAYOUT.groups + 2 if load else LAYOUT.groups + 1) + bench.busy_bus
    writes = [(layer, word) for write, layer, word, beats, _ in bench.memory.log if write and beats == 16]
    assert writes == [(1, 16 * group) for group in range(4) if changed >> group & 1]
    expected = [kept[k] if changed >> k // 16 & 1 else word for k, word in enumerate(before)]
    assert bench.page(1) == expected
    assert bench.bank == (bench.page(2) if load else kept)
    assert len(bench.memory.log) == len(writes) + 4 * load
    assert bench.pulses == {"error": 0, "retry": 0, "lost": 0, "written": 1}


@pytest.mark.parametrize("burst_beats", [0, 1, 5, 16])
def test_no_burst_is_longer_than_set(burst_beats):
    bench = Bench(burst_beats=burst_beats, delay=(0, 0), gap=0)
    kept = list(bench.bank)
    bench.move(load=1, changed=0b0100)
    assert max(beats for *_, beats, _ in bench.memory.log) == max(1, burst_beats)
    assert bench.page(1)[32:48] == kept[32:48] and bench.bank == bench.page(2)


def test_errors_are_repeated_and_given_up():
    """The second write and the third read fail for ever, the first of each once."""
    failing = {(True, 256 + 128): 99, (False, 512 + 128): 99, (True, 256): 1, (False, 512): 1}
    bench = Bench(retries=2, error=lambda write, address, attempt: attempt < failing.get((write, address), 0))
    lost = []
    bench.memory.given_up = lambda write, addresses: lost.append((write, addresses))
    kept, before = list(bench.bank), bench.page(1)
    bench.move(load=1, changed=0b0101)
    assert bench.page(1) == kept[:16] + before[16:]
    assert [write for write, _ in lost] == [True, False]
    words = bench.page(2)
    words[(lost[1][1][0] - 512) // 4] = 0
    assert bench.bank == words
    assert bench.pulses == {"error": 8, "retry": 6, "lost": 2, "written": 1}
