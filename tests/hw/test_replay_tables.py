"""Does the replay's memory take and give the tables' words, in the cycles of its docstring?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.page_channel import TABLES
from moefetch.hw.replay_memory import ReplayMemory
from moefetch.hw.replay_pattern import pattern

from .clocked import run_clocked

CONFIG = UNIT_PRESETS["tiny"].replace(predictors=("st_moe",), table_window=3)
BASE = 1 << 40


@pytest.mark.parametrize(("latency", "per_beat"), [(1, 1), (5, 3), (0, 0)])
def test_a_burst_is_written_word_by_word_and_read_again(latency, per_beat):
    words = [0x11111111, 0x22222222, 0x33333333]
    stored = {}

    async def testbench(ctx, dut):
        axi, tables = dut.axi, dut.tables
        cycle, taken = 0, []
        ctx.set(dut.latency, latency)
        ctx.set(dut.cycles_per_beat, per_beat)
        ctx.set(dut.outstanding, 4)
        ctx.set(axi.rready, 1)
        ctx.set(axi.bready, 1)
        ctx.set(axi.awaddr, BASE + 8)
        ctx.set(axi.awid, TABLES)
        ctx.set(axi.awvalid, 1)
        ctx.set(axi.wvalid, 1)
        while not ctx.get(axi.bvalid):
            ctx.set(axi.wdata, words[min(len(taken), 2)])
            ctx.set(axi.wlast, len(taken) == 2)
            sampled = await ctx.tick().sample(axi.awready, tables.write, tables.write_index, tables.write_word)
            _, _, addressed, write, index, word = sampled
            if addressed:
                ctx.set(axi.awvalid, 0)
            if write:
                stored[index] = word
                taken.append(cycle)
                ctx.set(axi.wvalid, len(taken) < 3)
            cycle += 1
            assert cycle < 50
        assert stored == {2 + place: word for place, word in enumerate(words)}
        assert taken == [max(1, per_beat) * (place + 1) for place in range(3)]
        assert cycle == taken[-1] + max(1, latency) and ctx.get(axi.bid) == TABLES and not ctx.get(axi.bresp)
        await ctx.tick()
        assert not ctx.get(axi.bvalid)
        assert await read(ctx, dut, BASE + 8, TABLES) == words
        assert await read(ctx, dut, BASE + 8, 1) == [pattern(BASE + 8 + 4 * place) for place in range(3)]

    async def read(ctx, dut, address, burst_id):
        axi, found = dut.axi, []
        ctx.set(axi.araddr, address)
        ctx.set(axi.arlen, 2)
        ctx.set(axi.arid, burst_id)
        ctx.set(axi.arvalid, 1)
        await ctx.tick()
        ctx.set(axi.arvalid, 0)
        while len(found) < 3:
            ctx.set(dut.tables.read_word, stored.get(ctx.get(dut.tables.read_index), 0))
            _, _, valid, word, rid = await ctx.tick().sample(axi.rvalid, axi.rdata, axi.rid)
            if valid:
                found.append(word)
                assert rid == burst_id
        return found

    run_clocked(ReplayMemory(config=CONFIG), testbench)
