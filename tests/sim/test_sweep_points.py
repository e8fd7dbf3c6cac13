"""Are a sweep's points what its settings say, each once, and is a wrong combination refused before anything runs?"""

import pytest
from moefetch.traces.errors import UserError

from .sweep_fixtures import points_in, write_sweep


def test_points_have_the_values_of_their_settings(tmp_path):
    spec, _, points = points_in(write_sweep(tmp_path, "[options]\nbudget = [1, 2]\n[unit]\nqueue_depth = [4, 8]"))
    assert spec.size == 16
    # A budget means nothing to policy none: those settings are one point.
    assert len(points) == 12 == len({point.digest for point in points})
    found = {(p.policy, p.options.budget, p.platform.slots, p.unit.queue_depth) for p in points}
    assert found == {
        *(("none", None, slots, depth) for slots in (6, 8) for depth in (4, 8)),
        *(("st_moe", budget, slots, depth) for budget in (1, 2) for slots in (6, 8) for depth in (4, 8)),
    }
    assert all(point.scale == 1 and point.workload.slots == point.slots == point.platform.slots for point in points)


def test_a_group_differs_in_its_policy_alone(tmp_path):
    _, _, points = points_in(write_sweep(tmp_path))
    assert len({point.group for point in points}) == 2
    assert {(p.group, p.platform.slots) for p in points} == {(p.group, p.slots) for p in points}


def test_a_unit_that_the_sweep_sets_is_not_grown(tmp_path):
    _, _, points = points_in(write_sweep(tmp_path, "[unit]\nslots = 4\nbanks = 2\nscan_lanes = 2"))
    assert {(point.unit.slots, point.slots) for point in points} == {(4, 4)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[unit]\nslots = 12", "unit: banks = 8: must divide slots = 12 (unit.slots = 12)"),
        ("[unit]\nslots = 1", "unit.slots = 1: Input should be greater than or equal to 2"),
        ("[unit]\nmax_experts = 4", "max_top_k = 8: must not exceed max_experts = 4"),
        ("[unit]\nmax_layers = 2", "max_layers = 2: must be at least 3, the layers of toy on bench"),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(tmp_path, text, said):
    with pytest.raises(UserError, match="unit") as error:
        points_in(write_sweep(tmp_path, text))
    assert said in str(error.value)


def test_a_trace_of_another_model_is_refused(tmp_path):
    path = write_sweep(tmp_path)
    path.write_text(path.read_text().replace("[platform]", "n_layers = 4\n[platform]"))
    with pytest.raises(UserError, match="3 layers: must be 4"):
        points_in(path)


def test_an_option_that_no_policy_takes_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"options\.hold_cycles: is of no use here: only st_moe_paper take it"):
        points_in(write_sweep(tmp_path, "[options]\nhold_cycles = 3"))
    with pytest.raises(UserError, match=r"options\.budget: is of no use here"):
        points_in(write_sweep(tmp_path, "[options]\nbudget = 3", policy='"oracle"'))


def test_what_a_result_follows_from_changes_its_digest(tmp_path):
    def digests(text, **given):
        return {point.digest for point in points_in(write_sweep(tmp_path, text, **given))[2]}

    plain = digests("")
    assert digests("", trace="other.parquet") == plain  # the same rows under another name
    for text in ("tokens = 5", "batch = 2", "warm_up = 3", "[unit]\nqueue_depth = 2"):
        assert not digests(text) & plain, text
