import base64
import json

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import DECODE, PREFILL, UNKNOWN_TOKEN
from moefetch.traces.importers.table import import_trace

from .fixtures import OPTIONS, npy, prompted, write_vllm_lists


def response(experts, **changes):
    choice = {"index": 0, "routed_experts": npy(experts.astype(np.uint8))}
    whole = {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": len(experts) - 4}}
    return whole | changes


@pytest.fixture
def experts(make_trace):
    return make_trace(lengths=(20,)).experts


def read(tmp_path, *documents):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(d) for d in documents))
    return import_trace(tmp_path / "a.jsonl", None, OPTIONS)


def test_nested_lists_of_the_first_version(tmp_path, make_trace):
    trace = prompted(make_trace())
    found = import_trace(write_vllm_lists(tmp_path, trace), None, OPTIONS)
    np.testing.assert_array_equal(found.experts, trace.experts)
    np.testing.assert_array_equal(found.phase, trace.phase)
    assert set(found.token.tolist()) == {UNKNOWN_TOKEN}


def test_layers_of_zeros_are_dense(tmp_path, experts):
    dense = np.zeros((len(experts), 1, 3), experts.dtype)
    found = read(tmp_path, *[response(np.concatenate([dense, experts, dense], 1)) for _ in range(2)])
    assert found.meta.layers == (1, 2, 3, 4)
    np.testing.assert_array_equal(found.experts, np.concatenate([experts, experts]))
    assert found.sequence.tolist() == [0] * 20 + [1] * 20


def test_a_start_offset_and_several_choices(tmp_path, experts):
    stored = {"data": base64.b64encode(experts[3:].astype("<u2").tobytes()).decode(), "dtype": "uint16", "start": 3}
    stored["shape"] = list(experts[3:].shape)
    one = {"routed_experts": stored, "token_ids": [7, 8]}
    found = read(tmp_path, response(experts, choices=[one, one], prompt_token_ids=[1, 2, 3, 4, 5]))
    assert found.position.tolist() == [*range(3, 20)] * 2
    assert found.phase[:4].tolist() == [PREFILL, PREFILL, DECODE, DECODE]
    assert found.token[:5].tolist() == [4, 5, 7, 8, UNKNOWN_TOKEN]


def test_the_fields_of_offline_outputs(tmp_path, experts):
    outputs = [{"routed_experts": experts[5:].tolist()}]
    found = read(tmp_path, {"prompt_routed_experts": experts[:5].tolist(), "outputs": outputs})
    np.testing.assert_array_equal(found.experts, experts)
    assert (found.phase == PREFILL).sum() == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"usage": {}}, "neither usage.prompt_tokens nor prompt_token_ids"),
        ({"choices": [{"routed_experts": None}]}, "response 1: no routed_experts"),
        ({"choices": [{"routed_experts": "AAA"}]}, r"routed_experts: not base64 \(truncated\?\)"),
        ({"choices": [{"routed_experts": "AAAA"}]}, r"not base64 of an \.npy file"),
        ({"choices": [{"routed_experts": {"data": "", "dtype": "u1"}}]}, "must have data, shape and dtype that fit"),
        (
            {"choices": [{"routed_experts": {"start": "1", "data": "AAAA", "dtype": "u1", "shape": [1, 1, 3]}}]},
            "start 1: must",
        ),
        ({"choices": 3}, "choices: must be a list of objects"),
        ({"prompt_routed_experts": [[[1, 2]]]}, "layers and experts: .* must be alike"),
        ({"prompt_token_ids": [1, 2, -3, 4, 5]}, "token_ids: must be whole numbers from 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, experts, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, response(experts), response(experts, **changes))
    assert "a.jsonl: response 1" in str(caught.value)


def test_a_request_of_another_geometry_is_named(tmp_path, experts):
    with pytest.raises(UserError, match="3 layers: must be at least 4 as in the first request"):
        read(tmp_path, response(experts), response(experts[:, :3]))
