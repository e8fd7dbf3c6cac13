"""Does the transmitter send each character as 8N1, each bit for `divisor` cycles, and how often?"""

import random
from itertools import pairwise

import pytest
from amaranth.sim import Simulator
from moefetch.hw.fpga.uart import UartTransmitter


def line_of(divisor, characters, *, pauses=(), cycles=None):
    """Return the line in every cycle from the first one of the first offer on, and the cycles of the takes."""
    dut = UartTransmitter(divisor=divisor)
    waits = iter(pauses)
    samples, taken = [], []

    async def offer(ctx):
        for character in characters:
            await ctx.tick().repeat(next(waits, 0) + 1) if samples else None
            ctx.set(dut.characters.payload, character)
            ctx.set(dut.characters.valid, 1)
            while True:
                _, _, ready = await ctx.tick().sample(dut.characters.ready)
                if ready:
                    break
            taken.append(len(samples) - 1)
            ctx.set(dut.characters.valid, 0)

    async def sample(ctx):
        for _ in range(cycles or (10 * divisor + 2 + max(pauses, default=0)) * (len(characters) + 1)):
            _, _, tx = await ctx.tick().sample(dut.tx)
            samples.append(tx)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(sample)
    sim.add_testbench(offer)
    sim.run()
    return samples, taken


def decode(samples, divisor):
    """Return the characters on a line, each bit read in every cycle that it has."""
    found, at = [], 0
    while 0 in samples[at:]:
        at = samples.index(0, at)
        bits = [samples[at + bit * divisor : at + (bit + 1) * divisor] for bit in range(10)]
        assert all(len(set(bit)) == 1 and len(bit) == divisor for bit in bits), "a bit is not as long as it must be"
        assert bits[0][0] == 0 and bits[9][0] == 1, "no start or no stop bit"
        found.append(sum(bits[place + 1][0] << place for place in range(8)))
        at += 10 * divisor
    return found


@pytest.mark.parametrize("divisor", [1, 2, 7])
def test_characters_arrive_whatever_the_pauses(divisor):
    rng = random.Random(divisor)
    characters = [0x00, 0xFF, 0x55, *(rng.randrange(256) for _ in range(9))]
    samples, _ = line_of(divisor, characters, pauses=[rng.choice((0, 0, 1, 25)) for _ in characters])
    assert decode(samples, divisor) == characters


def test_the_start_bit_follows_by_the_latency():
    samples, taken = line_of(3, [0x41])
    assert samples[: taken[0] + UartTransmitter.latency] == [1] * (taken[0] + UartTransmitter.latency)
    assert samples[taken[0] + UartTransmitter.latency] == 0


def test_throughput_is_a_character_every_ten_bits_and_a_cycle():
    dut = UartTransmitter(divisor=4)
    taken = []

    async def hold(ctx):
        ctx.set(dut.characters.valid, 1)
        for cycle in range(130):
            _, _, ready = await ctx.tick().sample(dut.characters.ready)
            if ready:
                taken.append(cycle)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(hold)
    sim.run()
    assert [after - before for before, after in pairwise(taken)] == [41, 41, 41]


def test_a_divisor_of_nothing_is_refused():
    with pytest.raises(ValueError, match="divisor = 0: must be at least 1"):
        UartTransmitter(divisor=0)
