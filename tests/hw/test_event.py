"""Does the event intake collect, truncate, merge and reject beats as its docstring says, at that cycle?"""

import random

import pytest
from amaranth.hdl import Array, Module
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.event import EventIntake

TINY = UNIT_PRESETS["tiny"]
ODD = TINY.replace(max_layers=3, max_experts=5, max_top_k=3, slots=6, scan_lanes=2)
SMALLEST = TINY.replace(max_layers=1, max_experts=2, max_top_k=1)
LARGEST = TINY.replace(max_layers=256, max_experts=512, max_top_k=16)


class EventModel:
    """What one event comes to, beat by beat."""

    def __init__(self, beats, *, number, topks, n_layers, n_experts):
        self.number, self.faults, self.applies, self.layer = number, 0, 0, None
        self.sequence_start = beats[0]["sequence_start"]
        self.members, self.passed = [], []
        token, taken = set(), 0
        for beat in beats:
            if beat["layer"] == 0 and self.layer is None:
                self.applies = 1
            faulty = (
                beat["layer"] >= n_layers
                or beat["expert"] >= n_experts
                or beat["expert"] in token
                or self.layer not in (None, beat["layer"])
            )
            new = False
            if faulty:
                self.faults += 1
            else:
                self.layer = beat["layer"]
                token.add(beat["expert"])
                if taken < topks[self.layer]:
                    taken += 1
                    new = beat["expert"] not in [expert for expert, _ in self.members]
            if new:
                self.members.append((beat["expert"], beat["score"]))
            if new or beat["last"]:
                pair = (beat["expert"], beat["score"]) if new else None
                self.passed.append((number, self.layer or 0, self.sequence_start, pair, beat["last"]))
            if beat["token_last"] or beat["last"]:
                token, taken = set(), 0
        self.layer = self.layer or 0


def random_beats(rng, config, n_layers, n_experts):
    """Return an event's beats: tokens with now and then a fault, an extra beat or no token_last."""
    layer = rng.randrange(n_layers)
    beats = []
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        n_beats = rng.randint(1, min(n_experts, config.max_top_k + 2))
        for expert in rng.sample(range(n_experts), n_beats):
            wrong = rng.random()
            if wrong < 0.05:
                expert = rng.randrange(1 << config.expert_bits)
            elif wrong < 0.1 and beats:
                expert = beats[-1]["expert"]
            beat_layer = rng.randrange(1 << config.layer_bits) if 0.1 <= wrong < 0.15 else layer
            beats.append(
                {
                    "layer": beat_layer,
                    "expert": expert,
                    "score": rng.randrange(256),
                    "token_last": 0,
                    "last": 0,
                    "sequence_start": rng.randrange(2),
                }
            )
        beats[-1]["token_last"] = int(rng.random() < 0.9)
    beats[-1]["last"] = 1
    return beats


class Bench:
    """The intake with a top-k table beside it, and agents on its ports."""

    def __init__(self, config, *, topks, n_layers, n_experts, seed=0):
        self.rng = random.Random(seed)
        self.dut = EventIntake(config=config)
        self.geometry = {"topks": topks, "n_layers": n_layers, "n_experts": n_experts}
        module = Module()
        module.submodules.dut = self.dut
        module.d.comb += self.dut.topk_value.eq(Array(topks)[self.dut.topk_layer])
        self.sim = Simulator(module)
        self.sim.add_clock(1e-6)
        self.passed, self.faults, self.applies, self.waits = [], 0, 0, 0

    def run(self, *agents, background=()):
        for agent in agents:
            self.sim.add_testbench(agent)
        for agent in (self.watch, *background):
            self.sim.add_testbench(agent, background=True)
        self.sim.run()

    def start(self, ctx):
        ctx.set(self.dut.n_layers, self.geometry["n_layers"])
        ctx.set(self.dut.n_experts, self.geometry["n_experts"])

    async def put(self, ctx, beat):
        ctx.set(self.dut.route.payload, beat)
        ctx.set(self.dut.route.valid, 1)
        while not (await ctx.tick().sample(self.dut.route.ready))[-1]:
            pass
        ctx.set(self.dut.route.valid, 0)

    async def watch(self, ctx):
        dut = self.dut
        signals = (dut.fault, dut.apply, dut.predictor_wait, dut.closed, dut.route.ready)
        async for _, _, fault, apply, wait, closed, ready in ctx.tick().sample(*signals):
            self.faults, self.applies, self.waits = (
                self.faults + fault,
                self.applies + apply,
                self.waits + wait,
            )
            assert not (closed and ready)

    def receiver(self, readiness):
        async def receive(ctx):
            event = self.dut.event
            while True:
                ctx.set(event.ready, self.rng.random() < readiness)
                _, _, valid, ready, beat = await ctx.tick().sample(event.valid, event.ready, event.payload)
                if valid and ready:
                    pair = (beat.expert, beat.score) if beat.member else None
                    self.passed.append((beat.event, beat.layer, beat.sequence_start, pair, beat.last))

        return receive

    async def end_event(self, ctx):
        ctx.set(self.dut.event_end, 1)
        await ctx.tick()
        ctx.set(self.dut.event_end, 0)

    async def check_closed(self, ctx, model):
        """Compare header, members and bitmap of the closed event with the model's."""
        dut = self.dut
        assert ctx.get(dut.closed)
        header = [ctx.get(signal) for signal in (dut.number, dut.layer, dut.sequence_start, dut.n_members)]
        assert header == [model.number, model.layer, model.sequence_start, len(model.members)]
        for index, member in enumerate(model.members):
            ctx.set(dut.member_index, index)
            await ctx.tick()
            assert (ctx.get(dut.member_expert), ctx.get(dut.member_score)) == member
        for expert in range(self.geometry["n_experts"]):
            ctx.set(dut.query_expert, expert)
            assert ctx.get(dut.query_member) == (expert in [member for member, _ in model.members])


def run_random(config, *, n_layers, n_experts, n_events, seed):
    rng = random.Random(seed)
    print(f"seed {seed}")
    topks = [rng.randint(min(1, layer), config.max_top_k) for layer in range(1 << config.layer_bits)]
    bench = Bench(config, topks=topks, n_layers=n_layers, n_experts=n_experts, seed=seed)
    models, faults, applies, passed = [], 0, 0, []

    async def drive(ctx):
        nonlocal faults, applies
        bench.start(ctx)
        for number in range(n_events):
            beats = random_beats(rng, config, n_layers, n_experts)
            model = EventModel(beats, number=number, **bench.geometry)
            for beat in beats:
                for _ in range(rng.choice((0, 0, 0, 2))):
                    await ctx.tick()
                await bench.put(ctx, beat)
            models.append(model)
            faults, applies = faults + model.faults, applies + model.applies
            passed.extend(model.passed)
            await bench.check_closed(ctx, model)
            for _ in range(rng.choice((0, 0, 5))):
                await ctx.tick()
            await bench.end_event(ctx)
            assert not ctx.get(bench.dut.closed)
        while len(bench.passed) < len(passed):
            await ctx.tick()
        await ctx.tick().repeat(20)

    bench.run(drive, background=[bench.receiver(readiness=0.6)])
    assert bench.passed == passed
    assert (bench.faults, bench.applies) == (faults, applies)
    assert faults > 0 and applies > 0


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("config", "n_layers", "n_experts"),
    [(TINY, 4, 8), (TINY, 3, 6), (ODD, 3, 5), (SMALLEST, 1, 2), (UnitConfig(), 24, 32)],
)
def test_random_events_match_the_model(config, n_layers, n_experts, seed):
    run_random(config, n_layers=n_layers, n_experts=n_experts, n_events=60, seed=seed)


def beat(expert, *, layer=1, last=0, token_last=0, sequence_start=0):
    return {
        "layer": layer,
        "expert": expert,
        "score": expert & 255,
        "token_last": token_last,
        "last": last,
        "sequence_start": sequence_start,
    }


def test_union_of_all_experts_of_the_largest_unit():
    bench = Bench(LARGEST, topks=[16] * 256, n_layers=256, n_experts=512)
    beats = [beat(e, layer=255, token_last=int(e % 16 == 15), last=int(e == 511)) for e in range(512)]
    model = EventModel(beats, number=0, **bench.geometry)

    async def drive(ctx):
        bench.start(ctx)
        for each in beats:
            await bench.put(ctx, each)
        await bench.check_closed(ctx, model)

    bench.run(drive)
    assert len(model.members) == 512
    assert bench.waits == 0  # a whole event waits without a predictor's help


def test_latencies_and_one_beat_a_cycle():
    bench = Bench(TINY, topks=[2] * 4, n_layers=4, n_experts=8)
    dut = bench.dut

    async def drive(ctx):
        bench.start(ctx)
        ctx.set(dut.event.ready, 1)
        ctx.set(dut.route.valid, 1)
        ctx.set(dut.route.payload, beat(3))
        assert ctx.get(dut.route.ready)
        for cycle in range(1, dut.event_latency + 1):
            assert not ctx.get(dut.event.valid), "n - 1"
            await ctx.tick()
            ctx.set(dut.route.valid, cycle == 1)
            ctx.set(dut.route.payload, beat(5, last=1))
            assert ctx.get(dut.closed) == (cycle > dut.latency), "closed one cycle after the last beat"
        assert ctx.get(dut.event.valid), "n"
        assert ctx.get(dut.event.payload.expert) == 3
        await ctx.tick()
        assert ctx.get(dut.event.payload.expert) == 5
        await bench.end_event(ctx)
        assert ctx.get(dut.route.ready), "next event at once"

    bench.run(drive)


def test_settings_applied_in_the_pulse_govern_the_first_beat():
    bench = Bench(TINY, topks=[2] * 4, n_layers=1, n_experts=1)
    dut = bench.dut

    async def drive(ctx):
        bench.start(ctx)
        ctx.set(dut.route.valid, 1)
        ctx.set(dut.route.payload, beat(7, layer=0, last=1, sequence_start=1))
        assert ctx.get(dut.apply) and not ctx.get(dut.route.ready)
        await ctx.tick()
        ctx.set(dut.n_experts, 8)
        assert not ctx.get(dut.apply) and ctx.get(dut.route.ready) and not ctx.get(dut.fault)
        await ctx.tick()
        ctx.set(dut.route.valid, 0)
        assert ctx.get(dut.closed) and ctx.get(dut.n_members) == 1 and ctx.get(dut.sequence_start)

    bench.run(drive)


@pytest.mark.parametrize("timeout", [1, 7])
@pytest.mark.parametrize("sent", [0, 1, 3])
def test_an_event_whose_last_beat_does_not_come_closes_at_the_timeout(sent, timeout):
    """After `sent` good beats and a faulty one; the beat that came late is the next event's."""
    bench = Bench(TINY, topks=[2] * 4, n_layers=4, n_experts=6)
    dut = bench.dut

    async def drive(ctx):
        bench.start(ctx)
        ctx.set(dut.timeout, timeout)
        await ctx.tick().repeat(3 * timeout)
        assert not ctx.get(dut.closed | dut.watching), "no event has begun"
        beats = [beat(expert, token_last=1) for expert in range(sent)] + [beat(7, token_last=1)]
        for one in beats:
            await bench.put(ctx, one)
        ctx.set(dut.route.payload, beat(5, layer=3))
        for _ in range(timeout + 1):
            assert not ctx.get(dut.closed)
            await ctx.tick()
        assert ctx.get(dut.closed) and not ctx.get(dut.watching)
        model = EventModel([*beats[:-1], beats[-1] | {"last": 1}], number=0, **bench.geometry)
        model.layer = 1  # a beat with a wrong expert names it too
        await bench.check_closed(ctx, model)
        await bench.end_event(ctx)
        await bench.put(ctx, beat(5, layer=3, last=1))
        await bench.check_closed(ctx, EventModel([beat(5, layer=3, last=1)], number=1, **bench.geometry))
        await ctx.tick().repeat(4)

    bench.run(drive, background=[bench.receiver(readiness=1)])
    assert bench.faults == 2, "the faulty beat, and the timeout"
    members = [(0, 1, 0, (expert, expert), 0) for expert in range(sent)]
    assert bench.passed == [*members, (0, 1, 0, None, 1), (1, 3, 0, (5, 5), 1)]


def test_a_waiting_beat_is_no_missing_one():
    """While predictors hold a beat up nothing is missing, and while they have no room no event is closed."""
    bench = Bench(TINY, topks=[2] * 4, n_layers=4, n_experts=8)
    dut = bench.dut

    async def drive(ctx):
        bench.start(ctx)
        ctx.set(dut.timeout, 5)
        for expert in range(8):
            await bench.put(ctx, beat(expert, token_last=1, last=int(expert == 7)))
        await bench.end_event(ctx)
        await bench.put(ctx, beat(0, layer=2))
        ctx.set(dut.route.valid, 1)
        ctx.set(dut.route.payload, beat(1, layer=2, last=1))
        await ctx.tick().repeat(20)
        assert not ctx.get(dut.closed)
        ctx.set(dut.route.valid, 0)
        await ctx.tick().repeat(20)
        assert not ctx.get(dut.closed), "its last beat would be lost to the predictors"
        ctx.set(dut.event.ready, 1)
        await ctx.tick().repeat(12)
        assert ctx.get(dut.closed)

    bench.run(drive)
    assert bench.faults == 1


def test_only_more_than_a_whole_event_waits_for_predictors():
    bench = Bench(TINY, topks=[2] * 4, n_layers=4, n_experts=8)
    dut = bench.dut

    async def drive(ctx):
        bench.start(ctx)
        for expert in range(8):
            await bench.put(ctx, beat(expert, token_last=expert % 2, last=int(expert == 7)))
        await bench.end_event(ctx)
        await bench.put(ctx, beat(0, layer=2))
        assert bench.waits == 0
        ctx.set(dut.route.valid, 1)
        ctx.set(dut.route.payload, beat(1, layer=2, last=1))
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.closed)
        ctx.set(dut.event.ready, 1)
        await ctx.tick()
        ctx.set(dut.event.ready, 0)
        await ctx.tick().repeat(2)
        ctx.set(dut.route.valid, 0)
        assert ctx.get(dut.closed)

    bench.run(drive)
    assert bench.waits >= 3
