"""The draft model of the speculative recording: a dense Qwen3, distilled from the recorded model.

It stands to the recorded model as the published pairs do (Mistral-7B to Mixtral-8x7B): the same tokenizer, width
and depth, one small feed-forward block in place of the experts. It starts from the recorded model's attention,
norms and embedding, and learns to predict its next-token distribution and the inputs of its routers.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3MoeForCausalLM

from .corpus import DOMAINS
from .model import CONTEXT, model_config
from .train import (
    REPORT_EVERY,
    VALIDATE_EVERY,
    Schedule,
    Streams,
    draw_batch,
    learning_rate,
    new_optimizer,
    resume,
    store,
)

VALIDATION_WINDOWS = 12


@dataclass(frozen=True)
class DraftConfig(Schedule):
    """Hyperparameters of the distillation.

    The loss is the divergence from the target's next-token distribution, plus `hidden` times the squared error
    of the inputs of the feed-forward blocks, relative to the target's and averaged over layers.
    """

    steps: int = 2_600
    learning_rate: float = 2e-3
    hidden: float = 1.0
    seed: int = 20261122


def draft_config() -> Qwen3Config:
    """Return the draft's configuration: the recorded model's, dense, with a block as wide as one expert."""
    target = model_config()
    return Qwen3Config(
        vocab_size=target.vocab_size,
        hidden_size=target.hidden_size,
        intermediate_size=target.moe_intermediate_size,
        num_hidden_layers=target.num_hidden_layers,
        num_attention_heads=target.num_attention_heads,
        num_key_value_heads=target.num_key_value_heads,
        head_dim=target.hidden_size // target.num_attention_heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )


def build_draft(target: Qwen3MoeForCausalLM) -> Qwen3ForCausalLM:
    """Return a draft that shares the target's weights wherever it has the same part, the rest at random."""
    draft = Qwen3ForCausalLM(draft_config())
    missing, unexpected = draft.load_state_dict(
        {name: value.clone() for name, value in target.state_dict().items() if ".mlp." not in name}, strict=False
    )
    if unexpected or any(".mlp." not in name for name in missing):
        raise ValueError(f"draft and target differ beside the feed-forward blocks: {missing} {unexpected}")
    return draft


class BlockInputs:
    """Inputs `[tokens, width]` of every layer's feed-forward block in the model's last forward pass."""

    def __init__(self, model: Qwen3ForCausalLM | Qwen3MoeForCausalLM):
        self.values: list[Tensor] = []
        model.model.register_forward_pre_hook(lambda *_: self.values.clear())
        for layer in model.model.layers:
            block: Any = layer.mlp
            block.register_forward_pre_hook(lambda _module, inputs: self.values.append(inputs[0].flatten(0, -2)))


def train_draft(streams: Streams, target: Qwen3MoeForCausalLM, folder: Path, config: DraftConfig) -> Qwen3ForCausalLM:
    """Distil, or go on distilling from `folder/state.pt`, and return the draft.

    `folder/training.jsonl` gets a line per validation; the state is stored after each of them.
    """
    torch.manual_seed(config.seed)
    target.eval().requires_grad_(False)
    draft = build_draft(target)
    inputs = (BlockInputs(draft), BlockInputs(target))
    optimizer = new_optimizer(draft, config)
    step, elapsed = resume(folder / "state.pt", draft, optimizer)
    start = time.monotonic() - elapsed
    running: list[tuple[float, float]] = []
    while True:
        elapsed = time.monotonic() - start
        progress = max(step / config.steps, elapsed / 60 / config.minutes if config.minutes else 0.0)
        if step % VALIDATE_EVERY == 0 or progress >= 1:
            record = {"step": step, "minutes": round(elapsed / 60, 2)} | agreement(
                draft, target, streams, VALIDATION_WINDOWS
            )
            with (folder / "training.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
            store(folder / "state.pt", draft, optimizer, step, elapsed)
        if progress >= 1:
            return draft
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step, progress)
        running.append(_step(draft, target, inputs, optimizer, draw_batch(streams, config, step)[:, :-1], config))
        step += 1
        if step % REPORT_EVERY == 0:
            divergence, distance = np.mean(running, axis=0)
            print(f"draft step {step} kl {divergence:.3f} hidden {distance:.3f} {elapsed / 60:.1f} min", flush=True)
            running.clear()


def _step(
    draft: Qwen3ForCausalLM,
    target: Qwen3MoeForCausalLM,
    inputs: tuple[BlockInputs, BlockInputs],
    optimizer: torch.optim.Optimizer,
    tokens: Tensor,
    config: DraftConfig,
) -> tuple[float, float]:
    """Do one optimiser step on `tokens`; return the divergence in nats a token and the relative distance."""
    with torch.no_grad():
        wanted = target(tokens, use_cache=False).logits.log_softmax(-1).flatten(0, 1)
    found = draft(tokens, use_cache=False).logits.log_softmax(-1).flatten(0, 1)
    divergence = functional.kl_div(found, wanted, log_target=True, reduction="batchmean")
    pairs = zip(inputs[0].values, inputs[1].values, strict=True)
    distance = torch.stack([(a - b).square().mean() / b.square().mean() for a, b in pairs]).mean()
    (divergence + config.hidden * distance).backward()
    nn.utils.clip_grad_norm_(draft.parameters(), config.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return divergence.item(), distance.item()


@torch.no_grad()
def agreement(draft: Qwen3ForCausalLM, target: Qwen3MoeForCausalLM, streams: Streams, windows: int) -> dict[str, float]:
    """Return, per domain, the share of held-out positions where both models' most likely next token is one."""
    draft.eval()
    shares: dict[str, float] = {}
    for domain in DOMAINS:
        stream = streams[f"{domain}_held_out"]
        places = np.linspace(0, len(stream) - CONTEXT, windows).astype(int)
        tokens = torch.from_numpy(np.stack([stream[at : at + CONTEXT] for at in places]).astype(np.int64))
        same = [
            draft(part, use_cache=False).logits.argmax(-1) == target(part, use_cache=False).logits.argmax(-1)
            for part in tokens.split(4)
        ]
        shares[domain] = round(float(torch.cat(same).float().mean()), 4)
    draft.train()
    return shares


def describe_draft(config: DraftConfig, log: Path) -> dict[str, Any]:
    """Return what the provenance says about the draft: how it was made, how long, how well it agrees."""
    last = json.loads(log.read_text().splitlines()[-1])
    return asdict(config) | {
        "model": "dense Qwen3, the recorded model's width and depth, a feed-forward block of one expert's width",
        "method": "distilled from the recorded model on its training text, starting from its attention and embedding",
        "steps_done": last["step"],
        "minutes_taken": last["minutes"],
        "held_out_agreement": {domain: last[domain] for domain in DOMAINS},
    }
