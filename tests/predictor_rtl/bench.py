"""Bench of the ST-MoE predictors: random events, a driver, a collector, and a naive model of both tables."""

import random
from dataclasses import dataclass, field

from amaranth import Value
from amaranth.sim import Simulator
from moefetch.predictor_rtl.st_moe import StMoePredictor

PERIOD = 1e-6
TIMEOUT = 100_000


@dataclass
class Event:
    event: int
    layer: int
    sequence_start: bool
    members: tuple[int, ...]
    trailing: bool = False
    """The last beat carries no member."""


@dataclass
class NaiveStMoe:
    """The rules in the fewest words: dictionaries of lists, no early exits."""

    n_layers: int
    n_experts: int
    top_k: int
    min_score: int
    wrap: bool
    rows: dict = field(default_factory=dict)
    history: dict = field(default_factory=dict)
    previous: Event | None = None

    def row(self, layer, expert):
        return self.rows.setdefault((layer, expert), [[j, 0] for j in range(self.top_k)])

    def step(self, event):
        if event.sequence_start:
            self.history, self.previous = {}, None
        target = (event.layer + 1) % self.n_layers
        scores = {expert: 0 for expert in range(self.n_experts)}
        for member in event.members:
            for expert, confidence in self.row(event.layer, member):
                scores[expert] += confidence
        for expert in self.history.get(target, ()):
            scores[expert] += 2
        ranked = sorted((-min(score, 255), expert) for expert, score in scores.items())
        named = [(expert, -score) for score, expert in ranked if -score >= self.min_score]
        self.learn(event)
        return named if self.wrap or target != 0 else []

    def learn(self, event):
        before = self.previous
        if before and (before.layer + 1) % self.n_layers == event.layer and (self.wrap or event.layer != 0):
            for member in before.members:
                row = self.row(before.layer, member)
                for entry in row:
                    if entry[0] in event.members:
                        entry[1] = min(entry[1] + 1, 3)
                    elif entry[1]:
                        entry[1] -= 1
                    else:
                        held = {other[0] for other in row}
                        new = [expert for expert in event.members if expert not in held]
                        entry[:] = [new[0], 2] if new else entry
        self.history[event.layer] = event.members
        self.previous = event


def random_events(rng, count, n_layers, n_experts, top_k, empty=False):
    """Return events that mostly walk the ring, with unions, sequence starts, layer gaps and repeated choices."""
    events, layer, recent = [], rng.randrange(n_layers), {}
    for number in range(count):
        size = rng.choice([top_k, top_k, rng.randint(1, n_experts), 1])
        if empty and rng.random() < 0.15:
            size = 0
        members = rng.sample(range(n_experts), size)
        if size and rng.random() < 0.6 and layer in recent:
            members = recent[layer]
        recent[layer] = members
        start = rng.random() < 0.08
        trailing = rng.random() < 0.3 or not members
        events.append(Event(number, layer, start, tuple(members), trailing))
        layer = (layer + 1) % n_layers if rng.random() < 0.93 else rng.randrange(n_layers)
    return events


class Bench:
    """A simulated predictor; `cycle` counts, `candidates` and `offered` log what the collector sees."""

    def __init__(self, config, *, n_layers, n_experts, min_score=2, rng=None, dut=None, hold_cycles=0, enable=1):
        self.dut = dut or StMoePredictor(config=config)
        self.config = config
        self.rng = rng
        self.cycle = 0
        self.n_waits = 0
        self.candidates = []
        self.offered = []
        self.settings = {
            "n_layers": n_layers,
            "n_experts": n_experts,
            "min_score": min_score,
            "hold_cycles": hold_cycles,
            "enable": enable,
        }
        self.ready_chance = 1.0

    def run(self, testbench, *background):
        simulator = Simulator(self.dut)
        simulator.add_clock(PERIOD)

        async def main(ctx):
            for name, value in self.settings.items():
                ctx.set(getattr(self.dut, name), value)
            await testbench(ctx)

        simulator.add_process(self._count)
        simulator.add_testbench(self._collect, background=True)  # first: it logs a cycle before the main body looks
        for watcher in background:
            simulator.add_testbench(watcher, background=True)
        simulator.add_testbench(main)
        simulator.run()

    async def _count(self, ctx):
        async for _, _, wait in ctx.tick().sample(self.dut.wait):
            self.cycle += 1
            self.n_waits += wait

    async def _collect(self, ctx):
        stream = self.dut.candidate
        while True:
            ready = self.rng is None or self.rng.random() < self.ready_chance
            ctx.set(stream.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
            if valid:
                self.offered.append((self.cycle - 1, payload.expert))
            if valid and ready:
                self.candidates.append(
                    (payload.target, payload.layer, payload.expert, payload.score, payload.source, payload.last)
                )

    async def beat(self, ctx, event, expert, *, member, last):
        """Send a beat; return the cycle in which it was accepted."""
        stream = self.dut.event
        payload = {
            "event": event.event,
            "layer": event.layer,
            "expert": expert,
            "score": 0,
            "sequence_start": event.sequence_start,
            "member": member,
            "last": last,
        }
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        for _ in range(TIMEOUT):
            _, _, ready = await ctx.tick().sample(stream.ready)
            if ready:
                break
        else:
            raise AssertionError("the beat was never accepted")
        ctx.set(stream.valid, 0)
        return self.cycle - 1

    async def send(self, ctx, event, *, gaps=False):
        """Send an event's beats; return the cycle in which the last one was accepted."""
        beats = [(expert, 1) for expert in event.members] + [(0, 0)] * (event.trailing or not event.members)
        accepted = 0
        for index, (expert, member) in enumerate(beats):
            if gaps and self.rng.random() < 0.2:
                await ctx.tick().repeat(self.rng.randint(1, 12))
            accepted = await self.beat(ctx, event, expert, member=member, last=index == len(beats) - 1)
        return accepted

    async def end(self, ctx):
        """Pulse `event_end`; return its cycle."""
        ctx.set(self.dut.event_end, 1)
        await ctx.tick()
        ctx.set(self.dut.event_end, 0)
        return self.cycle - 1

    async def settle(self, ctx):
        """Wait until the predictor is not busy."""
        for _ in range(TIMEOUT):
            if not ctx.get(self.dut.busy):
                return
            await ctx.tick()
        raise AssertionError("the predictor stays busy")

    async def idle_tables(self, ctx):
        """Wait until the table port is ready, learning that is."""
        while not ctx.get(self.dut.table.ready):
            await ctx.tick()

    def rows(self, ctx, layer):
        """Return the rows of a layer, read from the simulated memory behind the port's back."""
        contents = self.dut._table.contents
        base = layer << self.config.expert_bits
        rows = []
        for expert in range(self.settings["n_experts"]):
            words = self._words(ctx.get(Value.cast(contents[base + expert])))
            bits = self.config.expert_bits
            rows.append([(word & (1 << bits) - 1 ^ j, word >> bits & 3) for j, word in enumerate(words)])
        return rows

    def _words(self, row):
        """Return the stored entries of a row."""
        width = self.config.expert_bits + 2 + self.config.parity
        return [row >> j * width & (1 << width) - 1 for j in range(self.config.max_top_k)]

    def flip_row(self, ctx, layer, expert, entry, bit):
        """Flip a bit of a table entry; return whether its row was right before, else leave it alone."""
        row = Value.cast(self.dut._table.contents[layer << self.config.expert_bits | expert])
        if any(word.bit_count() % 2 for word in self._words(ctx.get(row))):
            return False
        ctx.set(row, ctx.get(row) ^ 1 << entry * (self.config.expert_bits + 2 + self.config.parity) + bit)
        return True

    def flip_history(self, ctx, layer, bit):
        """Flip a bit of a layer's history."""
        row = Value.cast(self.dut._history.contents[layer])
        ctx.set(row, ctx.get(row) ^ 1 << bit)


def expected(event, n_layers, named):
    """Return the candidate beats for the model's (expert, score) pairs."""
    target_layer = (event.layer + 1) % n_layers
    return [
        (event.event + 1, target_layer, expert, score, 0, index == len(named) - 1)
        for index, (expert, score) in enumerate(named)
    ]


def naive(config, n_layers, n_experts, *, min_score=2, wrap=True):
    return NaiveStMoe(n_layers, n_experts, config.max_top_k, min_score, wrap)


def make_rng(request_seed):
    """Return a generator whose seed is printed, for a failing test to be repeated."""
    print(f"seed {request_seed}")
    return random.Random(request_seed)
