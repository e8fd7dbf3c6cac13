from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

from moefetch.traces.format import DECODE, PREFILL
from moefetch.traces.record_checkpoint import load_checkpoint
from moefetch.traces.record_config import RecordConfig
from moefetch.traces.recorder import record

NAMES = ("Qwen3Moe", "Olmoe", "Mixtral", "GptOss", "DeepseekV2", "DeepseekV3")
PROMPTS = ["w1 w2 w3 w4 w5", "w9 w8 w7", "w20", "w3 w1 w4 w1 w5 w9 w2 w6", "w7 w7"]


def load(name, checkpoints, tmp_path_factory):
    architecture = next(a for a in checkpoints.ARCHITECTURES if a.name == name)
    return load_checkpoint(architecture.save(tmp_path_factory.mktemp(name)), "cpu")


@pytest.fixture(scope="module", params=NAMES)
def each(request, checkpoints, tmp_path_factory):
    return load(request.param, checkpoints, tmp_path_factory)


@pytest.fixture(scope="module")
def target(checkpoints, tmp_path_factory):
    return load("DeepseekV3", checkpoints, tmp_path_factory)


def recorded(target, batch, **settings):
    return record(*target, PROMPTS, RecordConfig(max_new=9, batch=batch, **settings), name="tiny")


def test_a_batch_records_what_one_at_a_time_does(each):
    alone = recorded(each, 1, logits=True)
    for batch in (2, 8):
        together = recorded(each, batch, logits=True)
        assert together.columns().keys() == alone.columns().keys()
        for name in ("sequence", "position", "phase", "token", "experts", "hints"):
            np.testing.assert_array_equal(getattr(together, name), getattr(alone, name), err_msg=name)
        np.testing.assert_allclose(together.scores, alone.scores, atol=2e-3)
        np.testing.assert_allclose(together.logits, alone.logits, atol=1e-2)


def test_limits_seeds_and_ends_hold_in_a_batch(target):
    alone = recorded(target, 1, temperature=1.0, seed=3, tokens=21)
    together = recorded(target, 3, temperature=1.0, seed=3, tokens=21)
    assert np.bincount(together.decode_rows().sequence).tolist() == [9, 9, 3]
    np.testing.assert_array_equal(together.token, alone.token)
    model = target[0]
    usual = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = int(recorded(target, 1).decode_rows().token[4])
    try:
        alone, together = recorded(target, 1), recorded(target, 4)
    finally:
        model.generation_config.eos_token_id = usual
    assert np.bincount(alone.decode_rows().sequence, minlength=1)[0] <= 4
    np.testing.assert_array_equal(together.token, alone.token)
    np.testing.assert_array_equal(together.experts, alone.experts)


def test_phases_say_what_was_prompt(target):
    trace = recorded(target, 5)
    for index, prompt in enumerate(PROMPTS):
        phases = trace.phase[trace.sequence == index]
        count = len(prompt.split())
        assert (phases[:count] == PREFILL).all() and (phases[count:] == DECODE).all() and len(phases) == count + 9
