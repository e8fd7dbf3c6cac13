"""Geometry of published models, for trace formats that do not state it.

Sources: `config.json` of openai/gpt-oss-20b and openai/gpt-oss-120b (num_hidden_layers, num_local_experts,
num_experts_per_tok) and of deepseek-ai/DeepSeek-V2-Lite (27 layers of which the first is dense,
n_routed_experts, num_experts_per_tok).
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
)


def known_model(name: str | None, n_layers: int, top_k: int) -> KnownModel | None:
    """The model of that many MoE layers and that top-k; None if unknown, or if `name` names another one."""
    for model in KNOWN_MODELS:
        if (len(model.layers), model.top_k) == (n_layers, top_k) and name in (None, model.name):
            return model
    return None
