"""vLLM `--enable-return-routed-experts`: JSON responses, one or many in a file (array, or one after the other).

- vLLM 0.21: `prompt_routed_experts` [prompt, L, k] on the response and `routed_experts` [generated, L, k] on each
  choice, as nested lists.
- vLLM 0.22 and later: on each choice one `routed_experts`, base64 of an .npy file, [prompt + generated - 1, L, k],
  from the first prompt token on (the last generated token is never computed). Where the prompt ends is read from
  `usage.prompt_tokens` or `prompt_token_ids`. As {data, shape, dtype, start} its rows begin at token `start`.
- Offline: `outputs` in place of `choices`, or both fields on one object.

Each choice is a sequence. Where k is above 1, layers whose ids are all 0 in the first sequence are dense: the
capture buffer starts as zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..format import DECODE, PREFILL, UNKNOWN_TOKEN
from .base import Importer, ImportOptions, RawTrace
from .json_stream import JsonStream
from .routed_experts import routed_experts, without_dense_layers
from .source import Source
from .source_file import SourceFile


def _recognises(file: SourceFile) -> bool:
    if file.head().lstrip()[:1] not in (b"{", b"["):
        return False
    return file.contains(b'"routed_experts"') and not file.contains(b'"meta_info"') and not file.contains(b'"sglext"')


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    layers: tuple[int, ...] = ()
    sequence = 0
    for file in IMPORTER.each(source):
        for number, response in enumerate(JsonStream(file).items()):
            place = f"{file}: response {number}"
            for choice in _choices(place, response):
                part = _sequence(place, sequence, response, choice)
                if not layers:
                    layers = _moe_layers(part.experts)
                n_layers = part.experts.shape[1]
                part.experts = without_dense_layers(place, part.experts, layers)
                part.layers = layers if len(layers) < n_layers else None
                yield part
                sequence += 1


def _choices(place: str, response: Any) -> list[Any]:
    if not isinstance(response, dict):
        raise UserError(f"{place}: must be an object with routed_experts")
    choices = response.get("choices", response.get("outputs"))
    choices = [response] if choices is None else choices
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise UserError(f"{place}: choices: must be a list of objects")
    return choices


def _sequence(place: str, sequence: int, response: dict[str, Any], choice: dict[str, Any]) -> RawTrace:
    stored = choice.get("routed_experts")
    if stored is None:
        raise UserError(f"{place}: no routed_experts: the server must run with --enable-return-routed-experts")
    generated = routed_experts(f"{place}: routed_experts", stored)
    if response.get("prompt_routed_experts") is not None:
        prompt = routed_experts(f"{place}: prompt_routed_experts", response["prompt_routed_experts"])
        if prompt.shape[1:] != generated.shape[1:]:
            found = f"{list(prompt.shape[1:])} in the prompt, {list(generated.shape[1:])} in the answer"
            raise UserError(f"{place}: layers and experts: {found}: must be alike")
        experts, first, n_prompt = np.concatenate([prompt, generated]), 0, len(prompt)
    elif isinstance(stored, list):
        experts, first, n_prompt = generated, 0, 0
    else:
        experts, first = generated, stored.get("start", 0) if isinstance(stored, dict) else 0
        if type(first) is not int or not 0 <= first < 1 << 31:
            raise UserError(f"{place}: routed_experts: start {str(first)[:20]}: must be a whole number from 0")
        n_prompt = _prompt_tokens(place, response, choice)
    position = first + np.arange(len(experts))
    return RawTrace(
        sequence=np.full(len(experts), sequence),
        position=position,
        experts=experts,
        phase=np.where(position < n_prompt, PREFILL, DECODE),
        token=_tokens(place, response, choice, position, n_prompt),
        model=response.get("model") if isinstance(response.get("model"), str) else None,
    )


def _prompt_tokens(place: str, response: dict[str, Any], choice: dict[str, Any]) -> int:
    ids = _ids("prompt_token_ids", response, choice)
    usage = response.get("usage")
    stated = len(ids) if ids else usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if type(stated) is not int:
        raise UserError(f"{place}: neither usage.prompt_tokens nor prompt_token_ids: must say where the answer begins")
    return stated


def _ids(name: str, *holders: dict[str, Any]) -> list[Any]:
    return next((holder[name] for holder in holders if isinstance(holder.get(name), list)), [])


def _tokens(
    place: str, response: dict[str, Any], choice: dict[str, Any], position: NDArray[Any], n_prompt: int
) -> NDArray[Any] | None:
    prompt = _ids("prompt_token_ids", response, choice)
    ids = [*prompt, *_ids("token_ids", choice)] if len(prompt) == n_prompt else []
    if not all(type(i) is int and 0 <= i < 1 << 31 for i in ids):
        raise UserError(f"{place}: token_ids: must be whole numbers from 0")
    known = np.array(ids, np.int64)
    inside = position < len(known)
    return np.where(inside, np.append(known, UNKNOWN_TOKEN)[np.where(inside, position, -1)], UNKNOWN_TOKEN)


def _moe_layers(experts: NDArray[np.int64]) -> tuple[int, ...]:
    used = experts.any(axis=(0, 2)) if experts.shape[2] > 1 else np.ones(experts.shape[1], bool)
    return tuple(np.flatnonzero(used).tolist()) or tuple(range(experts.shape[1]))


IMPORTER = Importer(
    "vllm",
    "JSON of vLLM responses with routed_experts",
    (".json", ".jsonl"),
    _recognises,
    _read,
    fixture="written by the test as the manual describes it",
    source="vLLM's manual, routed experts replay (0.21) and routed experts (latest)",
)
