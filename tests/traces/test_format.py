import dataclasses

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import DECODE, PREFILL, Trace, TraceMeta

META = TraceMeta("m", (0, 1), 8, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version: 2: must be 1"),
        ({"n_experts": 0}, "n_experts: 0: must be 1..65535"),
        ({"n_experts": 70000}, "n_experts: 70000"),
        ({"top_k": 9}, "top_k: 9: must be 1..8"),
        ({"top_k": True}, "top_k: True: must be of type int"),
        ({"n_hints": 9}, "n_hints: 9: must be 0..8"),
        ({"n_hints": 2}, "hint_horizon: 0: must be 1..2"),
        ({"far_horizons": 1}, "far_horizons: 1: must be 0"),
        ({"n_hints": 2, "hint_horizon": 1, "far_horizons": 2}, "far_horizons: 2: must be 0..1"),
        ({"layers": ()}, "layers: []: must be ascending"),
        ({"layers": (1, 1)}, "layers: [1, 1]: must be ascending"),
        ({"layers": (0, "1")}, "layers: (0, '1'): must be of type int"),
        ({"model": None}, "model: None: must be of type str"),
        ({"provenance": []}, "provenance: []: must be of type dict"),
    ],
)
def test_metadata_names_the_field_the_value_and_the_rule(change, message):
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(META, **change)
    assert message in str(caught.value)


def test_metadata_survives_json():
    meta = TraceMeta("m", (1, 3), 8, 2, 4, 1, "MIT", {"source": ["a", 1]}, {"numpy": "2"}, "ab")
    assert TraceMeta.from_json(meta.to_json(), "f") == meta


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 1}',
        '{"version": 3}',
        META.to_json().replace('"model"', '"modell"'),
        META.to_json().replace("[0, 1]", "5"),
        b"\xff\xfe\xfd",
    ],
)
def test_wrong_metadata_is_a_user_error_of_one_line_with_the_file(text):
    with pytest.raises(UserError, match=r"^some\.parquet: trace metadata: ") as caught:
        TraceMeta.from_json(text, "some.parquet")
    assert "\n" not in str(caught.value)


def test_a_column_of_wrong_type_or_shape_is_refused(make_trace):
    trace = make_trace()
    with pytest.raises(ValueError, match="experts: must be a numpy array of uint16"):
        dataclasses.replace(trace, experts=trace.experts.astype(np.int64))
    with pytest.raises(ValueError, match=r"scores: shape .* must be \(32, 4, 3\)"):
        dataclasses.replace(trace, scores=trace.scores[:, :, :2])
    with pytest.raises(ValueError, match="position"):
        dataclasses.replace(trace, position=trace.position[1:])


def test_select_keeps_every_column(make_trace):
    trace = make_trace(full=True)
    part = trace.select(slice(3, 7))
    assert part.columns().keys() == trace.columns().keys()
    assert all(len(values) == 4 for values in part.columns().values())
    np.testing.assert_array_equal(part.draft_experts, trace.draft_experts[3:7])


def test_decode_rows_and_sequence_starts(make_trace):
    trace = make_trace(lengths=(3, 2))
    trace.phase[:] = [PREFILL, DECODE, DECODE, PREFILL, DECODE]
    np.testing.assert_array_equal(trace.sequence_starts(), [True, False, False, True, False])
    assert trace.decode_rows().position.tolist() == [1, 2, 1]
    assert trace.decode_rows().sequence_starts().tolist() == [True, False, True]


def test_concatenate_undoes_a_cut_and_refuses_other_columns(make_trace, assert_same):
    trace = make_trace(full=True)
    parts = [trace.select(slice(0, 5)), trace.select(slice(5, None))]
    assert_same(Trace.concatenate(parts), trace)
    parts[1].hints = None
    with pytest.raises(ValueError, match="same metadata and columns"):
        Trace.concatenate(parts)


def test_at_horizon_takes_the_hints_of_one_horizon(make_trace):
    trace = make_trace(full=True)
    h = trace.meta.n_hints
    near = trace.at_horizon(1)
    np.testing.assert_array_equal(near.hints, trace.hints)
    assert near.meta.far_horizons == 0 and near.far_hints is None and near.far_scores is None
    for horizon, part in ((2, slice(0, h)), (3, slice(h, 2 * h))):
        far = trace.at_horizon(horizon)
        assert far.meta.hint_horizon == horizon
        np.testing.assert_array_equal(far.hints, trace.far_hints[:, :, part])
        np.testing.assert_array_equal(far.hint_scores, trace.far_scores[:, :, part])
        np.testing.assert_array_equal(far.experts, trace.experts)
    for wrong in (0, 4):
        with pytest.raises(UserError, match=f"hint horizon: {wrong}: the trace has hints of the horizons 1 to 3"):
            trace.at_horizon(wrong)
    with pytest.raises(UserError, match="the trace has hints of the horizons none"):
        make_trace().at_horizon(1)
