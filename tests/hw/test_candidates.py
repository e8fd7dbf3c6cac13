"""Does the candidate merge target hints, obey the registers and lose nothing, at that cycle?"""

import random

import pytest
from moefetch.hw.candidates import CandidateMerge
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.records import Source

from .clocked import run_clocked

TINY = UNIT_PRESETS["tiny"]
ODD = TINY.replace(max_layers=5, max_experts=6)
ONE_LAYER = TINY.replace(max_layers=1)


def simulate(config, testbench):
    run_clocked(CandidateMerge(config=config), testbench)


def next_event_of(layer, *, current, current_layer, n_layers):
    """Walk round the ring to the next event of `layer`."""
    number = current
    while True:
        number, current_layer = number + 1, (current_layer + 1) % n_layers
        if current_layer == layer:
            return number % 2**32


class Position:
    """Where the run is: nothing before the first event, then one event after the other."""

    def __init__(self, rng, n_layers):
        self.rng, self.n_layers = rng, n_layers
        self.started, self.number, self.layer = 0, -1, n_layers - 1

    def step(self):
        """Close an event; when it is not the next layer's, the router has skipped some."""
        skip = self.rng.randrange(self.n_layers) if self.rng.random() < 0.1 else 0
        self.started, self.number = 1, self.number + 1
        self.layer = (self.layer + 1 + skip) % self.n_layers

    def drive(self, ctx, dut):
        ctx.set(dut.started, self.started)
        ctx.set(dut.current, self.number if self.started else 0)
        ctx.set(dut.current_layer, self.layer if self.started else 0)

    def target(self, layer):
        return next_event_of(layer, current=self.number, current_layer=self.layer, n_layers=self.n_layers)


class MergeModel:
    """One hint held, its target pausing a cycle after each close; the predicted candidate is passed on."""

    def __init__(self):
        self.held = None
        self.paused = False

    def offers(self, predicted, enables):
        hint = self.held if enables["hints"] and not self.paused else None
        return hint, predicted if enables["predictor"] else None


def random_hint(rng, config):
    return {
        "layer": rng.randrange(1 << config.layer_bits),
        "expert": rng.randrange(1 << config.expert_bits),
        "score": rng.randrange(256),
        "last": rng.randrange(2),
    }


def random_predicted(rng, config):
    return {**random_hint(rng, config), "target": rng.randrange(2**32), "source": 1}


class RandomRun:
    """A cycle by cycle comparison on random traffic, closes and register changes."""

    def __init__(self, config, n_layers, n_experts, seed):
        self.rng, self.config = random.Random(seed), config
        self.n_layers, self.n_experts = n_layers, n_experts
        self.model, self.position = MergeModel(), Position(self.rng, n_layers)
        self.enables = {"predictor": 1, "hints": 1}
        self.waiting = {"predicted": None, "hint": None}
        self.taken = {"predicted": 0, "hint": 0, "fault": 0}

    def in_range(self, hint):
        return hint["layer"] < self.n_layers and hint["expert"] < self.n_experts

    def drive(self, ctx, dut):
        rng = self.rng
        makers = {"predicted": random_predicted, "hint": random_hint}
        for name, maker in makers.items():
            if self.waiting[name] is None and rng.random() < 0.6:
                self.waiting[name] = maker(rng, self.config)
            stream = getattr(dut, name)
            ctx.set(stream.valid, self.waiting[name] is not None)
            if self.waiting[name] is not None:
                ctx.set(stream.payload, self.waiting[name])
        for name in self.enables:
            if rng.random() < 0.03:
                self.enables[name] ^= 1
        ctx.set(dut.predictor_enable, self.enables["predictor"])
        ctx.set(dut.hints_enable, self.enables["hints"])
        ctx.set(dut.hints_first, rng.randrange(2))
        ctx.set(dut.candidate.ready, rng.random() < 0.7)

    def check(self, ctx, dut):
        """Compare the cycle's outputs with the model and move it on."""
        model, waiting = self.model, self.waiting
        hint, predicted = model.offers(waiting["predicted"], self.enables)
        assert ctx.get(dut.candidate.valid) == (hint is not None or predicted is not None)
        take_hint = hint is not None and (ctx.get(dut.hints_first) or predicted is None)
        ready = ctx.get(dut.candidate.ready)
        if take_hint:
            target = self.position.target(hint["layer"])
            expected = {**hint, "target": target, "source": Source.HINT}
        elif predicted is not None:
            expected = {**predicted, "source": Source.PREDICTOR}
        if hint is not None or predicted is not None:
            payload = dut.candidate.payload
            assert {name: ctx.get(payload[name]) for name in expected} == expected
        self.advance(ctx, dut, took_hint=take_hint and ready, took_predicted=predicted and ready and not take_hint)

    def advance(self, ctx, dut, *, took_hint, took_predicted):
        model, waiting = self.model, self.waiting
        if waiting["predicted"] is not None:
            assert ctx.get(dut.predicted.ready) == bool(took_predicted or not self.enables["predictor"])
            if ctx.get(dut.predicted.ready):
                waiting["predicted"] = None
        free = model.held is None or took_hint
        arrives = waiting["hint"] is not None and (free or not self.enables["hints"])
        assert ctx.get(dut.hint.ready) == (free or not self.enables["hints"])
        fault = arrives and self.enables["hints"] and not self.in_range(waiting["hint"])
        assert ctx.get(dut.fault) == fault
        if took_hint or not self.enables["hints"]:
            model.held = None
        if arrives and self.enables["hints"] and not fault:
            model.held = waiting["hint"]
        if arrives:
            waiting["hint"] = None
        for name, happened in (("hint", took_hint), ("predicted", took_predicted), ("fault", fault)):
            self.taken[name] += bool(happened)

    async def run(self, ctx, dut):
        ctx.set(dut.n_layers, self.n_layers)
        ctx.set(dut.n_experts, self.n_experts)
        self.position.drive(ctx, dut)
        for cycle in range(4000):
            self.drive(ctx, dut)
            self.check(ctx, dut)
            closes = cycle > 20 and self.rng.random() < 0.15
            ctx.set(dut.closing, closes)
            await ctx.tick()
            self.model.paused = closes
            if closes:
                self.position.step()
                self.position.drive(ctx, dut)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("config", "n_layers", "n_experts"), [(TINY, 4, 8), (TINY, 3, 5), (ODD, 5, 6), (ONE_LAYER, 1, 8)]
)
def test_random_traffic_matches_the_model(config, n_layers, n_experts, seed):
    print(f"seed {seed}")
    run = RandomRun(config, n_layers, n_experts, seed)
    simulate(config, run.run)
    assert run.taken["hint"] > 100 and run.taken["predicted"] > 100
    assert run.taken["fault"] > 0 or (n_layers, n_experts) == (4, 8)


def test_latency_and_one_hint_a_cycle():
    async def bench(ctx, dut):
        for signal, value in ((dut.n_layers, 4), (dut.n_experts, 8), (dut.hints_enable, 1), (dut.started, 1)):
            ctx.set(signal, value)
        ctx.set(dut.current, 10)
        ctx.set(dut.current_layer, 2)
        ctx.set(dut.candidate.ready, 1)
        ctx.set(dut.hint.valid, 1)
        targets = []
        for layer in (3, 0, 1, 2):
            ctx.set(dut.hint.payload, {"layer": layer, "expert": 1, "score": 5, "last": 0})
            assert ctx.get(dut.hint.ready)
            for _ in range(dut.latency):
                assert ctx.get(dut.candidate.valid) == bool(layer != 3), "n - 1"
                await ctx.tick()
            assert ctx.get(dut.candidate.valid), "n"
            targets.append(ctx.get(dut.candidate.payload.target))
        assert targets == [11, 12, 13, 14]

    simulate(TINY, bench)
