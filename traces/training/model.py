"""The recorded model: a small Qwen3-MoE, eight MoE layers of 32 experts, four of them active per token."""

from __future__ import annotations

from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from .tokenizer import VOCABULARY

CONTEXT = 256


def model_config() -> Qwen3MoeConfig:
    """Return the model's configuration; every layer is an MoE layer and there is no dense one."""
    return Qwen3MoeConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        moe_intermediate_size=64,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_experts=32,
        num_experts_per_tok=4,
        norm_topk_prob=True,
        decoder_sparse_step=1,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        router_aux_loss_coef=0.01,
        output_router_logits=False,
    )


def build_model(*, trainable: bool) -> Qwen3MoeForCausalLM:
    """Return an initialised model.

    Training takes the library's grouped matrix product, which sorts tokens by expert once per layer; the
    default visits every expert with its own masks and costs three times as much on a CPU.
    """
    config = model_config()
    model = Qwen3MoeForCausalLM._from_config(config, experts_implementation="grouped_mm" if trainable else "eager")
    return model.train(trainable)
