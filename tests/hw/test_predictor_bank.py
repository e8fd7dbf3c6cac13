"""Do all predictors of the bank learn every event while only the selected one emits, bit for bit its golden twin?"""

import random

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.predictor_bank import PREDICTORS, PredictorBank
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.st_moe import StMoe
from moefetch.sim.predictors.st_moe_paper import StMoePaper
from moefetch.sim.predictors.weights import Weights

CONFIG = UNIT_PRESETS["tiny"]
N_LAYERS, N_EXPERTS = 4, 8
ALL = CONFIG.replace(predictors=("st_moe", "st_moe_paper", "weights"), weight_lanes=4)


def golden_weights(n_layers, n_experts, top_k):
    return Weights(n_layers, n_experts, ALL.weight_rules, min_score=2)


GOLDEN = {"st_moe": StMoe, "st_moe_paper": StMoePaper, "weights": golden_weights}


def random_events(rng, count):
    """Return events in ring order; experts repeat from step to step, so that tables learn something."""
    usual = [rng.sample(range(N_EXPERTS), 2) for _ in range(N_LAYERS)]
    for number in range(count):
        layer = number % N_LAYERS
        members = usual[layer] if rng.random() < 0.7 else rng.sample(range(N_EXPERTS), rng.randint(1, 4))
        yield PredictorEvent(number, layer, number % 12 == 0, tuple(members))


class Bench:
    """The bank with a collector; `named` holds what came since it was last emptied."""

    def __init__(self, config=CONFIG):
        self.config = config
        self.bank = PredictorBank(config=config)
        self.named = []
        self.waits = 0

    def run(self, drive):
        module = Module()
        module.domains.sync = ClockDomain()  # a bank without predictors has none
        module.submodules.bank = self.bank
        simulator = Simulator(module)
        simulator.add_clock(1e-8)
        simulator.add_process(self._collect)

        async def start(ctx):
            settings = {
                "n_layers": N_LAYERS, "n_experts": N_EXPERTS, "row_entries": self.config.max_top_k, "min_score": 2,
                "hold_cycles": 5,
            }  # fmt: skip
            for name, value in settings.items():
                ctx.set(getattr(self.bank, name), value)
            await drive(ctx)

        simulator.add_testbench(start)
        simulator.run()

    async def _collect(self, ctx):
        port = self.bank.candidate
        ctx.set(port.ready, 1)
        async for _, _, valid, payload in ctx.tick().sample(port.valid, port.payload):
            if valid:
                self.named.append(tuple(payload[name] for name in ("target", "layer", "expert", "score", "source")))

    async def play(self, ctx, event):
        """Send an event, end it, wait until nobody is busy; return what was named."""
        self.named.clear()
        port = self.bank.event
        for place, expert in enumerate(event.members, 1):
            ctx.set(port.payload, {
                "event": event.event, "layer": event.layer, "expert": expert, "sequence_start": event.sequence_start,
                "member": 1, "last": place == len(event.members),
            })  # fmt: skip
            ctx.set(port.valid, 1)
            await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)
        ctx.set(self.bank.event_end, 1)
        await ctx.tick()
        ctx.set(self.bank.event_end, 0)
        await ctx.tick().until(~self.bank.busy)
        await ctx.tick()
        return list(self.named)


def expected(golden, event):
    return [(c.target_event, c.layer, c.expert, c.score, c.source) for c in golden.step(event)]


def test_selection_changes_while_all_learn():
    print("seed 1")
    rng = random.Random(1)
    bench = Bench(ALL)
    golden = [GOLDEN[name](N_LAYERS, N_EXPERTS, CONFIG.max_top_k) for name in ALL.predictors]

    async def drive(ctx):
        emitted = [0] * (len(golden) + 1)
        for event in random_events(rng, 72):
            selected = rng.randrange(len(golden) + 1)
            ctx.set(bench.bank.selected, selected)
            wanted = [[], *(expected(twin, event) for twin in golden)]
            assert await bench.play(ctx, event) == wanted[selected], event
            emitted[selected] += len(wanted[selected])
        assert emitted[0] == 0 and all(emitted[1:])

    bench.run(drive)
    assert list(PREDICTORS) == list(GOLDEN)


def test_a_beat_is_taken_by_all_or_by_none():
    """`ready` falls while any predictor is not ready, and no predictor sees the beat twice."""
    bench = Bench()
    golden = StMoe(N_LAYERS, N_EXPERTS, CONFIG.max_top_k)
    events = list(random_events(random.Random(2), 24))

    async def drive(ctx):
        port = bench.bank.event
        ctx.set(bench.bank.selected, 0)
        held_up = 0
        for event in events[:-1]:  # one on the heels of the other
            for place, expert in enumerate(event.members, 1):
                ctx.set(port.payload, {
                    "event": event.event, "layer": event.layer, "expert": expert,
                    "sequence_start": event.sequence_start, "member": 1, "last": place == len(event.members),
                })  # fmt: skip
                ctx.set(port.valid, 1)
                while not (await ctx.tick().sample(port.ready))[-1]:
                    held_up += 1
            golden.step(event)
        ctx.set(port.valid, 0)
        await ctx.tick().repeat(60)
        ctx.set(bench.bank.selected, 1)
        assert held_up, "predictors hold each other up"
        assert await bench.play(ctx, events[-1]) == expected(golden, events[-1])

    bench.run(drive)


def test_without_predictors_events_pass():
    bench = Bench(CONFIG.replace(predictors=()))

    async def drive(ctx):
        for event in random_events(random.Random(3), 4):
            assert await bench.play(ctx, event) == []
        assert not ctx.get(bench.bank.busy)

    bench.run(drive)
