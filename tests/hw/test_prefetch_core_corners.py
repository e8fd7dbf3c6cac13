"""Does the core hold its rules in corners that ordinary events rarely meet, and count what it meets there?"""

import random

import pytest
from moefetch.hw.commands import Command
from moefetch.hw.records import Class, Fill, Filter, GrantStatus, Issue, Kind, Sweep, VictimPolicy
from moefetch.sim.predictors.st_moe import StMoe

from .core_bench import BASE, CONFIG, EXPERT_STRIDE, CoreBench, Surroundings, Unchecked, hint_beats, router_beats

COUNTER_CYCLES = 160
"""More than two snapshots take."""


@pytest.mark.parametrize("latency", [30, 40, 48])
def test_no_prefetch_is_lost_when_a_demand_request_ends_while_its_slot_is_sought(latency):
    bench = CoreBench(
        config=CONFIG.replace(outstanding=1, slots=16, scan_lanes=1), around=Surroundings(latency=(latency, latency)),
        settings={"expert_beats": 2, "budget": 8},
    )  # fmt: skip

    async def drive(ctx):
        await bench.send_hints(ctx, hint_beats(0, [1]))
        while not bench.bursts:
            await ctx.tick()
        await bench.send_event(ctx, router_beats(0, [[2]]))
        await bench.send_hints(ctx, hint_beats(1, [3]))
        await bench.wait_end(ctx)
        await ctx.tick().repeat(200)
        await bench.send_event(ctx, router_beats(1, [[3]]))
        await bench.wait_end(ctx)

    bench.run(drive, limit=800, watch_counters=False)
    assert bench.count(Kind.CLASSIFY, Class.HIT_ON_TARGET) == 1
    assert bench.count(Kind.FILL, Fill.DONE) == 3


def test_a_miss_that_waits_for_a_pinned_slot_goes_on_when_it_is_unpinned():
    bench = CoreBench(settings={"n_slots": 1, "hints": 0})

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[1]]))
        await bench.wait_end(ctx)
        await bench.command(ctx, Command.PIN_KEY, 0, 1)
        await bench.send_event(ctx, router_beats(1, [[2]]))
        await ctx.tick().repeat(100)
        assert bench.count(Kind.ISSUE, Issue.WAIT) == 1
        await bench.command(ctx, Command.UNPIN_KEY, 0, 1)
        await bench.wait_end(ctx)

    bench.run(drive, limit=600, watch_counters=False)
    assert bench.count(Kind.PIN, Sweep.UNPIN) == bench.count(Kind.ISSUE, Issue.EVICT) == 1


def test_slots_beyond_a_reduced_number_are_no_hits_and_are_invalidated():
    bench = CoreBench(settings={"hints": 0})
    bench.model = Unchecked()
    all_slots = [[0, 1], [2, 3]]

    async def set_slots(ctx, n_slots):
        bench.live["n_slots"] = n_slots
        ctx.set(bench.core.settings, bench.live)
        await send(ctx, 0, [[0]])  # takes the settings over

    async def send(ctx, layer, tokens):
        mark = len(bench.log)
        await bench.send_event(ctx, router_beats(layer, tokens))
        await bench.wait_end(ctx)
        return [(r.outcome, r.slot) for _, r in bench.log[mark:] if r.kind == Kind.CLASSIFY]

    async def drive(ctx):
        for layer in (0, 1):
            await send(ctx, layer, all_slots)
        assert [slot for _, slot in await send(ctx, 1, all_slots)] == [4, 5, 6, 7]
        await set_slots(ctx, 4)
        assert await send(ctx, 1, all_slots) == [(Class.MISS, 0)] * 4
        await bench.command(ctx, Command.INVALIDATE_ALL)
        freed = [r.slot for _, r in bench.log if (r.kind, r.outcome) == (Kind.FREE, Sweep.INVALIDATE)]
        assert freed == list(range(8))
        await set_slots(ctx, 8)
        assert await send(ctx, 1, all_slots) == [(Class.MISS, 0)] * 4

    bench.run(drive, limit=3000, watch_counters=False)


@pytest.mark.parametrize("wrong", [{"slot": 5, "status": GrantStatus.ERROR}, {"slot": 0, "status": GrantStatus.MISS}])
def test_a_release_that_is_not_of_an_open_grant_changes_nothing(wrong):
    bench = CoreBench(settings={"hints": 0}, around=Surroundings(compute=(60, 60)))

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[0, 1]]))
        while len(bench.grants) < 2:
            await ctx.tick()
        bench.releases.append({"layer": 0, "expert": 7} | wrong)
        await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=1500)
    bench.finish()
    assert [r.expert for _, r in bench.log if r.kind == Kind.RELEASE] == [0, 1]
    assert bench.counters["route_faults"] == 1
    assert bench.counters["error_grants"] == 0


class FailingExpertBench(CoreBench):
    """Lets every burst of layer 0's expert 0 end with an error."""

    def _take_burst(self, address, beats, burst_id):
        super()._take_burst(address, beats, burst_id)
        self.bursts[-1].fails = address < BASE + EXPERT_STRIDE


def test_an_error_grant_that_is_released_twice_counts_once():
    bench = FailingExpertBench(settings={"hints": 0, "retries": 0}, around=Surroundings(compute=(60, 60)))

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[0, 1]]))
        while len(bench.grants) < 2:
            await ctx.tick()
        assert bench.grants[0][1] == GrantStatus.ERROR
        bench.releases.append({"layer": 0, "expert": 0, "slot": 0, "status": GrantStatus.ERROR})
        await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=1500)
    bench.finish()
    assert [r.outcome for _, r in bench.log if r.kind == Kind.RELEASE] == [GrantStatus.ERROR, GrantStatus.MISS]
    assert bench.counters["route_faults"] == bench.counters["error_grants"] == 1


def test_a_quiesced_unit_is_idle_with_prefetches_queued():
    bench = CoreBench(around=Surroundings(latency=(60, 60)))
    state = bench.core.state

    async def drive(ctx):
        await bench.send_hints(ctx, hint_beats(0, [1, 2, 3]) + hint_beats(1, [4]))
        while not bench.bursts:
            await ctx.tick()
        await bench.command(ctx, Command.QUIESCE)
        await bench.quiet(ctx, COUNTER_CYCLES)
        assert ctx.get(state.quiesced) and not ctx.get(state.event_open)
        assert bench.counters["queued_open"] > 0 and bench.counters["issued"] > 0
        assert bench.count(Kind.FILL) == bench.count(Kind.ISSUE)
        await bench.command(ctx, Command.RESUME)
        await ctx.tick()
        assert not ctx.get(state.idle)
        await bench.quiet(ctx, COUNTER_CYCLES)
        assert bench.counters["queued_open"] == 0

    bench.run(drive, limit=4000)
    assert bench.count(Kind.CANDIDATE, Filter.QUEUED) == bench.count(Kind.FILL) == 4


def test_settings_are_copied_until_the_first_event_closes():
    bench = CoreBench(settings={"hints": 0})
    core = bench.core

    async def drive(ctx):
        assert ctx.get(core.apply)
        await bench.send_event(ctx, router_beats(2, [[0, 1]]))
        await bench.wait_end(ctx)
        assert not ctx.get(core.apply)
        assert ctx.get(core.state.step_number) == 0

    bench.run(drive, limit=500, watch_counters=False)


def test_before_the_first_event_layers_are_counted_from_layer_0():
    bench = CoreBench(
        config=CONFIG.replace(horizon=4), settings={"n_slots": 2, "victim_policy": VictimPolicy.LEAST_STALE}
    )

    async def drive(ctx):
        for layer, expert in ((3, 1), (1, 2), (0, 3)):
            await bench.send_hints(ctx, hint_beats(layer, [expert]))
            await bench.quiet(ctx, 30)

    bench.run(drive, limit=800, watch_counters=False)
    issued = [(r.outcome, r.slot) for _, r in bench.log if r.kind == Kind.ISSUE]
    assert issued == [(Issue.FREE, 0), (Issue.FREE, 1), (Issue.EVICT, 0)], "layer 3 comes last"


class WaitingBench(CoreBench):
    """Counts the cycles in which a router beat waits for the predictors, once the unit has started."""

    waited = 0

    async def _send(self, ctx, port, beats, gap):
        core = self.core
        for beat in beats:
            ctx.set(port.payload, beat._asdict())
            ctx.set(port.valid, 1)
            ready = False
            while not ready:
                *_, ready, event_open, applies = await ctx.tick().sample(port.ready, core.state.event_open, core.apply)
                self.waited += not (ready or event_open or applies)
            ctx.set(port.valid, 0)
        return self.cycle - 1


def test_a_predictor_may_fall_behind_the_events():
    seed = 1
    print(f"seed {seed}")
    rng = random.Random(seed)
    config = CONFIG.replace(predictors=("st_moe",), max_top_k=4, max_layers=2, slots=16)
    bench = WaitingBench(
        config=config, top_k=(4, 4), around=Surroundings(compute=(1, 1)), predictor=StMoe(2, 8, 4),
        settings={"n_layers": 2, "predictor": 1, "hints": 0, "expert_beats": 1, "burst_beats": 1, "budget": 8},
    )  # fmt: skip

    async def drive(ctx):
        for number in range(16):
            tokens = [rng.sample(range(8), 4)]
            await bench.send_event(ctx, router_beats(number % 2, tokens, sequence_start=number == 0))
            await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=3000)
    bench.finish()
    assert bench.count(Kind.CANDIDATE, Filter.EXPIRED) > 0
    assert bench.counters["route_wait"] == bench.waited > 0


class ErrorCountingBench(CoreBench):
    """Counts bursts with an error, and can send beats that nothing has asked for."""

    failing = 0
    stray = 0

    def _take_burst(self, address, beats, burst_id):
        super()._take_burst(address, beats, burst_id)
        self.failing += self.bursts[-1].fails

    def _drive_memory(self, ctx):
        super()._drive_memory(ctx)
        if self.stray:
            assert not self.bursts
            self._put(ctx, self.core.axi.rvalid, 1)
            self._put(ctx, self.core.axi.rid, self.stray % 2)

    def _beat_taken(self):
        if self.stray:
            self.stray -= 1
        else:
            super()._beat_taken()


def test_bursts_with_an_error_are_counted():
    bench = ErrorCountingBench(settings={"hints": 0}, around=Surroundings(error=0.3), seed=2)

    async def drive(ctx):
        for number in range(4):
            await bench.send_event(ctx, router_beats(number, [[1, 2]]))
            await bench.wait_end(ctx)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=3000)
    bench.finish()
    assert bench.counters["bus_errors"] == bench.failing > 0
    assert bench.counters["protocol_errors"] == bench.counters["route_wait"] == 0


def test_beats_that_nothing_asked_for_are_counted():
    bench = ErrorCountingBench(settings={"hints": 0})

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[1, 2]]))
        await bench.wait_end(ctx)
        bench.stray = 3
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, limit=1500)
    bench.finish()
    assert bench.counters["protocol_errors"] == 3
    assert bench.counters["bus_errors"] == 0
