import base64
import json

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import PREFILL
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace

OPTIONS = ImportOptions(n_experts=16)


@pytest.fixture
def experts(make_trace):
    return make_trace(lengths=(60,)).experts


def encoded(experts):
    return base64.b64encode(experts.astype("<i4").tobytes()).decode()


def generated(experts, **changes):
    meta = {"prompt_tokens": 5, "completion_tokens": len(experts) - 4, "routed_experts": encoded(experts)}
    return {"text": "..", "meta_info": meta | changes}


def read(tmp_path, document, options=OPTIONS):
    (tmp_path / "a.json").write_text(json.dumps(document))
    return import_trace(tmp_path / "a.json", None, options)


def test_top_k_is_found_where_no_token_selects_an_expert_twice(tmp_path, experts):
    found = read(tmp_path, [generated(experts), generated(experts)])
    np.testing.assert_array_equal(found.experts, np.concatenate([experts, experts]))
    assert (found.phase == PREFILL).sum() == 10


def test_the_openai_interface(tmp_path, experts):
    usage = {"prompt_tokens": 5, "completion_tokens": 56}
    for place in ({"sglext": {"routed_experts": encoded(experts)}, "choices": [{}]},
                  {"choices": [{"sglext": {"routed_experts": encoded(experts)}}]}):  # fmt: skip
        found = read(tmp_path, {"model": "m", "usage": usage, **place})
        np.testing.assert_array_equal(found.experts, experts)
        assert found.meta.model == "m"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"routed_experts": "AAA"}, "routed_experts: not base64"),
        ({"routed_experts": "AAAA"}, "3 bytes: must be int32"),
        ({"completion_tokens": 50}, "720 ids: must be a multiple of the 54 tokens"),
        ({"completion_tokens": None}, "prompt_tokens, completion_tokens: must be whole numbers"),
        ({"routed_experts": None}, "not base64"),
        ({"routed_experts": encoded(np.full(60 * 12, -1))}, "all -1: must name experts"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, experts, changes, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, generated(experts, **changes))


def test_a_stated_top_k_must_divide(tmp_path, experts):
    with pytest.raises(UserError, match="12 ids a token: must be a multiple of top-k 5"):
        read(tmp_path, generated(experts), ImportOptions(n_experts=16, top_k=5))
    del (document := generated(experts))["meta_info"]["prompt_tokens"]
    with pytest.raises(UserError, match="'prompt_tokens': must state prompt_tokens"):
        read(tmp_path, document)
