"""Does a processing element read its slot, compare every word, and release at the promised cycle?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.records import GrantStatus
from moefetch.hw.replay_element import ReplayElement
from moefetch.hw.replay_pattern import pattern

CONFIG = UNIT_PRESETS["tiny"].replace(slot_bytes=64)
BASE, LAYER_STRIDE, EXPERT_STRIDE = 0x12_3456_7000, 1 << 20, 1 << 12


def address_of(grant):
    return BASE + grant["layer"] * LAYER_STRIDE + grant["expert"] * EXPERT_STRIDE


def play(grants, *, expert_cycles, expert_beats, lost=lambda cycle: False, wrong=()):
    """Give grants one after another; return (cycles from grant to release, words, wrong words) of each.

    `wrong` are numbers of words that come back changed.
    """
    dut = ReplayElement(config=CONFIG)
    results = []

    async def drive(ctx):
        for name, value in {
            "expert_cycles": expert_cycles, "expert_beats": expert_beats, "base": BASE, "layer_stride": LAYER_STRIDE,
            "expert_stride": EXPERT_STRIDE,
        }.items():  # fmt: skip
            ctx.set(getattr(dut, name), value)
        for grant in grants:
            ctx.set(dut.grant.payload, grant)
            ctx.set(dut.grant.valid, 1)
            assert ctx.get(dut.grant.ready)
            await ctx.tick()
            ctx.set(dut.grant.valid, 0)
            cycle = words = wrongs = read = 0
            while True:
                cycle += 1
                assert not ctx.get(dut.grant.ready), "one expert at a time"
                if ctx.get(dut.release.valid):
                    break
                ctx.set(dut.read.ready, not lost(cycle))
                took, beat = ctx.get(dut.read.valid & dut.read.ready), ctx.get(dut.read.beat)
                assert not took or (ctx.get(dut.read.slot), beat) == (grant["slot"], read)
                await ctx.tick()
                word = pattern(address_of(grant) + beat * CONFIG.bus_bytes)
                ctx.set(dut.read.data, word ^ (took and read in wrong) if took else 0)
                read += took
                words, wrongs = words + ctx.get(dut.word), wrongs + ctx.get(dut.wrong_word)
                assert cycle < 1000
            payload = ctx.get(dut.release.payload)
            assert {name: payload[name] for name in ("layer", "expert", "slot", "status")} == grant
            for _ in range(2):  # waits for ready
                await ctx.tick()
                assert ctx.get(dut.release.valid)
            ctx.set(dut.release.ready, 1)
            await ctx.tick()
            ctx.set(dut.release.ready, 0)
            results.append((cycle, words, wrongs))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(drive)
    simulator.run()
    return results


def grant(status=GrantStatus.HIT, layer=1, expert=5, slot=3):
    return {"layer": layer, "expert": expert, "slot": slot, "status": status}


@pytest.mark.parametrize("beats", [1, 2, 5, 16])
@pytest.mark.parametrize("cycles", [1, 2, 3, 7, 18, 40])
def test_latency(cycles, beats):
    every = [grant(), grant(GrantStatus.LATE, layer=2), grant(GrantStatus.MISS, expert=7, slot=0)]
    found = play(every, expert_cycles=cycles, expert_beats=beats)
    assert found == [(max(cycles, beats + 2), beats, 0)] * 3


@pytest.mark.parametrize(("cycles", "beats"), [(4, 16), (40, 16), (40, 3)])
def test_every_lost_read_costs_a_cycle(cycles, beats):
    lost = [2, 3, 4, 9]
    [(cycle, words, wrong)] = play([grant()], expert_cycles=cycles, expert_beats=beats, lost=lost.__contains__)
    n_lost = len(lost) if beats > 4 else 3
    assert (cycle, words, wrong) == (max(cycles, beats + 2) + n_lost, beats, 0)


def test_an_error_grant_is_released_unread_in_the_next_cycle():
    assert play([grant(GrantStatus.ERROR)], expert_cycles=9, expert_beats=4) == [(1, 0, 0)]


def test_wrong_words_are_counted():
    assert play([grant()] * 2, expert_cycles=1, expert_beats=16, wrong=(0, 7, 15)) == [(18, 16, 3)] * 2


def test_random_losses():
    print("seed 1")
    rng = random.Random(1)
    for _ in range(10):
        misses = {cycle for cycle in range(1, 60) if rng.random() < 0.4}
        [(_, words, wrong)] = play([grant()], expert_cycles=5, expert_beats=16, lost=misses.__contains__)
        assert (words, wrong) == (16, 0)
