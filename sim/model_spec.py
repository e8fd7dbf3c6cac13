"""What a replay must know about a mixture-of-experts model: its geometry, its bytes and its work."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .preset_files import read_spec

Count = Annotated[int, Field(ge=1)]
Amount = Annotated[int, Field(ge=0)]


class ModelSpec(BaseModel):
    """A model at batch 1, one token a decode step. Bytes are of weights as stored, work counts 2 per MAC.

    `source` says for each number where it comes from. Validation errors name the field and the rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    n_layers: Count
    """MoE layers; dense layers count as work of the step."""
    n_experts: Annotated[int, Field(ge=1, le=0xFFFF)]
    """Routed experts of a layer."""
    top_k: Count
    """Routed experts that a token selects in a layer."""
    expert_bytes: Count
    """Weights of one routed expert."""
    expert_flops: Amount
    """Work of one routed expert for one token."""
    attention_bytes: Amount
    """Weights and KV cache that a layer reads before its experts: attention, router, shared experts."""
    attention_flops: Amount
    """Work of the same."""
    step_bytes: Amount
    """Weights read once a step: dense layers and the output matrix."""
    step_flops: Amount
    """Work of the same."""
    source: dict[str, str] = {}
    """Field -> where its number comes from."""

    @model_validator(mode="after")
    def _check_top_k(self) -> Self:
        if self.top_k > self.n_experts:
            raise ValueError(f"top_k = {self.top_k}: must not exceed n_experts = {self.n_experts}")
        return self


def load_model(name_or_path: str) -> ModelSpec:
    """Return the model of a preset's name or of a TOML file; raises UserError (one line)."""
    return read_spec("models", name_or_path, ModelSpec)
