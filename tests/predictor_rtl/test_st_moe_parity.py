"""Is a flipped bit of a correlation or history table told, and the prediction that of a table without that row?"""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.st_moe import StMoePredictor
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.st_moe import StMoe

from .bench import Bench, make_rng, random_events

CONFIG = UNIT_PRESETS["tiny"].replace(parity=True, predictors=("st_moe",), max_top_k=4)
LAYERS, EXPERTS = 4, 8
ENTRY_BITS = CONFIG.expert_bits + 2 + 1


def test_every_bit_of_a_row_and_of_a_history():
    """Before an event a bit flips of a row that it reads or teaches, or of the history that it reads.

    The golden predictor is given an empty row, or no history, in that place. All rows are right again once taught.
    """
    rng = make_rng(4)
    bench = Bench(CONFIG, n_layers=LAYERS, n_experts=EXPERTS, dut=StMoePredictor(config=CONFIG))
    golden = StMoe(LAYERS, EXPERTS, CONFIG.max_top_k, min_score=2, wrap=True)
    row_bits = [(entry, bit) for entry in range(CONFIG.max_top_k) for bit in range(ENTRY_BITS)]
    flips = [("row", *place) for place in row_bits * 2] + [("history", bit) for bit in range(EXPERTS + 1)]
    rng.shuffle(flips)
    told = 0

    async def watch(ctx):
        nonlocal told
        async for _, _, wrong in ctx.tick().sample(bench.dut.parity_error):
            told += wrong

    async def testbench(ctx):
        nonlocal told
        members: tuple[int, ...] = ()
        for event in random_events(rng, 1 << 9, LAYERS, EXPERTS, 2):
            if not flips:
                break
            members, target = event.members, (event.layer + 1) % LAYERS
            void = event.sequence_start or golden.history(target) is None
            kind, *place = flips.pop() if not (flips[-1][0] == "history" and void) else ("none",)
            victim = rng.choice(members)
            if kind == "row" and not bench.flip_row(ctx, event.layer, victim, *place):
                flips.append((kind, *place))
                kind = "none"
            if kind == "row":
                golden._cct_experts[event.layer][victim] = list(range(CONFIG.max_top_k))
                golden._cct_confidences[event.layer][victim] = [0] * CONFIG.max_top_k
            elif kind == "history":
                bench.flip_history(ctx, target, *place)
                golden._history[target] = None
            before = told
            bench.candidates.clear()
            await bench.send(ctx, event)
            await bench.settle(ctx)
            named = golden.step(PredictorEvent(event.event, event.layer, event.sequence_start, members))
            assert bench.candidates == [tuple(candidate) for candidate in named], (event, kind, place)
            assert told > before or kind == "none"
        assert not flips

    bench.run(testbench, watch)
    assert told >= len(row_bits) * 2


def test_table_port_reads_a_wrong_row_as_empty():
    bench = Bench(CONFIG, n_layers=LAYERS, n_experts=EXPERTS, dut=StMoePredictor(config=CONFIG))

    async def testbench(ctx):
        table = bench.dut.table
        ctx.set(table.layer, 1)
        ctx.set(table.row, 5)
        for entry in range(CONFIG.max_top_k):
            for name, value in (("entry", entry), ("expert", 7), ("confidence", 3), ("write", 1)):
                ctx.set(getattr(table, name), value)
            await ctx.tick()
        ctx.set(table.write, 0)

        async def read(entry):
            ctx.set(table.entry, entry)
            ctx.set(table.read, 1)
            await ctx.tick()
            ctx.set(table.read, 0)
            told = ctx.get(bench.dut.parity_error)
            await ctx.tick()
            return ctx.get(table.read_expert), ctx.get(table.read_confidence), told

        assert [await read(entry) for entry in range(2)] == [(7, 3, 0)] * 2
        bench.flip_row(ctx, 1, 5, 2, 0)
        assert [await read(entry) for entry in range(2)] == [(0, 0, 1), (1, 0, 1)]

    bench.run(testbench)
