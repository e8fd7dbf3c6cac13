"""Training loop: AdamW on half prose and half code, resumable, ended by steps or by wall clock."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3MoeForCausalLM

from .corpus import DOMAINS
from .model import CONTEXT, build_model

Streams = dict[str, NDArray[np.uint16]]

REPORT_EVERY = 50
VALIDATE_EVERY = 250
"""Steps between validations; the state is stored at each."""
VALIDATION_WINDOWS = 12


@dataclass(frozen=True)
class Schedule:
    """What every training here sets; `minutes` (0: no limit) may end it before `steps` optimiser steps.

    The learning rate follows the further of the two: linear warm-up over `warmup` steps, then a cosine from
    `learning_rate` to `final_fraction` of it.
    """

    steps: int = 2_800
    minutes: float = 0.0
    batch: int = 4
    learning_rate: float = 3e-3
    final_fraction: float = 0.05
    warmup: int = 60
    weight_decay: float = 0.1
    clip: float = 1.0
    seed: int = 20260622


@dataclass(frozen=True)
class TrainingConfig(Schedule):
    """Hyperparameters of the recorded model's training.

    The balance loss weighs `balance`, and `late_balance` from step `late_from` on: every expert is in use by
    then, and a strong balance within a batch of four texts would keep experts from specialising.
    """

    balance: float = 0.01
    late_balance: float = 0.001
    late_from: int = 1000


class RouterTap:
    """Router logits `[tokens, experts]` of every layer's last forward pass, kept with their gradient."""

    def __init__(self, model: Qwen3MoeForCausalLM):
        self.logits: list[Tensor] = []
        model.model.register_forward_pre_hook(lambda *_: self.logits.clear())
        for layer in model.model.layers:
            gate = layer.mlp.gate  # pyright: ignore[reportAttributeAccessIssue]
            gate.register_forward_hook(lambda _module, _inputs, output: self.logits.append(output[0]))  # pyright: ignore


def balance_loss(logits: list[Tensor], top_k: int) -> Tensor:
    """Return the sum over layers of `E * sum_e(f_e * p_e)`, each 1 when every expert gets the same load.

    f is the share of selections that went to an expert, p its mean probability, both over the batch: the
    auxiliary loss of the Switch Transformer (arXiv 2101.03961, equation 4).
    """
    total = torch.zeros(())
    for layer in logits:
        probabilities = layer.float().softmax(-1)
        chosen = probabilities.topk(top_k, dim=-1).indices
        share = torch.bincount(chosen.flatten(), minlength=layer.shape[-1]) / chosen.numel()
        total = total + layer.shape[-1] * (share * probabilities.mean(0)).sum()
    return total


def train(streams: Streams, folder: Path, config: TrainingConfig) -> Qwen3MoeForCausalLM:
    """Train, or go on training from `folder/state.pt`, and return the model.

    `folder/training.jsonl` gets a line per validation; the state is stored after each of them.
    """
    torch.manual_seed(config.seed)
    model = build_model(trainable=True)
    tap = RouterTap(model)
    optimizer = new_optimizer(model, config)
    step, elapsed = resume(folder / "state.pt", model, optimizer)
    start = time.monotonic() - elapsed
    running: list[float] = []
    while True:
        elapsed = time.monotonic() - start
        progress = max(step / config.steps, elapsed / 60 / config.minutes if config.minutes else 0.0)
        if step % VALIDATE_EVERY == 0 or progress >= 1:
            _validate(model, tap, streams, folder, step, elapsed)
            store(folder / "state.pt", model, optimizer, step, elapsed)
        if progress >= 1:
            return model
        rate = learning_rate(config, step, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        balance = config.balance if step < config.late_from else config.late_balance
        running.append(_step(model, tap, optimizer, draw_batch(streams, config, step), config, balance))
        step += 1
        if step % REPORT_EVERY == 0:
            print(f"step {step} loss {np.mean(running):.3f} lr {rate:.1e} {elapsed / 60:.1f} min", flush=True)
            running.clear()


def learning_rate(config: Schedule, step: int, progress: float) -> float:
    """Return the rate of a step: linear warm-up, then a cosine over `progress`, 0 to 1."""
    rate = config.learning_rate * min(1.0, (step + 1) / config.warmup)
    return rate * (config.final_fraction + (1 - config.final_fraction) * (1 + math.cos(math.pi * progress)) / 2)


def draw_batch(streams: Streams, config: Schedule, step: int) -> Tensor:
    """Return `[batch, CONTEXT + 1]` tokens of step `step`: windows at random places, half of each domain."""
    random = np.random.default_rng([config.seed, step])
    rows: list[NDArray[np.int64]] = []
    for i in range(config.batch):
        stream = streams[f"{DOMAINS[i % 2]}_train"]
        at = int(random.integers(0, len(stream) - CONTEXT))
        rows.append(stream[at : at + CONTEXT + 1].astype(np.int64))
    return torch.from_numpy(np.stack(rows))


def new_optimizer(model: torch.nn.Module, config: Schedule) -> torch.optim.AdamW:
    """AdamW; norms and the embedding are not decayed."""
    decayed = [p for n, p in model.named_parameters() if p.ndim >= 2 and "embed_tokens" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim < 2 or "embed_tokens" in n]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True)


def _step(
    model: Qwen3MoeForCausalLM,
    tap: RouterTap,
    optimizer: torch.optim.AdamW,
    tokens: Tensor,
    config: TrainingConfig,
    balance: float,
) -> float:
    """Do one optimiser step on `tokens` and return the mean cross-entropy in nats.

    The head runs in chunks, each with its own backward pass, so that the logits stay in the CPU's cache.
    """
    hidden = model.model(tokens[:, :-1], use_cache=False).last_hidden_state
    leaf = hidden.detach().flatten(0, 1).requires_grad_()
    targets = tokens[:, 1:].flatten()
    total = 0.0
    for rows, wanted in zip(leaf.split(CONTEXT), targets.split(CONTEXT), strict=True):
        loss = functional.cross_entropy(model.lm_head(rows), wanted, reduction="sum") / len(targets)
        loss.backward()
        total += loss.item()
    auxiliary = balance * balance_loss(tap.logits, model.config.num_experts_per_tok)
    torch.autograd.backward([hidden, auxiliary], [leaf.grad.view_as(hidden), None])  # pyright: ignore
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


@torch.no_grad()
def evaluate(model: Qwen3MoeForCausalLM, tap: RouterTap, stream: NDArray[np.uint16], windows: int) -> dict[str, Any]:
    """Score `windows` evenly spaced windows of `stream`.

    Returns the cross-entropy in nats a token, and per layer the `overlap` with the previous token's experts
    and the largest load relative to the mean.
    """
    model.eval()
    top_k = model.config.num_experts_per_tok
    losses: list[float] = []
    chosen: list[Tensor] = []
    for at in np.linspace(0, len(stream) - CONTEXT - 1, windows).astype(int):
        tokens = torch.from_numpy(stream[at : at + CONTEXT + 1].astype(np.int64))[None]
        logits = model(tokens[:, :-1], use_cache=False).logits[0]
        losses.append(functional.cross_entropy(logits, tokens[0, 1:]).item())
        chosen.append(torch.stack([x.topk(top_k, dim=-1).indices for x in tap.logits]))
    model.train()
    sets = functional.one_hot(torch.stack(chosen), model.config.num_experts).sum(-2).float()
    overlap = (sets[:, :, 1:] * sets[:, :, :-1]).sum(-1).mean((0, 2)) / top_k
    load = sets.mean((0, 2))
    return {
        "loss": float(np.mean(losses)),
        "overlap": [round(x, 4) for x in overlap.tolist()],
        "max_load": [round(x, 3) for x in (load.amax(-1) / load.mean(-1)).tolist()],
    }


def _validate(
    model: Qwen3MoeForCausalLM, tap: RouterTap, streams: Streams, folder: Path, step: int, elapsed: float
) -> None:
    """Append the held-out figures of both domains to the log."""
    record: dict[str, Any] = {"step": step, "minutes": round(elapsed / 60, 2)}
    for domain in DOMAINS:
        record[domain] = evaluate(model, tap, streams[f"{domain}_held_out"], windows=VALIDATION_WINDOWS)
    with (folder / "training.jsonl").open("a") as log:
        log.write(json.dumps(record) + "\n")
    print(json.dumps(record), flush=True)


def store(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int, elapsed: float) -> None:
    """Write the state under a temporary name first, so that an interrupted run keeps the previous one."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "elapsed": elapsed,
    }
    torch.save(state, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def resume(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    """Load a stored state, if there is one, and return its step and elapsed seconds."""
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["elapsed"]


def describe(config: TrainingConfig) -> dict[str, Any]:
    """Return the hyperparameters as plain data, for the provenance."""
    return asdict(config)
