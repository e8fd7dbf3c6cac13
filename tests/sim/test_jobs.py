"""Do jobs carry the trace, the profile's part and the settings as the rules say?"""

import numpy as np
import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.register_access import settings_writes
from moefetch.sim.all_resident import link_room
from moefetch.sim.jobs import ReplayPlan, build_jobs, profile_rows, require_geometry
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.policies import KNOWN_POLICIES, POLICIES, PolicyOptions
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.st_moe_paper import StMoePaper
from moefetch.sim.unit_fit import fit_unit
from moefetch.sim.workload import derive
from moefetch.traces.errors import UserError
from moefetch.traces.format import Trace

from .replay_fixtures import toy_trace, write_specs


def plan_of(tmp_path, trace=None, *, tokens=None, batch=1, **workload):
    model, platform = write_specs(tmp_path)
    found = derive(load_model(str(model)), load_platform(str(platform)), 1).model_copy(update=workload)
    unit = fit_unit(UNIT_PRESETS["tiny"], found)
    return ReplayPlan(tmp_path / "t.parquet", trace or toy_trace(), found, unit, tokens, batch)


def job_of(plan, policy, **options):
    return build_jobs(plan, [POLICIES[policy]], PolicyOptions(**options))[0]


def test_the_profile_is_whole_sequences_at_the_end():
    assert profile_rows(toy_trace(tokens=40, sequences=10)).tolist() == list(range(32, 40))
    assert profile_rows(toy_trace(tokens=40, sequences=4)).tolist() == list(range(30, 40))
    assert profile_rows(toy_trace(tokens=40, sequences=1)).tolist() == list(range(32, 40))


def test_prefill_rows_are_neither_replayed_nor_profiled(tmp_path):
    trace = toy_trace(tokens=40, sequences=10)
    phase = trace.phase.copy()
    phase[::4] = 0
    trace = Trace(trace.meta, **trace.columns() | {"phase": phase})
    plan = plan_of(tmp_path, trace)
    assert not np.isin(np.arange(0, 40, 4), np.concatenate([plan.profiled_rows, plan.replayed_rows])).any()


def test_the_statement_counts_the_replayed_tokens_of_the_profile(tmp_path):
    plan = plan_of(tmp_path, tokens=33)
    assert plan.profile_statement() == (
        "counted on the last 10 of the trace's 40 decode tokens (25%); 3 of the 33 replayed tokens are among them"
    )
    assert plan_of(tmp_path, tokens=5).profile_statement().endswith("; 0 of the 5 replayed tokens are among them")


def test_a_batch_replays_the_same_position_of_several_sequences(tmp_path):
    plan = plan_of(tmp_path, tokens=2, batch=4)
    assert plan.replayed_rows.tolist() == [0, 10, 20, 30, 1, 11, 21, 31]
    assert sum(beat.token_last for beat in plan.events[0].beats) == 4


def test_every_jobs_settings_are_accepted_by_the_unit(tmp_path):
    plan = plan_of(tmp_path)
    for job in build_jobs(plan, list(POLICIES.values()), PolicyOptions()):
        assert list(settings_writes(job.unit, job.settings))
        assert job.settings["base"] > 1 << 32
        assert job.settings["base"] % 4096 == 0
        assert (job.settings["n_slots"], job.settings["expert_beats"]) == (8, 512)
        assert job.top_k == (2, 2, 2)
        assert (job.profile is None) == (job.predictor is None)
        index = job.settings["predictor"]
        assert (job.unit.predictors[index - 1] if index else None) == job.predictor
        assert any(event.hints for event in job.events) == (job.policy == "hints")


def test_a_link_is_tight_that_brings_less_than_half_an_events_experts_while_the_event_lasts(tmp_path):
    busy = {"cycles_per_beat": 8, "step_cycles": 0}
    shortest = plan_of(tmp_path, attention_cycles=1, **busy)
    assert shortest.events.members.mean() == 2
    transfer = shortest.workload.transfer_cycles
    missing = transfer - round(link_room(shortest.events, shortest.workload) * transfer)
    for attention_cycles, tight in ((missing - 8, True), (missing + 8, False)):
        assert plan_of(tmp_path, attention_cycles=attention_cycles, **busy).link_is_tight == tight


def test_weights_name_fewer_experts_where_the_link_is_tight(tmp_path):
    def least(cycles_per_beat, **options):
        plan = plan_of(tmp_path, attention_cycles=1, cycles_per_beat=cycles_per_beat)
        plan = plan.on(plan.workload, plan.unit.replace(predictors=("weights",)))
        return build_jobs(plan, [KNOWN_POLICIES["weights"]], PolicyOptions(**options))[0].settings["min_score"]

    assert least(1) == KNOWN_POLICIES["weights"].min_score
    assert least(8) == KNOWN_POLICIES["weights"].tight_min_score
    assert least(8, min_score=9) == 9


def test_the_paper_holds_its_set_until_its_transfer_ends_with_attention(tmp_path):
    plan = plan_of(tmp_path, attention_cycles=5000)
    golden = StMoePaper(3, 8, 2, profile=plan.profile)
    sizes = []
    for number, event in enumerate(plan.events):
        members = tuple(beat.expert for beat in event.beats)
        found = golden.step(PredictorEvent(number, event.layer, event.sequence_start, members))
        sizes += [len(found)] if event.layer < 2 else []
    expected = 5000 - round(np.mean(sizes) * 512)
    assert 0 < expected < 5000
    assert job_of(plan, "st_moe_paper").settings["hold_cycles"] == expected
    assert job_of(plan, "st_moe_paper", hold_cycles=0).settings["hold_cycles"] == 0
    assert job_of(plan_of(tmp_path, attention_cycles=10), "st_moe_paper").settings["hold_cycles"] == 0


def test_hints_that_are_not_there_are_an_error_or_left_out(tmp_path):
    plan, policies = plan_of(tmp_path, toy_trace(hints=False)), list(POLICIES.values())
    with pytest.raises(UserError, match="has no hints: policy hints needs"):
        build_jobs(plan, policies, PolicyOptions())
    notes = []
    jobs = build_jobs(plan, policies, PolicyOptions(), skipped=notes.append)
    assert [job.policy for job in jobs] == ["none", "st_moe_paper", "st_moe"]
    assert len(notes) == 1
    assert "policy hints is left out" in notes[0]


def test_a_unit_without_the_predictor_is_named(tmp_path):
    plan = plan_of(tmp_path)
    plan = ReplayPlan(plan.path, plan.trace, plan.workload, plan.unit.replace(predictors=("st_moe",)), None)
    with pytest.raises(UserError, match=r"the unit has no predictor st_moe_paper \(it has: st_moe\)"):
        job_of(plan, "st_moe_paper")
    assert job_of(plan, "st_moe").settings["predictor"] == 1


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"layers": 4}, "4 layers: must be 3, as model toy has"),
        ({"experts": 9}, "9 experts: must be 8, as model toy has"),
        ({"top_k": 3}, "top-3: must not exceed top-2 of model toy"),
    ],
)
def test_a_trace_of_another_model_is_named(tmp_path, changes, line):
    model = load_model(str(write_specs(tmp_path)[0]))
    with pytest.raises(UserError) as caught:
        require_geometry(tmp_path / "t.parquet", toy_trace(**changes), model)
    assert line in str(caught.value)
    require_geometry(tmp_path / "t.parquet", toy_trace(top_k=1), model)


def test_a_layer_without_expert_is_named(tmp_path):
    def empty(experts):
        experts[13, 2] = 0xFFFF

    with pytest.raises(UserError, match="sequence 1, token 3, layer 2: no expert"):
        plan_of(tmp_path, toy_trace(change=empty))
    plan_of(tmp_path, toy_trace(change=empty), tokens=13)


def test_a_plan_on_another_machine_is_the_plan_made_for_it(tmp_path):
    plan = plan_of(tmp_path)
    _ = plan.profile, plan.events
    workload = plan.workload.model_copy(update={"latency_cycles": 99})
    unit = plan.unit.replace(queue_depth=4)
    other = plan.on(workload, unit)
    assert (other.workload, other.unit, plan.workload.latency_cycles) == (workload, unit, 20)
    assert other.events is plan.events and other.profile is plan.profile
    assert other.job(POLICIES["st_moe"], PolicyOptions()).workload == workload
    _ = plan.weight_profile
    rules = plan.unit.replace(weight_bits=6)
    assert plan.on(workload, rules).weight_profile.rules.bits == 6
