"""GPT-OSS fingerprinting: JSON per generated answer, with the router's choice for every generated token.

    {"full_text": [...], "router_data": [{"token_141": {"layer_0": {"selected_experts": [31, ..],
    "selected_probs": [0.5, ..]}, ...}}, ...]}

The number in `token_N` is the token's place in prompt and answer together. The file holds the tokens' text
and no ids. Each file is a sequence, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import UserError
from .base import CHUNK_TOKENS, Importer, ImportOptions, RawTrace, integers, numbers
from .json_stream import JsonStream
from .source import Source
from .source_file import SourceFile

_KEPT = ("dataset", "category")


def _recognises(file: SourceFile) -> bool:
    return file.head().lstrip()[:1] == b"{" and file.contains(b'"router_data"')


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    for sequence, file in enumerate(IMPORTER.each(source)):
        about: dict[str, Any] = {}
        entries: list[Any] = []
        for key, value, is_token in JsonStream(file).members("router_data"):
            if not is_token:
                about[key] = value if key in _KEPT else isinstance(value, list)
                continue
            if len(entries) == CHUNK_TOKENS:
                yield _part(file, sequence, entries)
                entries = []
            entries.append(value)
        if not entries:
            found = "'router_data' is empty" if about.get("router_data") else "no list 'router_data'"
            raise UserError(f"{file}: {found}: not a fingerprint of a GPT-OSS answer")
        last = _part(file, sequence, entries)
        category = "/".join(str(about.get(key, "")) for key in _KEPT)
        last.provenance = {"generation": "decode", "categories": [category]}
        yield last


def _part(file: SourceFile, sequence: int, entries: list[Any]) -> RawTrace:
    tokens = [_token(file, entry) for entry in entries]
    experts = integers(file, [ids for _, ids, _ in tokens], 3, "tokens' experts")
    return RawTrace(
        sequence=np.full(len(tokens), sequence),
        position=np.array([position for position, _, _ in tokens]),
        experts=experts,
        scores=numbers(file, [scores for _, _, scores in tokens], experts.shape, "probabilities"),
    )


def _token(file: SourceFile, entry: Any) -> tuple[int, list[Any], list[Any]]:
    """Position, ids by layer and probabilities by layer of one `{"token_N": {...}}`."""
    try:
        ((name, layers),) = entry.items()
        position = int(name.removeprefix("token_"))
        in_order = [layers[f"layer_{i}"] for i in range(len(layers))]
        return position, [n["selected_experts"] for n in in_order], [n["selected_probs"] for n in in_order]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = str(entry)[:40]
        rule = "must be {'token_N': {'layer_0': {'selected_experts', 'selected_probs'}, ..}}"
        raise UserError(f"{file}: router_data entry {text}..: {error}: {rule}") from error


IMPORTER = Importer(
    "gpt-oss-fingerprint",
    "JSON file of a GPT-OSS answer, or a folder of them",
    (".json",),
    _recognises,
    _read,
    fixture="published files",
    source="AmanPriyanshu/GPT-OSS-MoE-ExpertFingerprinting @72b368f6",
)
