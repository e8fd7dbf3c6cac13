"""Are the pages that events need on chip or on their way in ring order, and does none go that is needed?"""

import pytest
from amaranth.hdl import Module, Mux, ResetInserter, Signal
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.page_window import PageWindow

from ..hw.clocked import run_clocked
from .bench import make_rng
from .page_monitor import PageMonitor

CONFIG = UNIT_PRESETS["tiny"].replace(max_layers=8, predictors=("st_moe",), table_window=4)
N_LAYERS = 6
MOVE_CYCLES = 3
LOAD_CYCLES = MOVE_CYCLES + 1
"""From a choice on offer to the next one."""


class Driver:
    """Plays the predictor, which says what it does next, and the mover, which needs some cycles for a page."""

    def __init__(self, ctx, dut, n_layers=N_LAYERS):
        self.ctx, self.dut = ctx, dut
        ctx.set(dut.control.enable, 1)
        ctx.set(dut.n_layers, n_layers)
        ctx.set(dut.idle, 1)
        self.loads, self.ahead, self.late, self.given_up = [], 0, 0, []

    def held(self):
        """Return the layers on chip."""
        layers = [page.layer for page in self.ctx.get(self.dut.held) if page.valid]
        assert len(set(layers)) == len(layers)
        return set(layers)

    async def move(self, cycles=3):
        """Take the choice on offer and carry it out; return whether there was one."""
        ctx, dut = self.ctx, self.dut
        choice = ctx.get(dut.choice)
        if not choice.valid:
            await ctx.tick()
            return False
        before = ctx.get(dut.held)[choice.bank]
        ctx.set(dut.taken, 1)
        await ctx.tick()
        ctx.set(dut.taken, 0)
        if before.valid:
            self.given_up.append(before.layer)
        if not choice.load:
            return True
        self.loads.append(choice.layer)
        ctx.set(dut.loading, 1)
        await ctx.tick().repeat(cycles)
        ctx.set(dut.loaded, 1)
        self.ahead += ctx.get(dut.ahead)
        self.late += ctx.get(dut.late)
        await ctx.tick()
        ctx.set(dut.loaded, 0)
        ctx.set(dut.loading, 0)
        return True

    async def rest(self):
        """Move pages until nothing is on offer."""
        await self.ctx.tick()
        while await self.move():
            pass

    async def offer(self, layer, *, follows):
        """Offer an event and move pages until it is taken; return the pages moved meanwhile."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.event_layer, layer)
        ctx.set(dut.event_follows, follows)
        ctx.set(dut.event_waits, 1)
        moved = 0
        while not ctx.get(dut.event_ready):
            moved += await self.move()
        await ctx.tick()
        ctx.set(dut.event_waits, 0)
        ctx.set(dut.idle, 0)
        return moved

    async def end(self, layer):
        """End the event of this layer."""
        self.ctx.set(self.dut.previous_layer, layer)
        self.ctx.set(self.dut.idle, 1)
        await self.ctx.tick()


def run(body, **kwargs):
    async def testbench(ctx, dut):
        driver = Driver(ctx, dut, **kwargs)
        await body(driver)
        late = [late for _, late in monitor.loads]
        assert (late.count(True), late.count(False)) == (driver.late, driver.ahead)

    window = PageWindow(config=CONFIG)
    monitor = PageMonitor(window)
    run_clocked(window, testbench, monitor.watch)


def test_pages_stream_in_ahead_in_ring_order():
    async def body(driver):
        await driver.rest()
        assert driver.loads == [0, 1, 2, 3] and driver.ahead == 4
        previous = 0
        assert await driver.offer(0, follows=0) == 0
        for layer in (1, 2, 3, 4, 5, 0, 1):
            await driver.end(previous)
            await driver.rest()
            assert driver.held() == {(previous + place) % N_LAYERS for place in range(4)}
            assert await driver.offer(layer, follows=1) == 0
            previous = layer
        assert driver.loads == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3] and driver.late == 0

    run(body)


def test_a_jump_waits_for_its_own_page_alone_and_is_late():
    async def body(driver):
        await driver.rest()
        assert await driver.offer(5, follows=0) == 1
        assert (driver.loads[4:], driver.late) == ([5], 1)
        assert {5, 0} <= driver.held()
        await driver.rest()
        assert driver.held() == {5, 0, 1, 2}, "the ring from the new home on"

    run(body)


def test_an_event_that_learns_waits_for_both_pages():
    async def body(driver):
        assert await driver.offer(1, follows=1) == 2
        assert driver.loads == [0, 1] and driver.late == 2

    run(body)


def test_an_access_spares_the_next_events_pages_and_stops_the_stream():
    async def body(driver):
        ctx, dut = driver.ctx, driver.dut
        await driver.rest()
        for layer in (5, 4, 7):
            ctx.set(dut.access, 1)
            ctx.set(dut.access_layer, layer)
            assert await driver.move()
            ctx.set(dut.access, 0)
            await driver.rest()
            assert driver.loads[-1] == layer and {0, 1, layer} <= driver.held()
        assert len(driver.loads) == 7 and driver.late == 3
        assert await driver.offer(1, follows=1) == 0
        await driver.rest()
        assert driver.held() == {0, 1, 2, 3}

    run(body)


def test_quiesced_nothing_stays_and_only_what_is_needed_comes():
    async def body(driver):
        ctx, dut = driver.ctx, driver.dut
        await driver.rest()
        ctx.set(dut.control.quiesced, 1)
        await driver.rest()
        assert driver.held() == set() and sorted(driver.given_up) == [0, 1, 2, 3]
        assert await driver.offer(1, follows=1) == 2
        await driver.rest()
        assert driver.held() == {0, 1}, "an event is open"
        await driver.end(1)
        await driver.rest()
        assert driver.held() == set()

    run(body)


def test_fewer_layers_than_the_window_come_once():
    async def body(driver):
        await driver.rest()
        assert driver.loads == [0, 1]
        for layer in (0, 1, 0, 1, 0):
            assert await driver.offer(layer, follows=1) == 0
            await driver.end(layer)
            await driver.rest()
        assert driver.loads == [0, 1]

    run(body, n_layers=2)


def test_random_events_never_find_a_page_gone():
    rng = make_rng("window")

    async def body(driver):
        ctx, dut, previous = driver.ctx, driver.dut, 0
        for number in range(300):
            if rng.random() < 0.02:
                ctx.set(dut.n_layers, rng.randint(1, 8))
            n_layers = ctx.get(dut.n_layers)
            ctx.set(dut.control.quiesced, rng.random() < 0.1)
            for _ in range(rng.randrange(4)):
                await driver.move(rng.randint(1, 5))
            layer = (previous + 1) % n_layers if rng.random() < 0.8 else rng.randrange(n_layers)
            follows = layer == (0 if previous + 1 == n_layers else previous + 1)
            await driver.offer(layer, follows=follows)
            assert {layer, previous if follows else layer} <= driver.held(), number
            for _ in range(rng.randrange(3)):
                await driver.move(rng.randint(1, 5))
                assert {layer, previous if follows else layer} <= driver.held(), number
            await driver.end(layer)
            previous = layer
        assert driver.ahead + driver.late == len(driver.loads) and driver.ahead and driver.late

    run(body)


def test_an_access_that_an_event_overtakes_still_counts_its_page_late():
    async def body(driver):
        ctx, dut = driver.ctx, driver.dut
        ctx.set(dut.access, 1)
        ctx.set(dut.access_layer, 3)
        await ctx.tick()
        await driver.offer(0, follows=False)
        late = driver.late
        await driver.rest()
        assert 3 in driver.loads and driver.late == late + 1
        ctx.set(dut.access, 0)

    run(body)


def with_mover(window):
    """Return a design of the window and a mover that takes each choice at once, and has a page `MOVE_CYCLES` later."""
    m = Module()
    m.submodules.window = window
    loads, left = Signal(), Signal(range(MOVE_CYCLES + 1))
    m.d.comb += [
        window.taken.eq(window.choice.valid & (left == 0)),
        window.loading.eq(loads & (left != 0)),
        window.loaded.eq(loads & (left == 1)),
    ]
    with m.If(window.taken):
        m.d.sync += [loads.eq(window.choice.load), left.eq(Mux(window.choice.load, MOVE_CYCLES, 1))]
    with m.Elif(left != 0):
        m.d.sync += left.eq(left - 1)
    return m


async def arrive(ctx, window, arrival, layer, follows):
    """Make a request in a cycle, from which on it waits for its answer: an event, or an access if `follows` is None.

    Return (cycle, layer, late) of each load that was done, and how many cycles the request waited.
    """
    event = follows is not None
    request, number = (window.event_waits, window.event_layer) if event else (window.access, window.access_layer)
    loads, loading, waited = [], None, None
    for now in range(arrival + 8 * LOAD_CYCLES):
        if now == arrival:
            ctx.set(request, 1)
            ctx.set(number, layer)
            ctx.set(window.event_follows, bool(follows))
        if ctx.get(window.loaded):
            late = ctx.get(window.late)
            assert ctx.get(window.ahead) != late
            loads.append((now, loading, late))
        if ctx.get(window.taken):
            loading = ctx.get(window.choice.layer)
        there = [page.layer for page in ctx.get(window.held) if page.valid]
        answered = ctx.get(request) and (ctx.get(window.event_ready) if event else layer in there)
        await ctx.tick()
        if answered:
            waited = now - arrival
            ctx.set(request, 0)
            ctx.set(window.idle, not event)
    return loads, waited


@pytest.mark.parametrize("layer, follows", [(0, False), (1, True), (3, False), (2, None)])
def test_a_request_may_come_in_every_cycle_around_a_load(layer, follows):
    """From its first cycle to that in which it is done a load is late for who needs its page; a cycle later, ahead."""
    needed, moves = {layer, layer - 1} if follows else {layer}, follows is False and layer != 0
    window, reset, before_the_end = PageWindow(config=CONFIG), Signal(), set()

    async def body(ctx, _):
        ctx.set(window.control.enable, 1)
        ctx.set(window.n_layers, N_LAYERS)
        for arrival in range(4 * LOAD_CYCLES + 2):
            ctx.set(window.idle, 1)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            loads, waited = await arrive(ctx, window, arrival, layer, follows)
            late = [(end, page) for end, page, _ in loads if page in needed and arrival <= end]
            assert [(end, page) for end, page, is_late in loads if is_late] == late, f"arrival in cycle {arrival}"
            assert waited == max([moves, *(end + 1 - arrival for end, _ in late)]), f"arrival in cycle {arrival}"
            before_the_end.update(end - arrival for end, page, _ in loads if page in needed)

    run_clocked(ResetInserter(reset)(with_mover(window)), body)
    assert before_the_end >= set(range(-1, MOVE_CYCLES))
