"""Does a bank give rows as bus words that lie as `TableLayout` says, and words as rows?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.table_layout import TableLayout
from moefetch.predictor_rtl.page_bank import PageBank

from ..hw.clocked import run_clocked
from .bench import make_rng

TINY = UNIT_PRESETS["tiny"].replace(predictors=("st_moe",), table_window=3)


@pytest.mark.parametrize(
    ("experts", "top_k", "bus_bytes"), [(8, 2, 4), (13, 6, 4), (20, 3, 32), (4, 2, 128), (6, 1, 8)]
)
def test_rows_and_words(experts, top_k, bus_bytes):
    config = TINY.replace(max_experts=experts, max_top_k=top_k, bus_bytes=bus_bytes, slot_bytes=512)
    layout, rng = TableLayout(config), make_rng(f"{experts} {top_k} {bus_bytes}")
    rows = {row: [(place, 0) for place in range(top_k)] for row in range(experts)}
    page = bytearray(layout.page_bytes)

    async def check_rows(ctx, bank):
        for row in rows:
            ctx.set(bank.read_row, row)
            await ctx.tick()
            assert [(entry.expert, entry.confidence) for entry in ctx.get(bank.row)] == rows[row]

    async def drive(ctx, bank):
        await check_rows(ctx, bank)
        for _ in range(3 * experts):
            row, mask = rng.randrange(experts), rng.randrange(1 << top_k)
            new = [(rng.randrange(experts), rng.randrange(4)) for _ in range(top_k)]
            ctx.set(bank.write_row, row)
            ctx.set(bank.write, mask)
            ctx.set(bank.entries, [{"expert": expert, "confidence": confidence} for expert, confidence in new])
            await ctx.tick()
            rows[row] = [new[k] if mask >> k & 1 else old for k, old in enumerate(rows[row])]
        ctx.set(bank.write, 0)
        await check_rows(ctx, bank)
        ctx.set(bank.moving, 1)
        for row, entries in rows.items():
            start = layout.row_offset(0, row)
            page[start : start + layout.row_bytes] = layout.encode_row(entries)
        for word in range(layout.words):
            ctx.set(bank.word_index, word)
            ctx.set(bank.read_word, 1)
            await ctx.tick()
            ctx.set(bank.read_word, 0)
            ctx.set(bank.word_index, rng.randrange(layout.words))
            await ctx.tick()
            assert ctx.get(bank.word).to_bytes(bus_bytes, "little") == page[word * bus_bytes :][:bus_bytes], word
        for row in rows:
            rows[row] = [(rng.randrange(experts), rng.randrange(4)) for _ in range(top_k)]
            start = layout.row_offset(0, row)
            page[start : start + layout.row_bytes] = layout.encode_row(rows[row])
        ctx.set(bank.fill, 1)
        for word in rng.sample(range(layout.words), layout.words):
            ctx.set(bank.word_index, word)
            ctx.set(bank.fill_word, int.from_bytes(page[word * bus_bytes :][:bus_bytes], "little"))
            await ctx.tick()
        ctx.set(bank.moving, 0)
        await check_rows(ctx, bank)

    run_clocked(PageBank(config=config), drive)
