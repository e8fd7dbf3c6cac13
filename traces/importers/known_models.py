"""Geometry of published models, for trace formats that do not state it.

Sources: each model's published `config.json` (num_hidden_layers, first_k_dense_replace, num_local_experts or
n_routed_experts, num_experts_per_tok): openai/gpt-oss-20b and gpt-oss-120b, deepseek-ai/DeepSeek-V2-Lite (27 layers
of which the first is dense) and DeepSeek-V3 (61, the first three dense), Qwen/Qwen3-30B-A3B and Qwen3-235B-A22B,
allenai/OLMoE-1B-7B, mistralai/Mixtral-8x7B; meta-llama/Llama-4-Maverick (every other layer); for FLAME-MoE the table
on the data set's page.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownModel:
    """A model's name, the numbers of its MoE layers, its experts per layer and top-k."""

    name: str
    layers: tuple[int, ...]
    n_experts: int
    top_k: int


KNOWN_MODELS = (
    KnownModel("gpt-oss-20b", tuple(range(24)), 32, 4),
    KnownModel("gpt-oss-120b", tuple(range(36)), 128, 4),
    KnownModel("deepseek-v2-lite", tuple(range(1, 27)), 64, 6),
    KnownModel("deepseek-v3", tuple(range(3, 61)), 256, 8),
    KnownModel("qwen3-30b-a3b", tuple(range(48)), 128, 8),
    KnownModel("qwen3-235b-a22b", tuple(range(94)), 128, 8),
    KnownModel("olmoe-1b-7b", tuple(range(16)), 64, 8),
    KnownModel("mixtral-8x7b", tuple(range(32)), 8, 2),
    KnownModel("llama-4-maverick", tuple(range(1, 48, 2)), 128, 1),
    KnownModel("flame-moe-290m", tuple(range(2, 10)), 64, 6),
    KnownModel("flame-moe-721m", tuple(range(2, 13)), 64, 6),
    KnownModel("flame-moe-1.7b", tuple(range(2, 19)), 64, 6),
)


def known_model(
    name: str | None, n_layers: int, top_k: int, layers: tuple[int, ...] | None = None
) -> KnownModel | None:
    """The model of that many MoE layers and that top-k; None if unknown.

    None too if `name` names another one, or the numbers of the `layers`, where they are stated, are others.
    """
    for model in KNOWN_MODELS:
        if (len(model.layers), model.top_k) == (n_layers, top_k) and name in (None, model.name):
            return model if layers in (None, model.layers) else None
    return None
