"""Are the bars of a step what the workload and the routing say?"""

from moefetch.sim.policies import POLICIES, PolicyOptions
from moefetch.sim.token_timeline import ATTENTION, COMPUTE, ISSUE, PREDICT, event_times, token_bars
from moefetch.sim.transfers import Fate, transfers_of

from .model_in_python import RUN, observed
from .replay_fixtures import toy_trace
from .test_jobs import plan_of


def test_a_step_is_as_long_as_the_replay_says_and_holds_all_its_parts(tmp_path):
    job = plan_of(tmp_path, toy_trace(tokens=12, sequences=3)).job(POLICIES["st_moe"], PolicyOptions())
    observation = observed(job, len(job.events))
    bars = token_bars(observation, transfers_of(observation), job, 6, 9)
    attention = [bar for bar in bars if bar.what == ATTENTION]
    work = job.workload
    assert [bar.layer for bar in attention] == [0, 1, 2]
    assert attention[0].end == work.attention_cycles + work.step_cycles
    assert attention[1].end - attention[1].start == work.attention_cycles
    assert sum(bar.what == COMPUTE for bar in bars) == sum(job.events.members[6:9])
    assert all(bar.end - bar.start >= work.expert_cycles for bar in bars if bar.what == COMPUTE)
    assert sum(bar.what == PREDICT for bar in bars) == 3
    moved = {fate.value for fate in Fate}
    assert sum(bar.what in moved for bar in bars) >= sum(bar.what == ISSUE for bar in bars) > 0
    assert all(0 <= bar.start <= bar.end and bar.end > 0 for bar in bars)
    times, steps = event_times(observation), RUN(job).step_cycles
    assert abs((times[8].end - times[5].end) - steps[2]) <= 3
    assert max(bar.end for bar in bars if bar.what == COMPUTE) <= times[8].end - times[5].end
