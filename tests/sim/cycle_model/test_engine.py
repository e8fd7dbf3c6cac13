"""What the cycle model gives back, what it refuses, and its limits by hand."""

from dataclasses import replace

import pytest
from moefetch.sim.all_resident import START, all_resident_event
from moefetch.traces.errors import UserError

from .interpreted import interpreted
from .random_jobs import random_job

ENGINE = interpreted("engine")[0]


def test_result_has_every_counter_and_obeys_the_laws():
    job = random_job(7, "wide")
    shown = []
    result = ENGINE.run_model(job, progress=lambda done, total: shown.append((done, total)))
    assert result.modelled
    assert sum(result.step_cycles) == result.cycles == result.counters["cycles"]
    assert result.events == len(job.events) == shown[-1][0] == shown[-1][1]
    assert result.counters["demand"] == sum(layer["demand"] for layer in result.statistics["layers"])


def test_a_second_pass_over_resident_experts_is_the_all_resident_run():
    job = random_job(5, "tiny", most_events=4)
    work = job.workload.model_copy(update={"attention_cycles": 9, "step_cycles": 4, "background_period": 0, "n_pe": 1})
    unit = job.unit.replace(n_pe=1, slots=32, banks=32, predictors=())
    settings = job.settings | {"n_slots": 32, "predictor": 0, "hints": 0, "evict_at_event_end": 0}
    events = [event._replace(hints=()) for event in job.events]
    job = replace(job, unit=unit, workload=work, settings=settings, predictor=None, profile=None, events=events)
    once, twice = (ENGINE.run_model(replace(job, events=events * times)).cycles for times in (1, 2))
    assert twice - once == sum(all_resident_event(_truncated(e, job), work) for e in events)
    assert once > START


def _truncated(event, job):
    """Return the event as the unit takes it: beats beyond top-k arrive and select nothing."""
    kept, contributed = [], 0
    for beat in event.beats:
        if contributed < job.top_k[event.layer]:
            kept.append(beat.expert)
        contributed = 0 if beat.token_last else contributed + 1
    return event._replace(
        beats=tuple(beat._replace(expert=beat.expert if beat.expert in kept else kept[0]) for beat in event.beats)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e._replace(beats=()), "without router beats"),
        (lambda e: e._replace(beats=(e.beats[0]._replace(expert=15, token_last=True),)), "expert 15: must be below"),
        (lambda e: e._replace(beats=(e.beats[0]._replace(token_last=False), e.beats[0])), "names an expert twice"),
    ],
)
def test_beats_that_the_unit_would_drop_are_refused(change, message):
    job = random_job(1, "tiny")
    with pytest.raises(UserError, match=message):
        ENGINE.run_model(replace(job, events=[change(job.events[0]), *job.events[1:]]))


def test_background_without_a_gap_is_refused():
    job = random_job(1, "tiny")
    work = job.workload.model_copy(update={"background_period": 5, "background_length": 5})
    with pytest.raises(UserError, match="background_length = 5"):
        ENGINE.run_model(replace(job, workload=work))


@pytest.mark.parametrize(
    ("predictor", "field", "value"), [("st_moe", "table_window", 3), ("weights", "weight_ways", 2)]
)
def test_a_unit_that_has_its_tables_in_memory_is_refused(predictor, field, value):
    job = random_job(3, "tiny")
    paged = job.unit.replace(predictors=(predictor,), max_layers=max(3, job.unit.max_layers), **{field: value})
    with pytest.raises(UserError, match=f"unit: {field} = {value}: the cycle model knows tables on chip only"):
        ENGINE.run_model(replace(job, unit=paged))


def test_experts_in_several_pieces_are_refused():
    job = random_job(1, "tiny")
    with pytest.raises(UserError, match="segments = 2: the cycle model knows experts in one piece only"):
        ENGINE.run_model(replace(job, unit=job.unit.replace(segments=2)))


def test_mapped_grants_are_refused():
    job = random_job(1, "tiny")
    with pytest.raises(UserError, match="mapping_window = 4: the cycle model grants in order only"):
        ENGINE.run_model(replace(job, unit=job.unit.replace(mapping_window=4)))
