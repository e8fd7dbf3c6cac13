"""Does the replay agent play a trace beat by beat, in the cycles of the replay contract?"""

import random

import pytest
from amaranth.hdl import Array, Module
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.records import GrantStatus
from moefetch.hw.replay_agent import ReplayAgent
from moefetch.hw.replay_pattern import pattern
from moefetch.hw.replay_words import BEAT, HEADER, HINT, pack

CONFIG = UNIT_PRESETS["tiny"].replace(slot_bytes=64, n_pe=3)
WORKLOAD = {"base": 0x8000_0000, "layer_stride": 1 << 20, "expert_stride": 1 << 12, "expert_beats": 6}


def random_trace(rng, n_events):
    """Return events of layer, sequence_start, step_first, beats (expert, score, token_last) and hints."""
    trace = []
    for number in range(n_events):
        experts = rng.sample(range(8), rng.randint(1, 4))
        n_hints = rng.choice((0, 0, 1, 3))
        trace.append({
            "layer": number % 4,
            "sequence_start": int(number == 0),
            "step_first": int(number % 4 == 0),
            "beats": [(expert, rng.randrange(256), rng.randrange(2)) for expert in experts],
            "hints": [(rng.randrange(8), rng.randrange(256), rng.randrange(4)) for _ in range(n_hints)],
        })  # fmt: skip
    return trace


def words_of(trace):
    words = []
    for event in trace:
        words.append(
            pack(
                HEADER, n_beats=len(event["beats"]), n_hints=len(event["hints"]), layer=event["layer"],
                sequence_start=event["sequence_start"], step_first=event["step_first"],
            )
        )  # fmt: skip
        words += [pack(BEAT, expert=e, score=s, token_last=t) for e, s, t in event["beats"]]
        words += [pack(HINT, expert=e, score=s, layer=layer) for e, s, layer in event["hints"]]
    return words


class Bench:
    """The agent with its trace, and a unit that grants every expert a few cycles after the event's last beat.

    `log` holds (cycle, what, payload); a cycle's signals are those before its edge.
    """

    def __init__(self, trace, *, attention=5, step=0, expert_cycles=8, wait=3, status=GrantStatus.HIT, ready=1.0):
        self.trace, self.wait, self.status, self.ready = trace, wait, status, ready
        self.settings = WORKLOAD | {
            "attention_cycles": attention, "step_cycles": step, "expert_cycles": expert_cycles, "n_events": len(trace),
        }  # fmt: skip
        self.agent = ReplayAgent(config=CONFIG)
        self.log = []
        self.results = {}

    def run(self, limit=20_000):
        module = Module()
        module.submodules.agent = agent = self.agent
        words = Array([*words_of(self.trace), 0])
        module.d.sync += agent.trace_data.eq(words[agent.trace_address])
        simulator = Simulator(module)
        simulator.add_clock(1e-8)
        self.rng = random.Random(1)

        async def unit(ctx):
            for name, value in self.settings.items():
                ctx.set(getattr(agent, name), value)
            ctx.set(agent.start, 1)
            ctx.set(agent.release.ready, 1)
            open_experts, opens_at, grants, read = 0, 0, [], [None] * CONFIG.n_pe
            experts, layer = [], 0
            for cycle in range(limit):
                if ctx.get(agent.done):
                    break
                ctx.set(agent.route.ready, open_experts == 0 and self.rng.random() < self.ready)
                ctx.set(agent.hint.ready, self.rng.random() < self.ready)
                granted = bool(grants) and cycle >= opens_at
                ctx.set(agent.grant.valid, granted)
                if granted:
                    ctx.set(agent.grant.payload, grants[0])
                for index, port in enumerate(agent.read):
                    ctx.set(port.ready, 1)
                    ctx.set(port.data, read[index] or 0)
                for name in ("route", "hint", "grant", "release"):
                    port = getattr(agent, name)
                    if ctx.get(port.valid & port.ready):
                        payload = ctx.get(port.payload)
                        self.log.append((cycle, name, {field: payload[field] for field in payload.shape().members}))
                taken = [name for when, name, _ in self.log[-4:] if when == cycle]
                if "route" in taken:
                    beat = next(payload for when, name, payload in self.log[-4:] if name == "route" and when == cycle)
                    experts, layer = [*experts, beat["expert"]], beat["layer"]
                    if beat["last"]:
                        grants = [
                            {"layer": layer, "expert": expert, "slot": slot, "status": self.status}
                            for slot, expert in enumerate(experts)
                        ]
                        open_experts, opens_at, experts = len(grants), cycle + self.wait, []
                if "grant" in taken:
                    grants.pop(0)
                if "release" in taken:
                    open_experts -= 1
                read = [self._word(ctx, index) for index in range(CONFIG.n_pe)]
                await ctx.tick()
            assert ctx.get(agent.done), "the agent hangs"
            for name in ("events", "granted", "errors", "words", "wrong_words"):
                self.results[name] = ctx.get(getattr(agent, name))

        simulator.add_testbench(unit)
        simulator.run()

    def _word(self, ctx, index):
        """Return the word that the memory has for what an element reads now."""
        port = self.agent.read[index]
        if not ctx.get(port.valid):
            return None
        slot, beat = ctx.get(port.slot), ctx.get(port.beat)
        grant = [payload for _, name, payload in self.log if name == "grant" and payload["slot"] == slot][-1]
        address = WORKLOAD["base"] + grant["layer"] * (1 << 20) + grant["expert"] * (1 << 12)
        return pattern(address + beat * CONFIG.bus_bytes)

    def of(self, name):
        return [(cycle, payload) for cycle, what, payload in self.log if what == name]


def expected_beats(trace):
    for event in trace:
        for place, (expert, score, token_last) in enumerate(event["beats"], 1):
            yield {
                "layer": event["layer"], "expert": expert, "score": score, "token_last": token_last,
                "last": int(place == len(event["beats"])), "sequence_start": event["sequence_start"],
            }  # fmt: skip


def expected_hints(trace):
    for event in trace:
        for place, (expert, score, layer) in enumerate(event["hints"], 1):
            yield {"layer": layer, "expert": expert, "score": score, "last": int(place == len(event["hints"]))}


@pytest.mark.parametrize("ready", [1.0, 0.5])
def test_random_trace(ready):
    print("seed 1")
    trace = random_trace(random.Random(1), 25)
    bench = Bench(trace, ready=ready)
    bench.run()
    assert [payload for _, payload in bench.of("route")] == list(expected_beats(trace))
    assert [payload for _, payload in bench.of("hint")] == list(expected_hints(trace))
    n_experts = sum(len(event["beats"]) for event in trace)
    assert bench.results == {
        "events": len(trace), "granted": n_experts, "errors": 0, "words": n_experts * WORKLOAD["expert_beats"],
        "wrong_words": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("attention", "step"), [(1, 0), (2, 0), (13, 0), (4, 9), (0, 0)])
def test_times_of_events(attention, step):
    """First beat attention + 2 cycles after ready, then beats, then hints, one a cycle each."""
    print("seed 2")
    trace = random_trace(random.Random(2), 9)
    bench = Bench(trace, attention=attention, step=step)
    bench.run()
    routes, hints, releases = bench.of("route"), bench.of("hint"), bench.of("release")
    came_back = None
    for event in trace:
        beats, routes = routes[: len(event["beats"])], routes[len(event["beats"]) :]
        cycles = [cycle for cycle, _ in beats]
        told = [cycle for cycle, _ in hints[: len(event["hints"])]]
        hints = hints[len(event["hints"]) :]
        assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))
        assert told == list(range(cycles[-1] + 1, cycles[-1] + 1 + len(told)))
        if came_back is not None:
            assert cycles[0] == came_back + max(attention + step * event["step_first"], 1) + 2
        freed, releases = releases[: len(event["beats"])], releases[len(event["beats"]) :]
        came_back = freed[-1][0] + 1


def test_grants_go_to_the_lowest_idle_element_one_a_cycle():
    trace = [{"layer": 1, "sequence_start": 1, "step_first": 0, "beats": [(e, 0, 0) for e in range(5)], "hints": []}]
    bench = Bench(trace, expert_cycles=8)
    bench.run()
    grants, releases = [cycle for cycle, _ in bench.of("grant")], [cycle for cycle, _ in bench.of("release")]
    # Three elements take one each at once; the first is idle again in the cycle after its release is queued.
    assert grants == [grants[0], grants[0] + 1, grants[0] + 2, grants[0] + 9, grants[0] + 10]
    assert [payload["expert"] for _, payload in bench.of("release")] == [0, 1, 2, 3, 4]
    assert releases == [grant + 8 + 2 for grant in grants]


def test_error_grants_are_counted_and_released_unread():
    trace = random_trace(random.Random(3), 5)
    bench = Bench(trace, status=GrantStatus.ERROR)
    bench.run()
    n_experts = sum(len(event["beats"]) for event in trace)
    assert bench.results == {"events": 5, "granted": n_experts, "errors": n_experts, "words": 0, "wrong_words": 0}
    assert len(bench.of("release")) == n_experts
