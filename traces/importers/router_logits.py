"""Hugging Face router logits: what a model returns with `output_router_logits=True`, saved by the user.

Either a `torch.save` file of `outputs.router_logits`, L tensors [tokens, E], or of a dict with the keys

- `router_logits`: the same;
- `input_ids` [batch, tokens] and `attention_mask` of the same shape (0 for padding), where there is more than one
  sequence or the vocabulary ids are wanted;
- `e_score_correction_bias`: L tensors [E], for a model that has it;

or a Parquet file with a row per token and a column `router_logits`, list<list<float>> [L][E], and optionally the
columns `sequence`, `position` and `input_id`. No data set of this kind is known: the layout is this importer's.

Logits do not say what is selected: the model's own rule does. It is read from the model's `config.json` in the same
folder; without one, `--top-k` selects by softmax over all experts. The pass is imported as decode rows, as ESFT's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import UserError
from ..format import UNKNOWN_TOKEN
from .base import CHUNK_TOKENS, Importer, ImportOptions, RawTrace, spans
from .router_rule import RouterRule, rule_of
from .source import Source
from .source_file import SourceFile
from .torch_file import StoredTensor, is_torch_file, load_torch_file

COLUMN = "router_logits"
_LISTS = (pa.ListArray, pa.FixedSizeListArray)
_ERRORS = (pa.ArrowException, OSError, ValueError)


def _recognises(file: SourceFile) -> bool:
    if file.head(4) == b"PAR1":
        try:
            with file.seekable() as stream:
                return COLUMN in pq.ParquetFile(stream).schema_arrow.names
        except (UserError, *_ERRORS):
            return False
    try:
        with file.seekable() as stream:
            return is_torch_file(stream) and _layers_of(load_torch_file(file, stream)) is not None
    except UserError:
        return False


def _layers_of(saved: Any) -> list[StoredTensor] | None:
    stored = saved.get(COLUMN) if isinstance(saved, dict) else saved
    if not isinstance(stored, list | tuple) or not stored:
        return None
    return list(stored) if all(isinstance(layer, StoredTensor) for layer in stored) else None


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    first = 0
    for file in IMPORTER.each(source):
        rule = _rule(file, options)
        with file.seekable() as stream:
            is_parquet = stream.read(4) == b"PAR1"
            stream.seek(0)
            read = _read_parquet if is_parquet else _read_torch
            last = first
            for part in read(file, stream, rule):
                part.sequence = part.sequence + first
                last = max(last, int(part.sequence.max()))
                yield part
            first = last + 1


def _rule(file: SourceFile, options: ImportOptions) -> RouterRule:
    config = file.path.parent / "config.json"
    if not config.is_file():
        if options.top_k is None:
            raise UserError(f"{file}: no config.json beside it: must hold the model's, or state --top-k")
        return RouterRule(top_k=options.top_k)
    try:
        fields = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{config}: not the model's configuration: {error}") from error
    return rule_of(config, fields)


def _read_torch(file: SourceFile, stream: Any, rule: RouterRule) -> Iterator[RawTrace]:
    saved = load_torch_file(file, stream)
    stored = _layers_of(saved)
    if stored is None:
        raise UserError(f"{file}: must be a list of tensors, or a dict with it as '{COLUMN}'")
    layers = [layer.read() for layer in stored]
    if any(layer.ndim not in (2, 3) or layer.dtype.kind != "f" for layer in layers):
        raise UserError(f"{file}: {COLUMN}: must be floats [tokens, experts] for each layer")
    layers = [layer.reshape(-1, layer.shape[-1]).astype(np.float32) for layer in layers]
    if len({layer.shape for layer in layers}) > 1:
        raise UserError(f"{file}: {COLUMN}: shapes differ between layers: must be alike")
    n = len(layers[0])
    extra = saved if isinstance(saved, dict) else {}
    sequence, position, token, kept = _tokens(file, extra, n)
    bias = _bias(file, extra, (len(layers), layers[0].shape[1]))
    for first in range(0, len(kept), CHUNK_TOKENS):
        part = slice(first, first + CHUNK_TOKENS)
        logits = np.stack([layer[kept[part]] for layer in layers], 1)
        yield _part(file, sequence[part], position[part], token[part], logits, rule, bias)


def _tokens(file: SourceFile, extra: dict[str, Any], n: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Sequence, position and vocabulary id of each token that is no padding, and its row."""
    ids, mask = (extra[key].read() if isinstance(extra.get(key), StoredTensor) else None for key in _SHAPED)
    if ids is None:
        sequence, position = spans([n])
        return sequence, position, np.full(n, UNKNOWN_TOKEN), np.arange(n)
    mask = np.ones(ids.shape, bool) if mask is None else mask.astype(bool)
    if ids.ndim != 2 or ids.size != n or mask.shape != ids.shape:
        found = f"input_ids {list(ids.shape)}, attention_mask {list(mask.shape)}"
        raise UserError(f"{file}: {found}: must be [batch, tokens] of the {n} tokens")
    kept = np.flatnonzero(mask.reshape(-1))
    lengths = mask.sum(1)[mask.any(1)]
    return *spans(lengths), ids.reshape(-1)[kept], kept


_SHAPED = ("input_ids", "attention_mask")


def _bias(file: SourceFile, extra: dict[str, Any], shape: tuple[int, int]) -> NDArray[np.float32] | None:
    stored = extra.get("e_score_correction_bias")
    if stored is None:
        return None
    if not isinstance(stored, list | tuple) or not all(isinstance(layer, StoredTensor) for layer in stored):
        raise UserError(f"{file}: e_score_correction_bias: must be a list of tensors, one a layer")
    bias = [layer.read() for layer in stored]
    if len(bias) != shape[0] or any(layer.shape != shape[1:] for layer in bias):
        raise UserError(f"{file}: e_score_correction_bias: must be {shape[0]} tensors of {shape[1]} experts")
    return np.stack(bias).astype(np.float32)


def _read_parquet(file: SourceFile, stream: Any, rule: RouterRule) -> Iterator[RawTrace]:
    try:
        opened = pq.ParquetFile(stream)
        first = 0
        for batch in opened.iter_batches(CHUNK_TOKENS):
            names = batch.schema.names
            logits = _logits(file, batch.column(COLUMN), len(batch))
            columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in names if name != COLUMN}
            n = len(batch)
            sequence = columns.get("sequence", np.zeros(n, np.int64))
            position = columns.get("position", first + np.arange(n))
            token = columns.get("input_id", np.full(n, UNKNOWN_TOKEN))
            if any(values.dtype.kind not in "iu" for values in (sequence, position, token)):
                raise UserError(f"{file}: sequence, position, input_id: must be whole numbers")
            yield _part(file, sequence, position, token, logits, rule, None)
            first += n
    except _ERRORS as error:
        raise UserError(f"{file}: cannot be read (truncated?): {' '.join(str(error).split())}") from error


def _logits(file: SourceFile, column: Any, n: int) -> NDArray[np.float32]:
    layers: Any = column.flatten() if isinstance(column, _LISTS) else None
    if not isinstance(layers, _LISTS):
        raise UserError(f"{file}: column '{COLUMN}': type {column.type}: must be list<list<float>>")
    flat = layers.flatten()
    regular = len(layers) % n == 0 and len(layers) and len(flat) % len(layers) == 0
    for lists in (column, layers) if regular else ():
        if isinstance(lists, pa.ListArray):
            regular = regular and len(set(np.diff(lists.offsets.to_numpy()).tolist())) == 1
    if not regular or column.null_count or layers.null_count or flat.null_count:
        raise UserError(f"{file}: column '{COLUMN}': must be layers x experts in each row, alike, with no nulls")
    return flat.to_numpy(zero_copy_only=False).reshape(n, len(layers) // n, -1).astype(np.float32)


def _part(
    file: SourceFile,
    sequence: NDArray,
    position: NDArray,
    token: NDArray,
    logits: NDArray[np.float32],
    rule: RouterRule,
    bias: NDArray[np.float32] | None,
) -> RawTrace:
    experts, scores = rule.select(file, logits, bias)
    return RawTrace(
        sequence=sequence,
        position=position,
        experts=experts,
        scores=scores,
        token=token,
        n_experts=logits.shape[2],
        model=rule.model,
        provenance={"generation": "teacher-forced", "router_rule": rule.text()},
    )


IMPORTER = Importer(
    "router-logits",
    "router logits of Hugging Face transformers: torch file or Parquet",
    (".pt", ".pth", ".parquet"),
    _recognises,
    _read,
    fixture="written by the library itself in the test",
    source="transformers, output_router_logits; the file's layout is this importer's",
)
