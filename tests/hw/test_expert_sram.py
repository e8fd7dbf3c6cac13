"""Does the expert SRAM serve the writer and every reader at once, and does the right one lose a bank?"""

import random

import pytest
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.expert_sram import ExpertSram

from .clocked import run_clocked

TINY = UNIT_PRESETS["tiny"]
ODD_BANKS = TINY.replace(slots=12, banks=3, slot_bytes=96, n_pe=5, scan_lanes=4)
ONE_BANK = TINY.replace(banks=1, n_pe=3)
BANK_OF_ONE_WORD = TINY.replace(slots=4, banks=4, slot_bytes=64, bus_bytes=64, n_pe=1)
ALL_BANKS = UnitConfig(slots=8, slot_bytes=128, banks=8, n_pe=7, scan_lanes=8)


def simulate(config, testbench):
    run_clocked(ExpertSram(config=config), testbench)


def drive_write(ctx, dut, access):
    """Offer `access`, a (slot, beat, word), or nothing."""
    ctx.set(dut.write.valid, access is not None)
    if access is not None:
        for name, value in zip(("slot", "beat", "data"), access, strict=True):
            ctx.set(getattr(dut.write, name), value)


def drive_read(ctx, port, access):
    """Ask for `access`, a (slot, beat), or nothing."""
    ctx.set(port.valid, access is not None)
    if access is not None:
        ctx.set(port.slot, access[0])
        ctx.set(port.beat, access[1])


def random_place(rng, config):
    return rng.randrange(config.slots), rng.randrange(config.slot_beats)


async def fill(ctx, dut, config, rng):
    """Write every word once; return them."""
    words = {}
    for slot in range(config.slots):
        for beat in range(config.slot_beats):
            words[slot, beat] = rng.randrange(1 << config.bus_bytes * 8)
            drive_write(ctx, dut, (slot, beat, words[slot, beat]))
            await ctx.tick()
    drive_write(ctx, dut, None)
    await ctx.tick()
    return words


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("config", [TINY, ODD_BANKS, ONE_BANK, BANK_OF_ONE_WORD, ALL_BANKS], ids=lambda c: c.digest)
def test_random_traffic_matches_a_dictionary(config, seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    lost = served = 0

    async def bench(ctx, dut):
        nonlocal lost, served
        words = await fill(ctx, dut, config, rng)
        landing = None  # the write that has its bank in this cycle
        asked = [None] * config.n_pe
        for _ in range(600):
            write = None
            if rng.random() < 0.5:
                write = (*random_place(rng, config), rng.randrange(1 << config.bus_bytes * 8))
            drive_write(ctx, dut, write)
            for p, port in enumerate(dut.read):
                if asked[p] is None and rng.random() < 0.7:
                    asked[p] = random_place(rng, config)
                drive_read(ctx, port, asked[p])
            expected = {}
            busy = {landing[0] % config.banks} if landing else set()
            for p, port in enumerate(dut.read):
                if asked[p] is None:
                    assert not ctx.get(dut.conflict) >> p & 1
                    continue
                bank = asked[p][0] % config.banks
                assert ctx.get(port.ready) == (bank not in busy)
                assert ctx.get(dut.conflict) >> p & 1 == (bank in busy)
                if bank not in busy:
                    expected[p] = words[asked[p]]
                    asked[p] = None
                lost, served = lost + (bank in busy), served + (bank not in busy)
                busy.add(bank)
            await ctx.tick()
            if landing:
                words[landing[:2]] = landing[2]
            landing = write
            for p, word in expected.items():
                assert ctx.get(dut.read[p].data) == word

    simulate(config, bench)
    assert lost > 0 and served > 0


def test_writer_and_all_readers_work_at_once_in_different_banks():
    async def bench(ctx, dut):
        words = await fill(ctx, dut, ALL_BANKS, random.Random(3))
        drive_write(ctx, dut, (7, 1, 99))
        await ctx.tick()
        for beat in range(ALL_BANKS.slot_beats):
            drive_write(ctx, dut, (7, beat, 100 + beat))
            for p, port in enumerate(dut.read):
                drive_read(ctx, port, (p, beat))
            assert all(ctx.get(port.ready) for port in dut.read)
            assert ctx.get(dut.conflict) == 0
            await ctx.tick()
            assert [ctx.get(port.data) for port in dut.read] == [words[p, beat] for p in range(7)]

    simulate(ALL_BANKS, bench)


def test_latencies():
    async def bench(ctx, dut):
        port = dut.read[0]
        drive_write(ctx, dut, (2, 5, 0xABCD))
        drive_read(ctx, port, (2, 5))
        for _ in range(dut.write_latency):
            assert ctx.get(port.ready), "n - 1: the bank is still free"
            await ctx.tick()
            drive_write(ctx, dut, None)
        assert not ctx.get(port.ready), "n: the writer has the bank"
        await ctx.tick()
        assert ctx.get(port.ready)
        for _ in range(dut.latency):
            assert ctx.get(port.data) != 0xABCD, "n - 1"
            await ctx.tick()
        assert ctx.get(port.data) == 0xABCD, "n"

    simulate(TINY, bench)
