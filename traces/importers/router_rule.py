"""A router's rule, from logits to the experts that the model selects and their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

_NORMALISED = ("mixtral", "gpt_oss")
_STATED = ("qwen2_moe", "qwen3_moe", "olmoe", "deepseek_v2", "deepseek_v3", "glm4_moe")
"""Model types whose rule is known: the first select by softmax and normalise over the selected, the others say in
their configuration whether they normalise. Source: the routers in transformers 5.23, one model each."""


@dataclass(frozen=True)
class RouterRule:
    """How a model selects: `top_k` experts by `scoring` (softmax or sigmoid), from `topk_group` of `n_group` groups.

    `group_best` is how many of a group's best experts its score is the sum of. `normalise` makes the selected
    weights add up to 1; `scale` then multiplies them.
    """

    top_k: int
    scoring: str = "softmax"
    normalise: bool = False
    n_group: int = 1
    topk_group: int = 1
    group_best: int = 1
    scale: float = 1.0
    model: str | None = None

    def text(self) -> str:
        """The rule in words, for the provenance."""
        groups = "" if self.n_group == 1 else f", {self.topk_group} of {self.n_group} groups"
        return f"top-{self.top_k} by {self.scoring}{groups}{', normalised' if self.normalise else ''}"

    def select(
        self, where: object, logits: NDArray[np.float32], bias: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Experts and weights [T, L, K] of logits [T, L, E]; the bias [L, E] counts in selecting alone."""
        if not np.isfinite(logits).all():
            raise UserError(f"{where}: logits that are not finite: must be numbers")
        n_experts = logits.shape[2]
        if self.top_k > n_experts or n_experts % self.n_group:
            raise UserError(f"{where}: {n_experts} experts: must be {self.top_k} or more in {self.n_group} groups")
        weights = self._scores(logits)
        choice = weights if bias is None else weights + bias
        if self.n_group > 1:
            choice = self._within_groups(choice)
        experts = np.argsort(-choice, axis=2, kind="stable")[:, :, : self.top_k]
        selected = np.take_along_axis(weights, experts, 2)
        if self.normalise:
            selected = selected / (selected.sum(2, keepdims=True) + 1e-20)
        return experts, selected * self.scale

    def _scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.scoring == "sigmoid":
            return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
        shifted = np.exp(logits - logits.max(2, keepdims=True))
        return shifted / shifted.sum(2, keepdims=True)

    def _within_groups(self, choice: NDArray[np.float32]) -> NDArray[np.float32]:
        groups = choice.reshape(*choice.shape[:2], self.n_group, -1)
        score = np.sort(groups, axis=3)[..., -self.group_best :].sum(3)
        best = np.argsort(-score, axis=2, kind="stable")[:, :, : self.topk_group]
        allowed = np.zeros(score.shape, bool)
        np.put_along_axis(allowed, best, True, 2)
        return np.where(allowed[..., None], groups, -np.inf).reshape(choice.shape)


def rule_of(where: object, config: Any) -> RouterRule:
    """The rule of a model's configuration; UserError naming `where` for a model type that is not known."""
    fields = config if isinstance(config, dict) else {}
    kind = fields.get("model_type")
    if kind not in _NORMALISED + _STATED:
        known = ", ".join(_NORMALISED + _STATED)
        raise UserError(f"{where}: model_type {kind!r}: the router's rule is known for {known}")
    is_grouped = kind in ("deepseek_v3", "glm4_moe") or fields.get("topk_method") == "group_limited_greedy"
    is_sigmoid = kind in ("deepseek_v3", "glm4_moe")
    try:
        return RouterRule(
            top_k=int(fields["num_experts_per_tok"]),
            scoring="sigmoid" if is_sigmoid else "softmax",
            normalise=kind in _NORMALISED or (kind != "deepseek_v2" and bool(fields.get("norm_topk_prob", False))),
            n_group=int(fields.get("n_group") or 1) if is_grouped else 1,
            topk_group=int(fields.get("topk_group") or 1) if is_grouped else 1,
            group_best=2 if is_sigmoid else 1,
            scale=float(fields.get("routed_scaling_factor", 1.0)) if kind.startswith(("deepseek", "glm")) else 1.0,
            model=str(fields.get("_name_or_path") or kind),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}: must be the model's configuration, with num_experts_per_tok") from error
