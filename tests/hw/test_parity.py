"""Is any single flipped bit of a stored word noticed, and none where there is none?"""

import pytest
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.parity import is_wrong, stored_bits, stored_word, word_of

TINY = UNIT_PRESETS["tiny"]


@pytest.mark.parametrize("width", [1, 3, 8])
def test_every_word_and_every_flip(width):
    config = TINY.replace(parity=True)
    word, flips = Signal(width), Signal(width + 1)
    found, wrong = Signal(width), Signal()
    module = Module()
    stored = stored_word(config, word) ^ flips
    module.d.comb += [found.eq(word_of(config, stored)), wrong.eq(is_wrong(config, stored))]
    simulator = Simulator(module)

    async def testbench(ctx):
        for value in range(1 << width):
            ctx.set(word, value)
            ctx.set(flips, 0)
            assert ctx.get(found) == value and not ctx.get(wrong)
            for bit in range(width + 1):
                ctx.set(flips, 1 << bit)
                assert ctx.get(wrong)

    simulator.add_testbench(testbench)
    simulator.run()


def test_without_parity_nothing_is_added():
    word = Signal(5)
    assert stored_bits(TINY, 5) == 5 and stored_word(TINY, word) is word
    assert isinstance(is_wrong(TINY, word), Const)
    assert len(Value.cast(word_of(TINY, word))) == 5


def test_paged_tables_have_no_parity():
    with pytest.raises(ValueError, match="parity = True: needs table_window = 0"):
        TINY.replace(parity=True, table_window=3, predictors=("st_moe",))
