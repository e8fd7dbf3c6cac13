"""SGLang `return_routed_experts`: JSON responses, one or many in a file (array, or one after the other).

`meta_info.routed_experts` (`/generate`) or `sglext.routed_experts` (the OpenAI interface) is base64 of int32,
[tokens, L, k] flattened, for prompt and answer without the last token, which is never computed. The response
states the tokens, not L and k: k is `--top-k`, a known model's, or the largest divisor of a token's ids for
which no token of the first response selects an expert twice. A layer without experts holds -1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..format import ABSENT, DECODE, PREFILL
from .base import Importer, ImportOptions, RawTrace
from .json_stream import JsonStream
from .known_models import KNOWN_MODELS
from .routed_experts import from_base64, without_dense_layers
from .source import Source
from .source_file import SourceFile


@dataclass(frozen=True)
class _Request:
    ids: NDArray[np.int64]
    n_tokens: int
    n_prompt: int
    model: str | None


def _recognises(file: SourceFile) -> bool:
    if file.head().lstrip()[:1] not in (b"{", b"["):
        return False
    return file.contains(b'"routed_experts"') and (file.contains(b'"meta_info"') or file.contains(b'"sglext"'))


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    top_k, layers = options.top_k or _known_top_k(options.model), ()
    sequence = 0
    for file in IMPORTER.each(source):
        for number, response in enumerate(JsonStream(file).items()):
            place = f"{file}: response {number}"
            for request in _requests(place, response):
                rows = _rows(place, request)
                top_k = top_k or _infer_top_k(place, rows)
                if rows.shape[1] % top_k:
                    raise UserError(f"{place}: {rows.shape[1]} ids a token: must be a multiple of top-k {top_k}")
                experts = rows.reshape(len(rows), -1, top_k)
                layers = layers or _moe_layers(place, experts)
                yield _part(place, sequence, request, experts, layers)
                sequence += 1


def _requests(place: str, response: Any) -> Iterator[_Request]:
    for item in response if isinstance(response, list) else [response]:
        if not isinstance(item, dict):
            raise UserError(f"{place}: must be an object with routed_experts")
        try:
            usage, stored = _stated(item)
            prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            rule = "must state prompt_tokens, completion_tokens and routed_experts"
            raise UserError(f"{place}: {error}: {rule}") from error
        if type(prompt) is not int or type(completion) is not int:
            raise UserError(f"{place}: prompt_tokens, completion_tokens: must be whole numbers")
        raw = from_base64(f"{place}: routed_experts", stored)
        if len(raw) % 4:
            raise UserError(f"{place}: routed_experts: {len(raw)} bytes: must be int32 (truncated?)")
        model = item.get("model")
        ids = np.frombuffer(raw, "<i4").astype(np.int64)
        yield _Request(ids, prompt + completion, prompt, model if isinstance(model, str) else None)


def _stated(item: dict[str, Any]) -> tuple[Any, Any]:
    """Where a response states its tokens, and its routed experts."""
    if "meta_info" in item:
        return item["meta_info"], item["meta_info"]["routed_experts"]
    extra = item["sglext"] if "sglext" in item else item["choices"][0]["sglext"]
    return item["usage"], extra["routed_experts"]


def _rows(place: str, request: _Request) -> NDArray[np.int64]:
    for n in (request.n_tokens - 1, request.n_tokens):
        if n > 0 and len(request.ids) and len(request.ids) % n == 0:
            return request.ids.reshape(n, -1)
    rule = f"must be a multiple of the {request.n_tokens - 1} tokens that were computed"
    raise UserError(f"{place}: routed_experts: {len(request.ids)} ids: {rule} (truncated?)")


def _known_top_k(model: str | None) -> int | None:
    return next((known.top_k for known in KNOWN_MODELS if known.name == model), None)


def _infer_top_k(place: str, rows: NDArray[np.int64]) -> int:
    width = rows.shape[1]
    for top_k in sorted((k for k in range(1, width + 1) if width % k == 0), reverse=True):
        sets = np.sort(rows.reshape(-1, top_k), 1)
        if not ((sets[:, 1:] == sets[:, :-1]) & (sets[:, 1:] >= 0)).any():
            return top_k
    raise UserError(f"{place}: no number of experts per token divides {width} ids: state --top-k")


def _moe_layers(place: str, experts: NDArray[np.int64]) -> tuple[int, ...]:
    layers = tuple(np.flatnonzero((experts >= 0).any(axis=(0, 2))).tolist())
    if not layers:
        raise UserError(f"{place}: routed_experts: all -1: must name experts")
    return layers


def _part(
    place: str, sequence: int, request: _Request, experts: NDArray[np.int64], layers: tuple[int, ...]
) -> RawTrace:
    n, n_layers = experts.shape[:2]
    chosen = without_dense_layers(place, experts, layers)
    return RawTrace(
        sequence=np.full(n, sequence),
        position=np.arange(n),
        experts=np.where(chosen == -1, ABSENT, chosen),
        phase=np.where(np.arange(n) < request.n_prompt, PREFILL, DECODE),
        layers=layers if len(layers) < n_layers else None,
        model=request.model,
    )


IMPORTER = Importer(
    "sglang",
    "JSON of SGLang responses with routed_experts",
    (".json", ".jsonl"),
    _recognises,
    _read,
    fixture="written by the test in the layout that the library's own decoder reads",
    source="sgl-project/sglang: extract_routed_experts_from_meta_info; OpenAI completions page of its manual",
)
