from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

import torch
import transformers
from moefetch.traces.errors import UserError
from moefetch.traces.record_blocks import BlockTap, find_blocks

_SMALL = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}


def other(name, **settings):
    """A model whose parts have other names than those of the Llama family."""
    return getattr(transformers, f"{name}ForCausalLM")(getattr(transformers, f"{name}Config")(**_SMALL | settings))


@pytest.mark.parametrize("index", range(6))
def test_blocks_of_moe_models_are_their_mlps(checkpoints, index):
    model = checkpoints.ARCHITECTURES[index].build()
    assert find_blocks(model) == [layer.mlp for layer in model.model.layers]


def test_blocks_of_other_decoders(checkpoints):
    dense = checkpoints.build_dense(layers=3)
    assert find_blocks(dense) == [layer.mlp for layer in dense.model.layers]
    neox = other("GPTNeoX", intermediate_size=32)
    assert find_blocks(neox) == [layer.mlp for layer in neox.gpt_neox.layers]
    opt = other("OPT", ffn_dim=32, word_embed_proj_dim=32)  # two linear layers of its own: the first is read
    assert find_blocks(opt) == [layer.fc1 for layer in opt.model.decoder.layers]


def test_the_tap_keeps_what_each_block_was_given(checkpoints):
    model = checkpoints.build_dense(layers=3)
    tokens = [3, 1, 4, 1, 5]
    blocks = find_blocks(model)
    with BlockTap([blocks[0], blocks[2]]) as tap, torch.no_grad():
        model(input_ids=torch.tensor([tokens]))
        kept = [x.double().numpy() for x in tap.inputs]
        expected = checkpoints.block_inputs(model, tokens)
    for found, wanted in zip(kept, (expected[0], expected[2]), strict=True):
        assert found == pytest.approx(wanted, abs=1e-6)
    model(input_ids=torch.tensor([[1]]))
    assert tap.inputs[0].shape == (5, 24)  # the hooks are gone


def test_a_model_without_such_layers_is_refused():
    model = other("Mamba", state_size=4)
    model.backbone.layers = torch.nn.ModuleList([torch.nn.Identity() for _ in range(3)])
    with pytest.raises(UserError, match="MambaForCausalLM: no feed-forward blocks found in its 3 layers"):
        find_blocks(model)
