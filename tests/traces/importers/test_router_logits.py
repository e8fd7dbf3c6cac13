"""Router logits that Hugging Face transformers itself writes, beside what its routers select."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import Trace
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.router_rule import RouterRule, rule_of
from moefetch.traces.importers.table import import_file, import_trace

from .test_table import recognising

torch = pytest.importorskip("torch", reason="the record extra is not installed")
transformers = pytest.importorskip("transformers", reason="the record extra is not installed")

COMMON = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 16,
    "moe_intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "num_experts_per_tok": 3,
    "router_aux_loss_coef": 0.0,
}
GROUPS = {"n_group": 4, "topk_group": 2, "n_routed_experts": 16, "first_k_dense_replace": 0, "n_shared_experts": 1}
LATENT = {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
KINDS = {
    "mixtral": {"num_local_experts": 16},
    "qwen3_moe": {"num_experts": 16, "norm_topk_prob": True, "head_dim": 16},
    "olmoe": {"num_experts": 16, "norm_topk_prob": False},
    "gpt_oss": {"num_local_experts": 16, "head_dim": 16},
    "deepseek_v3": {**GROUPS, **LATENT, "norm_topk_prob": True, "routed_scaling_factor": 2.5},
}


@pytest.fixture(params=KINDS, scope="module")
def run(request, tmp_path_factory):
    """A model's outputs on two sequences, one padded, saved; and what its routers select."""
    torch.manual_seed(3)
    config = transformers.AutoConfig.for_model(request.param, **COMMON, **KINDS[request.param])
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():  # weights of a size at which routers differ between tokens
        parameter.data = torch.randn_like(parameter) * 0.5
    bias = [b for name, b in model.named_buffers() if name.endswith("e_score_correction_bias")]
    for values in bias:
        values.copy_(torch.randn_like(values) * 0.3)
    selected = []
    for name, module in model.named_modules():
        if name.endswith(("mlp.gate", "mlp.router", "block_sparse_moe.gate")):
            module.register_forward_hook(lambda _m, _i, output: selected.append(output))
    ids = torch.randint(0, 50, (2, 40))
    mask = torch.ones_like(ids)
    mask[1, 30:] = 0
    outputs = model(input_ids=ids, attention_mask=mask, output_router_logits=True)
    folder = tmp_path_factory.mktemp(request.param)
    value = {"router_logits": outputs.router_logits, "input_ids": ids, "attention_mask": mask}
    value |= {"e_score_correction_bias": tuple(bias)} if bias else {}
    torch.save(value, folder / "router.pt")
    config.save_pretrained(folder)
    return folder, ids, mask, selected


def routed(output):
    """Indices and weights of a router's output, sorted by index."""
    indices = next(x for x in output if not x.is_floating_point())
    weights = next(x for x in output if x.is_floating_point() and x.shape == indices.shape)
    order = indices.argsort(-1)
    return indices.gather(-1, order).numpy(), weights.gather(-1, order).detach().float().numpy()


def test_the_import_selects_what_the_model_selects(run):
    folder, ids, mask, selected = run
    out = folder / "out.parquet"  # forced: routers of random weights may keep no order
    import_file([folder / "router.pt"], out, None, ImportOptions(), force=True)
    trace = Trace.read(out)
    out.unlink()
    assert recognising(folder) == ["router-logits"]
    assert trace.meta.provenance["importer"] == "router-logits"
    assert (trace.meta.n_layers, trace.meta.n_experts, trace.meta.top_k) == (3, 16, 3)
    kept = mask.reshape(-1).bool().numpy()
    assert trace.sequence.tolist() == [0] * 40 + [1] * 30
    assert trace.position.tolist() == [*range(40), *range(30)]
    np.testing.assert_array_equal(trace.token, ids.reshape(-1)[kept])
    for layer, output in enumerate(selected):
        indices, weights = routed(output)
        order = np.argsort(trace.experts[:, layer], 1)
        np.testing.assert_array_equal(np.take_along_axis(trace.experts[:, layer], order, 1), indices[kept])
        found = np.take_along_axis(trace.scores[:, layer], order, 1)
        np.testing.assert_allclose(found, weights[kept], rtol=2e-3, atol=2e-3)


def test_a_list_of_tensors_and_a_parquet_file_give_the_same(tmp_path):
    logits = torch.randn(2, 30, 16)
    torch.save(tuple(logits), tmp_path / "a.pt")
    rows = logits.transpose(0, 1).tolist()
    pq.write_table(pa.table({"router_logits": rows}), tmp_path / "a.parquet")
    first, second = (import_trace(tmp_path / name, None, ImportOptions(top_k=4)) for name in ("a.pt", "a.parquet"))
    np.testing.assert_array_equal(first.experts, logits.transpose(0, 1).argsort(-1, descending=True)[:, :, :4])
    np.testing.assert_array_equal(first.experts, second.experts)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.meta.provenance["router_rule"] == "top-4 by softmax"


def test_what_is_wrong_is_named(tmp_path):
    torch.save([torch.randn(20, 8), torch.randn(21, 8)], tmp_path / "a.pt")
    for options, message in ((ImportOptions(), "no config.json beside it"), (ImportOptions(top_k=2), "shapes differ")):
        with pytest.raises(UserError, match=message):
            import_trace(tmp_path / "a.pt", None, options)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "new_moe", "num_experts_per_tok": 2}))
    with pytest.raises(UserError, match=r"config\.json: model_type 'new_moe': the router's rule is known for mixtral"):
        import_trace(tmp_path / "a.pt", None, ImportOptions())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mixtral"}))
    with pytest.raises(UserError, match=r"config\.json: 'num_experts_per_tok': must be the model's configuration"):
        import_trace(tmp_path / "a.pt", None, ImportOptions())
    (tmp_path / "config.json").unlink()
    for value, message in (
        ([torch.full((20, 8), float("nan"))], "logits that are not finite"),
        ([torch.ones(20, 2)], "2 experts: must be 3 or more"),
        ({"router_logits": [torch.ones(20, 8)], "input_ids": torch.ones(3, 5)}, "must be .batch, tokens. of the 20"),
        ({"router_logits": [torch.ones(20, 8)], "e_score_correction_bias": [torch.ones(3)]}, "must be 1 tensors of 8"),
    ):
        torch.save(value, tmp_path / "a.pt")
        with pytest.raises(UserError, match=message):
            import_trace(tmp_path / "a.pt", None, ImportOptions(top_k=3))


def test_groups_of_deepseek_v2_are_scored_by_their_best_expert():
    config = {"model_type": "deepseek_v2", "num_experts_per_tok": 2, "topk_method": "group_limited_greedy"}
    rule = rule_of("c", config | {"n_group": 2, "topk_group": 1, "norm_topk_prob": True, "routed_scaling_factor": 1.0})
    assert (rule.group_best, rule.normalise, rule.scoring) == (1, False, "softmax")
    logits = np.array([[[9.0, 0, 0, 0, 8, 8, 8, 8]]], np.float32)
    experts, _ = rule.select("c", logits, None)
    assert experts.tolist() == [[[0, 1]]]
    assert RouterRule(top_k=2).select("c", logits, None)[0].tolist() == [[[0, 4]]]
