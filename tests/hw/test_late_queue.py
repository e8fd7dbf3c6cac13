"""Is the queue Amaranth's own buffered FIFO, cycle by cycle, whatever is offered and not pushed?"""

import gc
import random
import warnings

import pytest
from amaranth.hdl import Module, ResetInserter, Signal, UnusedElaboratable
from amaranth.lib.fifo import SyncFIFOBuffered
from moefetch.hw.late_queue import LateQueue

from .clocked import run_clocked

WIDTH = 16


@pytest.mark.parametrize("depth", [2, 3, 4, 6, 9])
@pytest.mark.parametrize(("pushes", "takes"), [(0.9, 0.3), (0.3, 0.9), (0.6, 0.6), (1, 1)])
def test_it_is_the_librarys_fifo_in_every_cycle(depth, pushes, takes):
    """Filled, drained, full and reset; a word that is offered and not pushed is lost, and takes no other's place."""
    print("seed 2")
    rng = random.Random(2)
    queue, library = LateQueue(shape=WIDTH, depth=depth), SyncFIFOBuffered(width=WIDTH, depth=depth)
    m, reset = Module(), Signal()
    m.submodules.queue, m.submodules.library = ResetInserter(reset)(queue), ResetInserter(reset)(library)
    seen = {"full": 0, "empty": 0, "lost": 0}

    async def run(ctx, _):
        for _ in range(1000):
            offer, word, ready = rng.random() < 0.9, rng.getrandbits(WIDTH), rng.random() < takes
            push = offer and rng.random() < pushes
            for signal, value in (
                (queue.offer, offer), (queue.word, word), (queue.push, push), (queue.oldest.ready, ready),
                (library.w_data, word), (library.w_en, push), (library.r_en, ready),
                (reset, rng.random() < 0.005),
            ):  # fmt: skip
                ctx.set(signal, value)
            valid = ctx.get(queue.oldest.valid)
            assert (ctx.get(queue.has_room), valid) == (ctx.get(library.w_rdy), ctx.get(library.r_rdy))
            level = ctx.get(library.level)
            assert (ctx.get(queue.level), ctx.get(queue.empty)) == (level, level == 0)
            if valid:
                assert ctx.get(queue.oldest.payload) == ctx.get(library.r_data)
            seen["full"] += not ctx.get(queue.has_room)
            seen["empty"] += not valid
            seen["lost"] += offer and not push
            await ctx.tick()

    run_clocked(m, run)
    assert seen["full"] > 20 or pushes <= takes
    assert seen["empty"] > 20 or pushes > takes or pushes == 1
    assert seen["lost"] > 20 or pushes == 1


def test_a_depth_without_a_memory_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)  # Amaranth's, on the half-made queue
        with pytest.raises(ValueError, match="depth = 1: must be 2 or more"):
            LateQueue(shape=WIDTH, depth=1)
        gc.collect()
