"""What becomes of a core whose surroundings break their rules? Counted, reported, no hang, no wrong word.

Every word of every granted expert is compared with memory (`CoreBench`), and every record with the golden model.
"""

import pytest
from moefetch.hw.records import Class, Fill, GrantStatus, Issue, Kind, Sweep
from moefetch.sim.golden.unit_model import UnitModel

from .core_bench import BASE, CONFIG, CoreBench, Surroundings, Unchecked, hint_beats, router_beats

COUNTER_CYCLES = 180
"""More than two snapshots take."""
TIMEOUT = 50


class SilentBench(CoreBench):
    """A memory that from time to time takes no address and sends no beat."""

    silent = False

    def _drive_memory(self, ctx):
        if self.silent:
            self._put(ctx, self.core.axi.arready, 0)
            self._put(ctx, self.core.axi.rvalid, 0)
        else:
            super()._drive_memory(ctx)


@pytest.mark.parametrize("after", [0, 4, 9])
def test_memory_that_falls_silent_gives_error_grants_and_later_serves_again(after):
    """It falls silent before or in mid-burst; what it owes comes while other experts are fetched."""
    bench = SilentBench(settings={"bus_timeout": TIMEOUT, "hints": 0, "burst_beats": 4})
    core = bench.core

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[0, 1]]))
        while not bench.bursts:
            await ctx.tick()
        for _ in range(after):
            await ctx.tick()
        bench.silent = True
        await bench.wait_end(ctx)
        assert bench.grants[-1][1] == GrantStatus.ERROR
        assert ctx.get(core.state.overdue) and not ctx.get(core.state.idle)
        await bench.send_event(ctx, router_beats(1, [[2, 3]]))
        await bench.wait_end(ctx)
        assert [status for _, status in bench.grants[-2:]] == [GrantStatus.ERROR] * 2
        bench.silent = False
        for layer in (2, 3, 0):
            await bench.send_event(ctx, router_beats(layer, [[0, 1]]))
        await bench.wait_end(ctx)
        assert [status for _, status in bench.grants[-4:-2]] == [GrantStatus.MISS] * 2
        assert not ctx.get(core.state.overdue)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=4000)
    bench.finish()
    assert 2 <= bench.counters["bus_timeouts"] <= 4, "one for each descriptor at most"
    assert bench.counters["error_grants"] == bench.count(Kind.FILL, Fill.FAILED) > 2
    assert bench.counters["protocol_errors"] == 0


def test_prefetches_that_memory_does_not_serve_fail_and_are_fetched_on_demand():
    bench = SilentBench(settings={"bus_timeout": TIMEOUT})

    async def drive(ctx):
        bench.silent = True
        await bench.send_hints(ctx, hint_beats(0, [1, 2, 3]))
        while bench.count(Kind.FILL, Fill.FAILED) < 2:
            await ctx.tick()
        bench.silent = False
        await bench.send_event(ctx, router_beats(0, [[1, 2]]))
        await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=2500)
    bench.finish()
    assert bench.counters["failed"] >= 2 and bench.counters["error_grants"] == 0


def test_a_missing_last_beat_is_made_good_by_the_timeout():
    """Of two events: the second one's beats come only after the first one's experts were granted, as in a model."""
    bench = CoreBench(settings={"route_timeout": 30, "hints": 0})

    async def drive(ctx):
        beats = router_beats(0, [[0, 1]])
        bench.model.offer_event(beats)
        bench.sent += 1
        await bench._send(ctx, bench.core.route, [*beats[:-1], beats[-1]._replace(last=False)], 0.0)
        await bench.wait_end(ctx)
        await bench.send_event(ctx, router_beats(1, [[2, 3]]))
        await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=2000)
    bench.finish()
    assert len(bench.grants) == 4
    assert (bench.counters["route_faults"], bench.counters["events"]) == (1, 2)


def test_an_event_of_faulty_beats_ends_by_itself():
    bench = CoreBench(settings={"hints": 0, "n_experts": 6})

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(1, [[6, 7]]))
        await bench.wait_end(ctx)
        await bench.send_event(ctx, router_beats(2, [[0, 7]]))
        await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=2000)
    bench.finish()
    assert len(bench.grants) == 1
    assert (bench.counters["route_faults"], bench.counters["events"]) == (3, 2)


def test_layers_out_of_order_are_served_and_counted():
    bench = CoreBench(settings={"hints": 0})
    layers = ((1, False), (2, False), (2, False), (0, False), (0, True), (1, False), (0, True), (1, True), (3, True))
    skips = 3  # 2 after 2, 0 after 2, and even at a sequence's start 3 after 1

    async def drive(ctx):
        for layer, start in layers:
            await bench.send_event(ctx, router_beats(layer, [[0, 1]], sequence_start=start))
            await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=4000)
    bench.finish()
    assert len(bench.grants) == 2 * len(layers)
    assert bench.counters["layer_skips"] == skips


def test_experts_elsewhere_in_memory_are_fetched_anew():
    """BASE is written in the middle of a step, with experts resident, one on its way and one queued."""
    bench = CoreBench(config=CONFIG.replace(horizon=4), around=Surroundings(latency=(30, 30)), settings={"n_slots": 6})
    core = bench.core

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[0, 1]]))
        await bench.wait_end(ctx)
        await bench.send_event(ctx, router_beats(1, [[0, 1]]))
        await bench.wait_end(ctx)
        await bench.send_hints(ctx, hint_beats(0, [0, 2, 3]))
        ctx.set(core.settings.base, BASE + (1 << 30))
        ctx.set(core.readdressed, 1)
        await bench.send_event(ctx, router_beats(3, [[1, 2]]))
        await bench.wait_end(ctx)
        await bench.send_hints(ctx, hint_beats(0, [4, 5, 6, 7]))
        bench.live["base"] += 1 << 30
        bench.model.offer_renewal()
        await bench.send_event(ctx, router_beats(0, [[0, 2]]))
        ctx.set(core.readdressed, 0)
        await bench.wait_end(ctx)
        await bench.send_event(ctx, router_beats(3, [[1, 2]]))
        await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=4000)
    bench.finish()
    assert bench.count(Kind.FREE, Sweep.RENEW) and bench.count(Kind.ABORT, Sweep.RENEW)
    closes = [index for index, (_, record) in enumerate(bench.log) if record.kind == Kind.CLOSE]
    classes = [record.outcome for _, record in bench.log[closes[3] :] if record.kind == Kind.CLASSIFY]
    assert Class.HIT_REUSE not in classes and Class.HIT_ON_TARGET not in classes, (
        "an expert of the old place was granted"
    )


class ResetBench(SilentBench):
    """Is reset in mid-burst; memory is reset with it, or sends what it owes while reset is held."""

    wiped = False

    def _drive_memory(self, ctx):
        if self.wiped:
            self.bursts.clear()
        super()._drive_memory(ctx)

    def _take_burst(self, *burst):
        if not self.wiped:
            super()._take_burst(*burst)

    def _beat_taken(self):
        if self.bursts:
            super()._beat_taken()

    async def restart(self, ctx, *, memory_too):
        """Reset the core and forget what it had been given."""
        ctx.set(self.reset, 1)
        self.wiped = memory_too
        await ctx.tick().repeat(2)
        while self.bursts:
            await ctx.tick()
        self.releases.clear()
        for element in self.elements:
            element.grant = element.expected = None
        self.model = UnitModel(self.model.settings)
        self.log.clear()
        self.sent = 0
        await ctx.tick()
        self.wiped = False
        ctx.set(self.reset, 0)
        await ctx.tick().repeat(2)  # settings count from the second cycle on


@pytest.mark.parametrize("memory_too", [False, True])
def test_a_reset_in_mid_burst_leaves_nothing_behind(memory_too):
    bench = ResetBench(settings={"hints": 0, "burst_beats": 8}, around=Surroundings(latency=(8, 8)))
    core = bench.core

    async def drive(ctx):
        owed = 0
        for at in (1, 7, *range(16, 40, 3)):
            await bench.send_event(ctx, router_beats(0, [[0, 1]]))
            await ctx.tick().repeat(at)
            owed += bool(bench.bursts)
            await bench.restart(ctx, memory_too=memory_too)
            await bench.send_event(ctx, router_beats(1, [[2, 0]], sequence_start=True))
            await bench.wait_end(ctx)
            await bench.send_event(ctx, router_beats(2, [[2, 0]]))
            await bench.wait_end(ctx)
            assert [status for _, status in bench.grants[-4:]] == [GrantStatus.MISS] * 4
            assert ctx.get(core.state.event_number) == 1
            await bench.restart(ctx, memory_too=memory_too)
        assert owed > 5, "the reset comes while memory owes beats"

    bench.run(drive, limit=3000, watch_counters=False)


def test_hints_that_never_pause_do_not_keep_a_miss_waiting():
    bench = CoreBench()
    core = bench.core
    bound = 32  # tiny: a candidate for every expert of two events, and a prediction's

    async def flood(ctx):
        """Name an expert of a coming layer in every cycle, whether it is taken or not."""
        number = 0
        while True:
            layer, expert = 1 + number // 8 % 2, number % 8
            ctx.set(core.hint.payload, {"layer": layer, "expert": expert, "score": number % 256, "last": 1})
            ctx.set(core.hint.valid, 1)
            if (await ctx.tick().sample(core.hint.ready))[-1]:
                number += 1

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[0, 1]]))
        await bench.wait_end(ctx)

    bench.model = Unchecked()
    bench.run(drive, flood, limit=2000, watch_counters=False)
    kinds = [(record.kind, record.source) for _, record in bench.log]
    first = kinds.index((Kind.ISSUE, 0))
    assert bench.count(Kind.ISSUE, Issue.FREE) >= 2
    assert sum(kind == Kind.CANDIDATE for kind, _ in kinds[:first]) <= bound + 2
