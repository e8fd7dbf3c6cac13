"""Are the digits those of the number, and do they come when the docstring says?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.fpga.decimal import DecimalDigits


def texts_of(width, numbers, *, seed=None):
    """Return each number's text, and the cycles from taking it to its first character."""
    dut = DecimalDigits(width=width)
    rng = random.Random(seed)
    texts, waits = [], []

    async def bench(ctx):
        for number in numbers:
            ctx.set(dut.number.payload, number)
            ctx.set(dut.number.valid, 1)
            _, _, ready = await ctx.tick().sample(dut.number.ready)
            assert ready
            ctx.set(dut.number.valid, 0)
            text, cycle = "", 0
            while True:
                take = seed is None or rng.random() < 0.5
                ctx.set(dut.characters.ready, take)
                cycle += 1
                _, _, valid, character, ready = await ctx.tick().sample(
                    dut.characters.valid, dut.characters.payload, dut.number.ready
                )
                if ready:
                    break
                if valid and not text and len(waits) == len(texts):
                    waits.append(cycle)
                if valid and take:
                    text += chr(character)
            ctx.set(dut.characters.ready, 0)
            texts.append(text)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return texts, waits


@pytest.mark.parametrize("width", [1, 3, 4, 17, 48])
def test_digits_are_those_of_the_number(width):
    rng = random.Random(width)
    most = (1 << width) - 1
    numbers = [0, 1, most, *(n for n in (9, 10, 99, 100, 999) if n <= most), *(rng.randint(0, most) for _ in range(8))]
    assert texts_of(width, numbers, seed=width)[0] == [str(number) for number in numbers]


def test_a_leading_zero_costs_a_cycle():
    width, digits = 17, 6
    texts, waits = texts_of(width, [0, 7, 42, 131071])
    assert waits == [width + 1 + digits - len(text) for text in texts] == [23, 23, 22, 18]


def test_a_number_of_no_bits_is_refused():
    with pytest.raises(ValueError, match="width = 0: must be at least 1"):
        DecimalDigits(width=0)
