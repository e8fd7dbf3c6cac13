"""Do the fates of transfers add up to the counters of the replay?"""

from collections import Counter

import pytest
from moefetch.sim.policies import POLICIES, PolicyOptions
from moefetch.sim.transfers import Fate, Transfer, transfers_of

from .model_in_python import RUN, observed
from .replay_fixtures import toy_trace
from .test_jobs import plan_of


@pytest.mark.parametrize("policy", ["none", "st_moe", "st_moe_paper", "hints"])
def test_fates_are_the_counters(tmp_path, policy):
    job = plan_of(tmp_path, toy_trace(tokens=16, sequences=4)).job(POLICIES[policy], PolicyOptions())
    counters = RUN(job).counters
    transfers = transfers_of(observed(job, len(job.events)))
    fates = Counter(transfer.fate for transfer in transfers)
    assert fates[Fate.DEMAND] == counters["demand_issued"]
    assert fates[Fate.USED] == counters["timely"] + counters["late"]
    assert fates[Fate.WASTED] == counters["useless"]
    assert fates[Fate.OPEN] == counters["open"]
    slacks = [transfer.slack for transfer in transfers if transfer.slack is not None]
    assert sum(slack < 0 for slack in slacks) == counters["late"]
    assert all(t.filled > t.issued for t in transfers if t.filled is not None)


def test_slack_is_use_less_completion():
    transfer = Transfer(0, 1, 2, 3, issued=10, fate=Fate.USED, filled=50, used=80)
    assert transfer.slack == 30
    assert Transfer(0, 1, 2, 3, issued=10, fate=Fate.USED, filled=80, used=50).slack == -30
    assert Transfer(0, 1, 2, 3, issued=10, fate=Fate.DEMAND, filled=80).slack is None
