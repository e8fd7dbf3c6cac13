"""Does the core do, event after event, what the rules say? Its commit log against the golden unit model."""

import random

import numpy as np
import pytest
from moefetch.hw.commands import Command
from moefetch.hw.records import (
    AbortPolicy,
    Class,
    Expiry,
    Fill,
    GrantStatus,
    Issue,
    Kind,
    Source,
    Sweep,
    VictimPolicy,
)
from moefetch.sim.golden.event import RouterBeat
from moefetch.sim.predictors.st_moe import StMoe
from moefetch.sim.predictors.st_moe_paper import StMoePaper
from moefetch.sim.predictors.weights import Weights

from .core_bench import CONFIG, CoreBench, Surroundings, hint_beats, router_beats


def random_tokens(rng, top_k, n_experts):
    """Return experts of 1 to 3 tokens, the low ones more often."""
    tokens = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        token = []
        while len(token) < top_k:
            expert = min(rng.randrange(n_experts), rng.randrange(n_experts))
            if expert not in token:
                token.append(expert)
        tokens.append(token)
    return tokens


class Story:
    """Random events in ring order, with hints that are right more often than not, and what may disturb them.

    `faults`, `empty` and `commands` are probabilities per event: of a dropped beat in it, of an event without
    members before it, and of commands before it and while it is open; `right` and `wrong` those of a hint for an expert
    that comes and for one that does not, `skip` that of a layer left out, so that an event comes before a prefetch for
    it is due, `repeat` that of the same experts as one round earlier.
    """

    def __init__(
        self, bench, seed, n_events, *, faults=0.0, empty=0.0, commands=0.0, gap=0.2, attention=(5, 60), right=0.6,
        wrong=0.15, skip=0.0, repeat=0.0,
    ):  # fmt: skip
        self.bench, self.n_events = bench, n_events
        self.faults, self.empty, self.commands = faults, empty, commands
        self.gap, self.attention, self.right, self.wrong = gap, attention, right, wrong
        self.rng = random.Random(f"events {seed}")
        self.n_layers, self.n_experts = bench.live["n_layers"], bench.live["n_experts"]
        self.layers = [0]
        while len(self.layers) < n_events + 8:
            self.layers.append((self.layers[-1] + 1 + (self.rng.random() < skip)) % self.n_layers)
        self.events = []
        for number, layer in enumerate(self.layers):
            again = number >= self.n_layers and self.rng.random() < repeat
            tokens = random_tokens(self.rng, bench.top_k[layer], self.n_experts)
            self.events.append(self.events[number - self.n_layers] if again else tokens)

    async def play(self, ctx):
        bench, rng = self.bench, self.rng
        for number in range(self.n_events):
            for _ in range(rng.randint(*self.attention)):
                await ctx.tick()
            if rng.random() < self.empty:
                await bench.send_event(ctx, [RouterBeat(self.n_layers, 0, last=True)])
                await bench.wait_end(ctx)
            if rng.random() < self.commands:
                await self.give_command(ctx)
            await bench.send_event(ctx, self.beats(number), gap=self.gap)
            if rng.random() < self.commands:
                await self.give_command(ctx)
            await self.hint(ctx, number)
            if rng.random() < self.commands:
                await self.give_command(ctx)
            await bench.wait_end(ctx)
        if self.commands:
            await bench.command(ctx, Command.RESUME)
        await bench.quiet(ctx, 160)

    def beats(self, number):
        """Return an event's beats; a fault is a token's last beat, so that rules on truncation play no part."""
        layer = self.layers[number]
        start = number == 0 or (layer == 0 and self.rng.random() < 0.2)
        beats = router_beats(layer, self.events[number], sequence_start=start)
        if self.rng.random() < self.faults and len(beats) > 1:
            again = beats[-2].expert
            wrong = self.rng.choice(({"layer": self.n_layers}, {"expert": self.n_experts}, {"expert": again}))
            beats[-1] = beats[-1]._replace(**wrong)
        return beats

    async def hint(self, ctx, number):
        rng, n_experts = self.rng, self.n_experts
        for ahead in range(1, rng.choice((1, 2, 3, 4))):
            coming = {expert for token in self.events[number + ahead] for expert in token}
            named = [e for e in range(n_experts) if rng.random() < (self.right if e in coming else self.wrong)]
            rng.shuffle(named)
            hints = hint_beats(self.layers[number + ahead], named, rng)
            if rng.random() < self.faults:
                hints.append(hints[-1]._replace(expert=n_experts) if hints else hint_beats(self.n_layers, [0])[0])
            await self.bench.send_hints(ctx, hints, gap=self.gap)

    async def give_command(self, ctx):
        """Give a random one, pins only to a few keys."""
        kinds = (
            Command.FLUSH, Command.PIN_KEY, Command.UNPIN_KEY, Command.QUIESCE, Command.RESUME, Command.INVALIDATE_ALL,
        )  # fmt: skip
        await self.bench.command(ctx, self.rng.choice(kinds), self.rng.randrange(2), 0)


SCENES = {
    "calm": ({}, {}, {}, [(Kind.CLASSIFY, Class.HIT_ON_TARGET), (Kind.ISSUE, Issue.EVICT)]),
    "few slots": (
        {"n_slots": 3, "budget": 8}, {"compute": (1, 20)}, {"attention": (5, 120)},
        [(Kind.ISSUE, Issue.OWN_RELEASED), (Kind.ISSUE, Issue.NO_VICTIM)],
    ),
    "least stale": (
        {"n_slots": 5, "victim_policy": VictimPolicy.LEAST_STALE}, {"latency": (3, 20)}, {},
        [(Kind.ISSUE, Issue.EVICT), (Kind.CLASSIFY, Class.LATE)],
    ),
    "evict": (
        {"evict_at_event_end": 1, "abort_policy": AbortPolicy.HALF}, {"latency": (10, 30)},
        {"attention": (5, 30), "wrong": 0.5}, [(Kind.FREE, Sweep.EVENT_END), (Kind.EXPIRE, Expiry.EXPIRED)],
    ),
    "abort": (
        {"abort_policy": AbortPolicy.ALWAYS, "n_slots": 4}, {"latency": (10, 30)},
        {"attention": (5, 40), "right": 0.1, "wrong": 0.4}, [(Kind.ABORT, Sweep.WRONG), (Kind.DRAIN, 0)],
    ),
    "skipped layers": (
        {"budget": 8}, {"latency": (20, 30)}, {"attention": (5, 10), "skip": 0.6, "right": 0.9},
        [(Kind.ISSUE, Issue.PRESENT)],
    ),
    "errors": (
        {"hints_first": 1}, {"error": 0.3, "arready": 0.5, "rvalid": 0.5, "grant_ready": 0.3}, {},
        [(Kind.FILL, Fill.FAILED), (Kind.RELEASE, GrantStatus.ERROR)],
    ),
    "commands": (
        {"budget": 2, "n_layers": 3, "n_slots": 6}, {"latency": (3, 40)}, {"commands": 0.8}, [(Kind.FLUSH, 0)],
    ),
    "faults": (
        {"n_layers": 3, "n_experts": 6}, {}, {"faults": 0.6, "empty": 0.3}, [(Kind.CLASSIFY, Class.HIT_REUSE)],
    ),
}  # fmt: skip
"""Name -> settings, surroundings, story, and records that must have come."""


def play(scene, seed, n_events):
    """Play a scene and return the bench and the golden model's counters."""
    settings, around, story, _ = SCENES[scene]
    bench = CoreBench(settings=settings, around=Surroundings(**around), top_k=(2, 1, 2, 2), seed=seed)
    bench.run(Story(bench, seed, n_events, **story).play)
    return bench, bench.finish()


def test_last_beat_to_first_grant_of_a_resident_expert():
    bench = CoreBench()

    async def drive(ctx):
        for _ in range(2):
            last_beat = await bench.send_event(ctx, router_beats(1, [[3, 5]]))
            await bench.wait_end(ctx)
        assert [cycle - last_beat for cycle, _ in bench.grants[2:]] == [6, 8]

    bench.run(drive)


def test_a_miss_without_a_slot_stops_a_wrong_prefetch():
    bench = CoreBench(settings={"n_slots": 2}, around=Surroundings(latency=(60, 60)))

    async def drive(ctx):
        await bench.send_event(ctx, router_beats(0, [[0, 1]]))
        await bench.wait_end(ctx)
        await bench.send_hints(ctx, hint_beats(1, [7]))
        for _ in range(30):
            await ctx.tick()
        await bench.send_event(ctx, router_beats(1, [[2, 3]]))
        await bench.wait_end(ctx)
        await bench.quiet(ctx)

    bench.run(drive)
    counters = bench.finish()
    assert (counters["issued"], counters["aborted"]) == (1, 1)
    assert bench.count(Kind.ISSUE, Issue.ABORT) == bench.count(Kind.DRAIN) == 1


def test_laws_hold_in_snapshots_around_a_flush():
    bench = CoreBench(around=Surroundings(latency=(2000, 2000)), settings={"budget": 8})
    port, counters = bench.core.command, bench.core.counters

    async def drive(ctx):
        await bench.send_hints(ctx, hint_beats(0, [7]))  # holds the DMA's prefetch request for the rest
        for snapshot_at, layer in ((0, 0), (1, 0), (2, 1), (3, 1)):
            for _ in range(30):
                await ctx.tick()
            await bench.send_hints(ctx, hint_beats(layer, [1, 2, 3]))
            for _ in range(10):
                await ctx.tick()
            bench.model.offer_flush()
            ctx.set(port.kind, Command.FLUSH)
            for cycle in range(6):
                ctx.set(port.valid, cycle < 2)
                ctx.set(counters.snapshot, cycle == snapshot_at)
                done = (await ctx.tick().sample(port.done))[-1]
                assert done == (cycle == 1)
            before = 3 * (bench.count(Kind.FLUSH) - 1)
            await bench.read_counters(ctx)
            flushed = 3 * (snapshot_at >= 2)
            assert (bench.counters["flushed"], bench.counters["queued_open"]) == (before + flushed, 3 - flushed)

    bench.run(drive, watch_counters=False)


PREDICTORS = {"st_moe": StMoe, "st_moe_paper": StMoePaper}


@pytest.mark.parametrize(("predictor", "hints"), [("st_moe", 1), ("st_moe_paper", 0)])
def test_log_with_a_predictor(predictor, hints):
    seed = f"{predictor} 1"
    print(f"seed {seed}")
    config = CONFIG.replace(predictors=tuple(PREDICTORS))
    settings = {"predictor": 1 + list(PREDICTORS).index(predictor), "hints": hints, "hold_cycles": 20, "n_slots": 6}
    golden = PREDICTORS[predictor](4, 8, config.max_top_k)
    bench = CoreBench(config=config, settings=settings, top_k=(2, 2, 2, 2), predictor=golden, seed=seed)
    bench.run(Story(bench, seed, 12, attention=(20, 60), repeat=0.7).play)
    counters = bench.finish()
    assert counters["issued"] and counters["timely"] + counters["late"]
    assert any(record.kind == Kind.CANDIDATE and record.source == Source.PREDICTOR for _, record in bench.log)


@pytest.mark.parametrize("latency", [(3, 6), (40, 90)])
def test_log_with_paged_tables(latency):
    """The log is the golden model's, whatever memory does with tables; in the end it has all of them."""
    seed = f"paged {latency}"
    print(f"seed {seed}")
    config = CONFIG.replace(predictors=("st_moe",), table_window=3)
    golden = StMoe(4, 8, config.max_top_k)
    around = Surroundings(latency=latency, arready=0.7, rvalid=0.7, error=0.1)
    bench = CoreBench(
        config=config, settings={"predictor": 1, "hints": 0, "n_slots": 6}, top_k=(2, 2, 2, 2), predictor=golden,
        seed=seed, around=around,
    )  # fmt: skip
    story = Story(bench, seed, 10, attention=(20, 60), repeat=0.7)

    async def drive(ctx):
        await story.play(ctx)
        await bench.command(ctx, Command.QUIESCE)
        await bench.quiet(ctx, 160)

    bench.run(drive)
    counters = bench.finish() | bench.counters
    for layer in range(4):
        assert [bench.tables.row(layer, row) for row in range(8)] == golden.cct_rows(layer)
    assert counters["table_read_beats"] == bench.tables.read_beats
    assert counters["table_written_beats"] == bench.tables.written_beats > 0
    assert counters["table_errors"] == counters["table_retries"] == bench.tables.errors > 0
    assert counters["table_late"] and counters["table_ahead"] and not counters["table_lost"]
    assert 0 < counters["table_wait"] <= counters["predictor_wait"] and counters["issued"]


def test_log_with_cached_rows():
    """As above, for weight tables of which a unit has rows on chip."""
    print("seed rows")
    config = CONFIG.replace(predictors=("weights",), weight_ways=2, weight_sources=((1, 0), (2, 0)))
    golden = Weights(4, 8, config.weight_rules, min_score=118)
    around = Surroundings(latency=(3, 12), arready=0.7, rvalid=0.7, error=0.1)
    settings = {"predictor": 1, "hints": 0, "n_slots": 6, "min_score": 118}
    bench = CoreBench(
        config=config, settings=settings, top_k=(2, 2, 2, 2), predictor=golden, seed="rows", around=around
    )
    story = Story(bench, "rows", 6, attention=(150, 300), repeat=0.7)

    async def drive(ctx):
        await story.play(ctx)
        await bench.command(ctx, Command.QUIESCE)
        await bench.quiet(ctx, 160)

    bench.run(drive)
    counters = bench.finish() | bench.counters
    for layer, source, expert in np.ndindex(golden.tables.shape[:3]):
        assert bench.tables.row(layer, source, expert) == golden.tables[layer, source, expert].tolist()
    assert counters["table_read_beats"] == bench.tables.read_beats
    assert counters["table_written_beats"] == bench.tables.written_beats > 0
    assert counters["table_errors"] == counters["table_retries"] == bench.tables.errors > 0
    assert counters["table_late"] and counters["table_ahead"] and not counters["table_lost"]
    assert counters["table_wait"] and counters["table_hits"] and counters["issued"]


@pytest.mark.parametrize("scene", SCENES)
def test_log_of_random_events(scene):
    seed = f"{scene} 1"
    print(f"seed {seed}")
    bench, counters = play(scene, seed, n_events=8)
    assert counters["miss"] and counters["issued"]
    assert (bench.model.faults > 0) == (bench.counters["route_faults"] > 0) == (scene == "faults")
    for kind, outcome in SCENES[scene][3]:
        assert bench.count(kind, outcome), f"the scene has no {kind.name} {outcome!r}"


@pytest.mark.parametrize("around", [{}, {"error": 0.3, "grant_ready": 0.3}])
def test_log_with_mapped_grants(around):
    print("seed mapped")
    config = CONFIG.replace(mapping_window=4)
    bench = CoreBench(config=config, around=Surroundings(latency=(3, 40), **around), seed="mapped")
    bench.run(Story(bench, "mapped", 10, repeat=0.5).play)
    assert bench.finish()["hit"]
