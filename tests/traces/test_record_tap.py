from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, Trace
from moefetch.traces.record_checkpoint import load_checkpoint
from moefetch.traces.record_config import RecordConfig
from moefetch.traces.record_router import find_routers, logits_of
from moefetch.traces.recorder import record
from moefetch.traces.writer import write_trace

NAMES = ("Qwen3Moe", "Olmoe", "Mixtral", "GptOss", "DeepseekV2", "DeepseekV3")
PROMPTS = ["w1 w2 w3 w4 w5"]


@pytest.fixture(scope="module", params=NAMES)
def architecture(request, checkpoints):
    return next(a for a in checkpoints.ARCHITECTURES if a.name == request.param)


@pytest.fixture(scope="module")
def target(architecture, tmp_path_factory):
    return load_checkpoint(architecture.save(tmp_path_factory.mktemp(architecture.name)), "cpu")


def test_hints_are_the_layers_router_on_the_input_so_many_layers_before(architecture, target, checkpoints):
    farthest = len(architecture.layers) - 1
    config = RecordConfig(max_new=6, horizons=(1, farthest), n_hints=3)
    trace = record(*target, PROMPTS, config, name="tiny")
    meta = trace.meta
    assert (meta.hint_horizon, meta.far_horizons, meta.n_hints) == (1, farthest - 1, 3)
    inputs = checkpoints.block_inputs(target[0], trace.token)
    for horizon in range(1, farthest + 1):
        part = trace.at_horizon(horizon)
        assert (part.hints[:, :horizon] == ABSENT).all() and (part.hint_scores[:, :horizon] == 0).all()
        for index in range(horizon, len(architecture.layers)):
            x = inputs[architecture.layers[index - horizon]]
            router = checkpoints.router_of(target[0], architecture.layers[index])
            experts, scores = architecture.rule(router, x, 3)
            np.testing.assert_array_equal(part.hints[:, index], experts)
            if architecture.name in ("Olmoe", "DeepseekV2"):  # others normalise over the experts they select
                np.testing.assert_allclose(part.hint_scores[:, index], scores, rtol=2e-3, atol=1e-4)


def test_a_far_horizon_alone_is_recorded_as_the_hints(target, architecture):
    farthest = len(architecture.layers) - 1
    wide = record(*target, PROMPTS, RecordConfig(max_new=4, horizons=(1, farthest)), name="tiny")
    far = record(*target, PROMPTS, RecordConfig(max_new=4, horizons=(farthest, farthest)), name="tiny")
    assert far.meta.hint_horizon == farthest and far.meta.far_horizons == 0 and far.far_hints is None
    np.testing.assert_array_equal(far.hints, wide.at_horizon(farthest).hints)


def test_a_horizon_past_the_model_is_refused(target, architecture):
    layers = len(architecture.layers)
    with pytest.raises(UserError, match=f"hints: 1..{layers}: the model has {layers} MoE layers: at most {layers - 1}"):
        record(*target, PROMPTS, RecordConfig(horizons=(1, layers)), name="tiny")
    with pytest.raises(UserError, match="hints: 9: the model has"):
        record(*target, PROMPTS, RecordConfig(horizons=(9, 9)), name="tiny")


def test_no_horizon_is_no_hints(target):
    trace = record(*target, PROMPTS, RecordConfig(max_new=2, horizons=None), name="tiny")
    assert trace.hints is None and (trace.meta.n_hints, trace.meta.hint_horizon) == (0, 0)


def test_logits_are_the_routers_weights_on_its_input(architecture, target, checkpoints, tmp_path, assert_same):
    trace = record(*target, PROMPTS, RecordConfig(max_new=6, logits=True), name="tiny")
    inputs = checkpoints.block_inputs(target[0], trace.token)
    for index, layer in enumerate(architecture.layers):
        expected = checkpoints._logits(checkpoints.router_of(target[0], layer), inputs[layer])
        np.testing.assert_allclose(trace.logits[:, index], expected, rtol=2e-3, atol=2e-3)
    write_trace(tmp_path / "t.parquet", trace)
    assert_same(Trace.read(tmp_path / "t.parquet"), trace)


def test_logits_that_are_something_else_are_refused(target):
    import torch

    router = find_routers(target[0])[0]
    x = torch.randn(5, router.width)
    logits, *rest = router.module.forward(x)
    assert logits_of(router, x, (logits, *rest)).shape == (5, router.n_experts)
    with pytest.raises(UserError, match=r"logits: .*Router: what it returns is not the output of its weights alone"):
        logits_of(router, x, (logits.softmax(-1), *rest))
    with pytest.raises(UserError, match=r"logits: .*Router: does not return its output for every expert"):
        logits_of(router, x, tuple(rest))
