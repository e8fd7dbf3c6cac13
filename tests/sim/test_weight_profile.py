"""Is a weight profile what the predictor learns from its tokens, and does it survive a file?"""

import numpy as np
import pytest
from moefetch.hw.weight_rules import WeightRules
from moefetch.sim.predictors.weights import Weights
from moefetch.sim.recall import trace_events
from moefetch.sim.weight_profile import WeightProfile
from moefetch.traces.errors import UserError

from .test_named_experts import drifting

RULES = WeightRules(((1, 0), (2, 0), (0, 1)), 4)


def test_training_is_the_golden_predictor_run_twice():
    experts, starts = drifting(1, 60, 3, 8, 2, ragged=False)
    tables = None
    for _ in range(2):
        golden = Weights(3, 8, RULES, tables=tables)
        for event in trace_events(experts, starts):
            golden.step(event)
        tables = golden.tables
    assert (WeightProfile.train(experts, starts, 8, RULES).tables == tables).all()


def test_a_file_gives_back_rules_and_tables(tmp_path):
    experts, starts = drifting(2, 30, 3, 8, 2, ragged=False)
    profile = WeightProfile.train(experts, starts, 8, RULES)
    profile.save(tmp_path / "p.npz")
    read = WeightProfile.load(tmp_path / "p.npz")
    assert read.rules == RULES and (read.tables == profile.tables).all()


def test_other_files_and_tables_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", rows=np.zeros(3))
    with pytest.raises(UserError, match="not a profile"):
        WeightProfile.load(tmp_path / "other.npz")
    with pytest.raises(UserError, match="cannot be read"):
        WeightProfile.load(tmp_path / "none.npz")
    for tables, message in (
        (np.zeros((2, 3, 4, 4)), "int8"),
        (np.zeros((2, 2, 4, 4), np.int8), "3 sources"),
        (np.full((2, 3, 4, 4), 8, np.int8), "-8 to 7"),
    ):
        with pytest.raises(ValueError, match=message):
            WeightProfile(RULES, tables)
    with pytest.raises(ValueError, match="at least one token"):
        WeightProfile.train(np.zeros((0, 3, 2), np.uint16), np.zeros(0, bool), 8, RULES)
