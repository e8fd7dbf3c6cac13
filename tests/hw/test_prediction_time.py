"""Does the core name as many candidates as an event has members within the time that docs and datasheets state?"""

import pytest
from moefetch.hw.config import UnitConfig
from moefetch.hw.records import Kind
from moefetch.sim.policies import POLICIES
from moefetch.sim.prediction_time import prediction_cycles
from moefetch.sim.predictors.st_moe import StMoe

from .core_bench import CoreBench, router_beats

CONFIG = UnitConfig(
    max_layers=2, max_experts=128, max_top_k=8, slots=32, slot_bytes=64, banks=2, n_pe=2, bus_bytes=4,
    horizon=2, predictors=("st_moe",), commit_log=True,
)  # fmt: skip
STEPS = 3


@pytest.mark.parametrize(("tokens", "most"), [(1, 200), (2, None)])
def test_candidates_come_within_the_stated_time(tokens, most):
    """8 of 128 experts, and 16: the same events each step, so that the last step predicts what it learned."""
    members = 8 * tokens
    settings = {"predictor": 1, "hints": 0, "n_layers": 2, "n_experts": 128, "expert_beats": 2, "budget": 8}
    bench = CoreBench(config=CONFIG, settings=settings, top_k=(8, 8), predictor=StMoe(2, 128, 8))
    events = [[list(range(first + 8 * t, first + 8 * t + 8)) for t in range(tokens)] for first in (0, 64)]
    times = []

    async def drive(ctx):
        for _ in range(STEPS):
            for layer, event in enumerate(events):
                before = len(bench.log)
                last_beat = await bench.send_event(ctx, router_beats(layer, event))
                await bench.wait_end(ctx)
                await bench.quiet(ctx, 2 * stated)
                commits = [cycle for cycle, record in bench.log[before:] if record.kind == Kind.CANDIDATE]
                times.append([cycle - last_beat for cycle in commits[:members]])

    stated = prediction_cycles(CONFIG, POLICIES["st_moe"], members)
    bench.run(drive)
    last = times[2 * (STEPS - 1)]
    print(f"{members} members: {len(last)} candidates, the last after {last[-1]} of {stated} cycles")
    assert len(last) >= 8 and last[-1] <= stated
    assert most is None or stated <= most
