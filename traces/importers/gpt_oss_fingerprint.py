"""GPT-OSS fingerprinting: JSON per generated answer, with the router's choice for every generated token.

    {"full_text": [...], "router_data": [{"token_141": {"layer_0": {"selected_experts": [31, ..],
    "selected_probs": [0.5, ..]}, ...}}, ...]}

The number in `token_N` is the token's place in prompt and answer together. The file holds the tokens' text
and no ids. A folder is imported as one sequence for each `*.json` in it, by name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..format import Trace
from .base import Importer, ImportOptions, RawTrace, head, read_text


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.json")) if path.is_dir() else [path]


def _recognises(path: Path) -> bool:
    files = _files(path)
    return bool(files) and head(files[0]).lstrip()[:1] == b"{" and b'"router_data"' in head(files[0], 1 << 30)


def _read(path: Path, options: ImportOptions) -> Trace:
    files = _files(path)
    positions, experts, scores, categories = [], [], [], []
    for file in files:
        document = _document(file)
        tokens = [_token(file, entry) for entry in document["router_data"]]
        positions.append([position for position, _, _ in tokens])
        experts += [ids for _, ids, _ in tokens]
        scores += [probabilities for _, _, probabilities in tokens]
        categories.append("/".join(str(document.get(key, "")) for key in ("dataset", "category")))
    try:
        ids, probabilities = np.array(experts, np.int64), np.array(scores, np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{path}: tokens differ in layers or in experts per layer: must all be alike") from error
    if ids.ndim != 3 or ids.shape != probabilities.shape:
        raise UserError(f"{path}: {ids.shape} experts and {probabilities.shape} probabilities: must be alike")
    raw = RawTrace(
        sequence=np.repeat(np.arange(len(files)), [len(p) for p in positions]),
        position=np.concatenate(positions),
        experts=ids,
        scores=probabilities,
        provenance={"generation": "decode", "categories": categories},
    )
    return raw.build(path, files, IMPORTER.name, options)


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not JSON (truncated?): {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("router_data"), list):
        raise UserError(f"{file}: no list 'router_data': not a fingerprint of a GPT-OSS answer")
    if not document["router_data"]:
        raise UserError(f"{file}: 'router_data' is empty: needs a token or more")
    return document


def _token(file: Path, entry: Any) -> tuple[int, list[Any], list[Any]]:
    """Position, ids by layer and probabilities by layer of one `{"token_N": {...}}`."""
    try:
        ((name, layers),) = entry.items()
        position = int(name.removeprefix("token_"))
        in_order = [layers[f"layer_{i}"] for i in range(len(layers))]
        ids = [layer["selected_experts"] for layer in in_order]
        if any(type(i) is not int for layer in ids for i in layer):
            raise ValueError("an expert id is not an integer")
        return position, ids, [layer["selected_probs"] for layer in in_order]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = str(entry)[:40]
        rule = "must be {'token_N': {'layer_0': {'selected_experts', 'selected_probs'}, ..}}"
        raise UserError(f"{file}: router_data entry {text}..: {error}: {rule}") from error


IMPORTER = Importer("gpt-oss-fingerprint", "JSON file of a GPT-OSS answer, or a folder of them", _recognises, _read)
