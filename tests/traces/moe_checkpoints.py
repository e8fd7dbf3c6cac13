"""Tiny Hugging Face MoE checkpoints with random weights, and their routing rules written out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn

EXPERTS = 8
TOP_K = 2
POSITIONS = 96
WORDS = [f"w{i}" for i in range(64)]

_COMMON: dict[str, Any] = {
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": POSITIONS,
    "num_experts_per_tok": TOP_K,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
    "initializer_range": 0.3,
}
_LATENT_ATTENTION: dict[str, Any] = {
    "n_routed_experts": EXPERTS,
    "moe_intermediate_size": 16,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "head_dim": 8,
}

Rule = Callable[[nn.Module, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Router module, its input [T, hidden], how many: indices and weights [T, n], best weight first."""


@dataclass(frozen=True)
class Architecture:
    """A model class with the configuration that makes it tiny, its MoE layers and its routing rule."""

    name: str
    settings: dict[str, Any]
    layers: tuple[int, ...]
    rule: Rule

    def build(self, seed: int = 0) -> Any:
        """Return the model with random weights."""
        torch.manual_seed(seed)
        config = getattr(transformers, f"{self.name}Config")(**_COMMON | self.settings)
        model = getattr(transformers, f"{self.name}ForCausalLM")(config).eval()
        for buffer_name, buffer in model.named_buffers():
            if buffer_name.endswith("e_score_correction_bias"):
                buffer.copy_(torch.randn_like(buffer) * 0.2)
        return model

    def save(self, folder: Path, seed: int = 0) -> Path:
        """Store the model with a tokenizer of words `w0` to `w63`."""
        self.build(seed).save_pretrained(folder)
        save_tokenizer(folder)
        return folder


def save_tokenizer(folder: Path) -> None:
    """Store a tokenizer of the words `w0` to `w63`."""
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)


def build_dense(width: int = 24, layers: int = 2, vocabulary: int = len(WORDS), seed: int = 5) -> Any:
    """Return a dense Llama with random weights, another width and depth than the MoE models."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        bos_token_id=None,
        eos_token_id=None,
        initializer_range=0.3,
    )
    return transformers.LlamaForCausalLM(config).eval()


def block_inputs(model: Any, tokens: Any) -> list[np.ndarray]:
    """Return the input [T, width] of every layer's `mlp` in one pass over the whole text, without a cache."""
    seen: list[np.ndarray] = []
    handles = [
        layer.mlp.register_forward_pre_hook(lambda _m, x: seen.append(x[0][0].double().numpy()))
        for layer in model.model.layers
    ]
    with torch.no_grad():
        model(input_ids=torch.as_tensor(tokens)[None], use_cache=False)
    for handle in handles:
        handle.remove()
    return seen


def router_of(model: Any, layer: int) -> nn.Module:
    """Return the router of a layer."""
    mlp = model.model.layers[layer].mlp
    return getattr(mlp, "gate", None) or mlp.router


def _logits(router: nn.Module, x: np.ndarray) -> np.ndarray:
    logits = x @ router.weight.detach().double().numpy().T
    bias = getattr(router, "bias", None)
    return logits if bias is None else logits + bias.detach().double().numpy()


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _best(ranked_by: np.ndarray, weights: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Take the n best by `ranked_by`, listed by their weight."""
    chosen = np.argsort(-ranked_by, axis=-1, kind="stable")[:, :n]
    taken = np.take_along_axis(weights, chosen, -1)
    order = np.argsort(-taken, axis=-1, kind="stable")
    return np.take_along_axis(chosen, order, -1), np.take_along_axis(taken, order, -1)


def softmax_then_top(router: nn.Module, x: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities over all experts, the best n as they are."""
    p = _softmax(_logits(router, x))
    return _best(p, p, n)


def top_then_softmax(router: nn.Module, x: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The best n, their probabilities summing to 1."""
    logits = _logits(router, x)
    chosen, taken = _best(logits, logits, n)
    return chosen, _softmax(taken)


def sigmoid_bias_groups(router: nn.Module, x: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """DeepSeek-V3: the best of 2 groups by their two best biased scores, unbiased weights."""
    scores = 1 / (1 + np.exp(-_logits(router, x)))
    biased = scores + router.e_score_correction_bias.double().numpy()  # pyright: ignore
    groups = np.sort(biased.reshape(len(x), 2, EXPERTS // 2), axis=-1)[..., -2:].sum(-1)
    in_group = np.repeat(groups == groups.max(-1, keepdims=True), EXPERTS // 2, axis=-1)
    chosen, taken = _best(np.where(in_group, biased, -np.inf), scores, n)
    return chosen, 2.5 * taken / taken.sum(-1, keepdims=True)


ARCHITECTURES = (
    Architecture(
        "Qwen3Moe",
        {"num_experts": EXPERTS, "moe_intermediate_size": 16, "head_dim": 8, "norm_topk_prob": True},
        (0, 1, 2),
        top_then_softmax,
    ),
    Architecture("Olmoe", {"num_experts": EXPERTS}, (0, 1, 2), softmax_then_top),
    Architecture("Mixtral", {"num_local_experts": EXPERTS}, (0, 1, 2), top_then_softmax),
    Architecture("GptOss", {"num_local_experts": EXPERTS, "head_dim": 8}, (0, 1, 2), top_then_softmax),
    Architecture(
        "DeepseekV2",
        _LATENT_ATTENTION | {"q_lora_rank": None, "routed_scaling_factor": 1.0, "topk_method": "greedy"},
        (1, 2),
        softmax_then_top,
    ),
    Architecture(
        "DeepseekV3",
        _LATENT_ATTENTION
        | {
            "q_lora_rank": 16,
            "n_group": 2,
            "topk_group": 1,
            "norm_topk_prob": True,
            "routed_scaling_factor": 2.5,
        },
        (1, 2),
        sigmoid_bias_groups,
    ),
)
