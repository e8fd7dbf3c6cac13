"""Does the all-resident model give the RTL's cycles, event by event?"""

from itertools import pairwise

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.replay_harness import ReplayHarness
from moefetch.sim.all_resident import START, all_resident_cycles, all_resident_event
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.replay_events import ReplayEvent, RouterBeat
from moefetch.sim.replay_image import replay_words
from moefetch.sim.workload import derive

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

LAYERS, FIRST_ROUND = 2, 2
MEMORY = {"latency": 2, "cycles_per_beat": 1}


def workload(**changes):
    found = derive(load_model("moefetch-small"), load_platform("lpddr5x"), 1)
    return found.model_copy(update=changes)


def events_of(members, rounds):
    beats = tuple(RouterBeat(expert, 9, expert == members - 1) for expert in range(members))
    return [ReplayEvent(layer, layer == 0, False, beats, ()) for _ in range(rounds) for layer in range(LAYERS)]


def rtl_event_cycles(members, work):
    """Return the cycles of each event after the first round, when all experts are resident, each in its own bank."""
    config = UNIT_PRESETS["tiny"].replace(
        max_layers=LAYERS, slots=16, banks=16, n_pe=work.n_pe, max_top_k=8, predictors=()
    )
    events = events_of(members, 2)
    words = list(replay_words(events))
    dut = ReplayHarness(config=config)
    ends = [0]

    async def bench(ctx):
        settings = {name: getattr(work, name) for name in ("attention_cycles", "step_cycles", "expert_cycles")}
        settings |= {"n_events": len(events), "expert_beats": work.expert_beats, "expert_stride": 4096}
        for name, value in (settings | {"layer_stride": 4096 * config.max_experts} | MEMORY).items():
            ctx.set(getattr(dut, name), value)
        await ctx.tick().repeat(40)
        ctx.set(dut.start, 1)
        cycle = 0
        while not ctx.get(dut.done):
            address, finished = ctx.get(dut.trace_address), ctx.get(dut.events)
            await ctx.tick()
            ctx.set(dut.trace_data, words[address] if address < len(words) else 0)
            cycle += 1
            if ctx.get(dut.events) != finished:
                ends.append(cycle)
        assert ctx.get(dut.wrong_words) == 0

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return [end - begin for begin, end in pairwise(ends)][FIRST_ROUND:]


@pytest.mark.parametrize(
    ("members", "n_pe", "attention", "step", "expert_cycles", "beats"),
    [
        (1, 2, 0, 0, 20, 8),
        (4, 2, 10, 5, 60, 8),
        (8, 8, 3, 0, 3, 2),
        (8, 1, 10, 0, 5, 4),
        (6, 4, 1, 2, 12, 12),
    ],
)
def test_each_event_takes_the_rtls_cycles(members, n_pe, attention, step, expert_cycles, beats):
    work = workload(
        n_pe=n_pe, attention_cycles=attention, step_cycles=step, expert_cycles=expert_cycles, bus_bytes=4,
        expert_bytes=4 * beats,
    )  # fmt: skip
    modelled = [all_resident_event(event, work) for event in events_of(members, 1)]
    assert rtl_event_cycles(members, work) == modelled


def test_beats_of_one_expert_by_two_tokens_are_read_once():
    work = workload(n_pe=4)
    twice = tuple(RouterBeat(expert, 9, True) for expert in (3, 3))
    once = (RouterBeat(3, 9, True),)
    both, single = (all_resident_event(ReplayEvent(1, False, False, beats, ()), work) for beats in (twice, once))
    assert both == single + 1


def test_a_replay_is_its_events_and_the_start():
    work, events = workload(), events_of(4, 3)
    assert all_resident_cycles(events, work) == START + sum(all_resident_event(event, work) for event in events)
