"""Cheaper and richer forms of the weight tables: `python docs/weight_study.py TRACE... > docs/weight-study.md`.

Every form learns online from zeros over a whole recording; recalls are over its second half, layer 0 left out. What the
unit has is `sim/predictors/weights.py`; the forms here are that rule with one thing changed, and only this script has
them. TRACE is a .npz of experts [T, L, K], lengths [sequences] and scores [T, L, K], as traces.md describes.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim import named_experts
from moefetch.sim.named_by_weights import _name_highest, ranked_recall, weights
from numba import njit

FOUR = ((1, 0), (2, 0), (3, 0), (0, 1))
MOST_TOKENS = 20_000
COLD_TOKENS = (30, 100, 300)
COLD_PARTS = 8
MANY_EXPERTS = 256
"""No recording at hand has so many: each expert is split into several by the token's first choice in layer 0."""


class Form(NamedTuple):
    """One form: sources, weight bits, tables[j] of source j, and what it changes."""

    name: str
    sources: tuple = FOUR
    bits: int = 5
    shared: tuple = ()
    """Table of each source; empty: one each."""
    rows: float = 1.0
    """Rows kept, as a share of the experts: others fall together (`hashed`) or are dropped."""
    hashed: bool = True
    scores: str = ""
    """How router scores weigh a source's members: `one bit`, `two bits`, or not."""
    taught: bool = True
    """The weight of a member counts in learning too."""
    rank: int = 0
    """Tables of the first half cut to this rank, and frozen; -1: frozen as they are."""

    def bits_per_layer(self, n_experts):
        """Return the table bits of a layer."""
        tables = len(set(self.shared)) if self.shared else len(self.sources)
        if self.rank > 0:
            return tables * 2 * n_experts * self.rank * 8
        return tables * round(n_experts * self.rows) * n_experts * self.bits


FORMS = [
    *(Form(f"l-1, {bits} bits", ((1, 0),), bits) for bits in (4, 5, 6)),
    *(Form(f"l-1, l-2, t-1, {bits} bits", ((1, 0), (2, 0), (0, 1)), bits) for bits in (3, 4, 5, 6)),
    *(Form(f"l-1..l-3, t-1, {bits} bits", FOUR, bits) for bits in (2, 3, 4, 5, 6, 8)),
    *(Form(f"l-1..l-5, t-1, {bits} bits", (*((n, 0) for n in range(1, 6)), (0, 1)), bits) for bits in (3, 4, 5, 6)),
    *(Form(f"l-1..l-8, t-1, {bits} bits", (*((n, 0) for n in range(1, 9)), (0, 1)), bits) for bits in (4, 6)),
    Form("l-2 and l-3 share a table", shared=(0, 1, 1, 2)),
    Form("all earlier layers share a table", shared=(0, 0, 0, 1)),
    Form("rows hashed to half", rows=0.5),
    Form("rows of the popular half alone", rows=0.5, hashed=False),
    Form("scores, one bit a member", scores="one bit"),
    Form("scores, two bits a member", scores="two bits"),
    Form("scores, two bits, sums alone", scores="two bits", taught=False),
    Form("two events ahead: l-2..l-4, t-1", ((2, 0), (3, 0), (4, 0), (0, 1))),
    Form("three events ahead: l-3..l-5, t-1", ((3, 0), (4, 0), (5, 0), (0, 1))),
    Form("frozen after the first half", rank=-1),
    Form("frozen, rank 4 (8 bits)", rank=4),
    Form("frozen, rank 8 (8 bits)", rank=8),
]


@njit(cache=True)
def run(experts, member_weight, starts, tables, back, table_of, row_of, limits, taught, learns, tokens, named):
    """Name the best experts of every event, learning as it goes; the rules are those of `predictors/weights.py`."""
    _, n_layers, top_k = experts.shape
    n_experts = tables.shape[3]
    sums = np.zeros(n_experts, np.int32)
    step = np.zeros(n_experts, np.int8)
    marks = np.zeros(named.shape[2], np.uint8)
    begin = tokens[0]
    while not starts[begin]:
        begin -= 1
    for token in range(tokens[0], tokens[1]):
        if starts[token]:
            begin = token
        for layer in range(n_layers):
            sums[:] = limits[3]
            for learning in range(2):
                for source in range(len(back)):
                    origin, past = layer - back[source], token
                    if back[source] == 0 or origin < 0:
                        past -= 1
                    if origin < 0:
                        origin += n_layers
                    if past < begin:
                        continue
                    for place in range(top_k):
                        row = row_of[origin, experts[past, origin, place]]
                        if row < 0:
                            continue
                        weights = tables[layer, table_of[source], row]
                        factor = member_weight[past, origin, place]
                        if learning == 0:
                            for expert in range(n_experts):
                                sums[expert] += factor * weights[expert]
                        else:
                            gain = factor if taught else 1
                            for expert in range(n_experts):
                                moved = weights[expert] + gain * step[expert]
                                weights[expert] = min(max(moved, limits[0]), limits[1])
                if learning == 0:
                    _name_highest(sums, limits[4], named[token, layer], marks)
                    if not learns:
                        break
                    for expert in range(n_experts):
                        step[expert] = -1 if sums[expert] >= -limits[2] else 0
                    for place in range(top_k):
                        member = experts[token, layer, place]
                        step[member] = 1 if sums[member] < limits[2] else 0


def member_weights(scores, how):
    """Return what each member counts, from its share of the largest router score of its event."""
    share = scores.astype(np.float32) / np.maximum(scores.max(axis=2, keepdims=True).astype(np.float32), 1e-6)
    if how == "one bit":
        return np.where(share >= 0.5, 2, 1).astype(np.int32)
    if how == "two bits":
        return np.clip(np.ceil(share * 4), 1, 4).astype(np.int32)
    return np.ones(scores.shape, np.int32)


def row_map(form, experts, n_experts):
    """Return the row of each layer's experts, -1 for none."""
    kept = round(n_experts * form.rows)
    rows = np.broadcast_to(np.arange(n_experts) % kept, (experts.shape[1], n_experts)).astype(np.int64)
    if form.hashed:
        return rows
    rows = np.full(rows.shape, -1)
    for layer in range(len(rows)):
        count = np.bincount(experts[: len(experts) // 2, layer].ravel(), minlength=n_experts)
        rows[layer, np.argsort(-count, kind="stable")[:kept]] = np.arange(kept)
    return rows


def cut_to_rank(tables, rank):
    """Return tables of a lower rank, in sixteenths so that no rounding counts."""
    left, size, right = np.linalg.svd(tables.astype(np.float32), full_matrices=False)
    return np.rint(16 * (left[..., :rank] * size[..., None, :rank]) @ right[..., :rank, :]).astype(np.int16)


def measure(form, experts, scores, starts, n_experts):
    """Return the recall at k, 1.5k, 2k and 3k."""
    half, top_k = len(experts) // 2, experts.shape[2]
    scale = max(member_weights(scores, form.scores).mean(), 1)
    lowest, highest = -(1 << form.bits - 1), (1 << form.bits - 1) - 1
    margin = round((1 << form.bits) * scale)
    limits = np.array([lowest, highest, margin, lowest, max(0, form.bits - 4)])
    table_of = np.array(form.shared or range(len(form.sources)))
    rows = row_map(form, experts, n_experts)
    tables = np.zeros((experts.shape[1], table_of.max() + 1, rows.max() + 1, n_experts), np.int16)
    named = np.zeros((*experts.shape[:2], 3 * top_k), np.uint16)
    back, weight = np.array([source[0] for source in form.sources]), member_weights(scores, form.scores)

    def go(tokens, learns, limits=limits):
        run(experts, weight, starts, tables, back, table_of, rows, limits, form.taught, learns, tokens, named)

    go((0, half), True)
    if form.rank > 0:
        tables = cut_to_rank(tables, form.rank)
        limits = np.array([0, 0, 0, 16 * lowest, 4 + limits[4]])
    go((half, len(experts)), form.rank == 0, limits)
    return ranked_recall(experts[half:, 1:], named[half:, 1:], (top_k, int(1.5 * top_k), 2 * top_k, 3 * top_k))


HEAD = """# Weight tables: cheaper and richer forms

Made by `python docs/weight_study.py TRACE...`: measured on the recordings named, with no cache, link or time in it.
The form of [the unit](predictors.md#weights) is `l-1..l-3, t-1, 5 bits`. Each form learns online from zeros; recall
is over the second half of the tokens, layer 0 left out. In the tables of cold starts, parts of the recording are run
from empty tables by ST-MoE and by the weights; 256 experts are made by splitting each expert by the token's first
choice in layer 0, as no recording at hand has so many.

What follows, on all three recordings:

- Four sources of five bits lie on the front: at the same memory neither more sources of fewer bits nor fewer sources of
  more bits recall more. Beyond, a source is worth more than a bit, and eight bits learn too slowly.
- Half the rows (hashed, or the popular half alone) is the best form at half the memory: 2 to 4 points less.
- A table shared by two sources is worth what one source less is; one shared by all earlier layers is not worth it.
- Router scores as weights of a source's members gain half a point at most and cost multipliers: left out.
- Tables that stop learning lose 1 to 11 points, and tables of low rank far more: learning online is what counts.
- Two events ahead costs 1 to 2 points of recall, three events 1 to 4.
- From empty tables the weights lead ST-MoE in every part, within the first 30 tokens and at 256 experts too."""


def cold_start(experts, starts, n_experts):
    """Yield rows of recall at k over the first tokens of a part, from empty tables: ST-MoE, and the weights."""
    top_k = experts.shape[2]
    for n_tokens in COLD_TOKENS:
        for copies in (1, MANY_EXPERTS // n_experts):
            parts = []
            for begin in range(0, len(experts) - n_tokens, len(experts) // COLD_PARTS):
                part, first = experts[begin : begin + n_tokens], starts[begin : begin + n_tokens].copy()
                first[0] = True
                split = (part * copies + part[:, :1, :1] % copies).astype(np.uint16)
                many = n_experts * copies
                theirs = named_experts.st_moe_cold(split, first, many, top_k, top_k)
                ours, _ = weights(split, first, many, UNIT_PRESETS["default"].weight_rules, top_k)
                parts.append([
                    ranked_recall(split[:, 1:], named[:, 1:], (top_k,))[0] for named in (theirs, ours.experts)
                ])  # fmt: skip
            theirs, ours = np.array(parts).T
            yield n_tokens, n_experts * copies, theirs.mean(), ours.mean(), (ours - theirs).min()


def main():
    """Print two tables for each trace."""
    print(HEAD)
    for path in map(Path, sys.argv[1:]):
        with np.load(path) as data:
            lengths, experts, scores = data["lengths"], data["experts"].astype(np.int64), data["scores"]
        starts = np.zeros(len(experts), bool)
        starts[np.cumsum(lengths) - lengths] = True
        experts, scores, starts = experts[:MOST_TOKENS], scores[:MOST_TOKENS], starts[:MOST_TOKENS]
        n_experts = 1 << int(experts.max()).bit_length()
        print(f"\n**{path.stem}**, {len(experts):,} tokens\n")
        print("| form | recall @k | @1.5k | @2k | @3k | bits a layer |\n| --- | --- | --- | --- | --- | --- |")
        for form in FORMS:
            recalls = " | ".join(f"{recall:.3f}" for recall in measure(form, experts, scores, starts, n_experts))
            print(f"| {form.name} | {recalls} | {form.bits_per_layer(n_experts):,} |", flush=True)
        print("\n| cold start: tokens | experts | ST-MoE @k | weights @k | smallest lead of a part |")
        print("| --- | --- | --- | --- | --- |")
        for n_tokens, many, theirs, ours, least in cold_start(experts, starts, n_experts):
            print(f"| {n_tokens} | {many} | {theirs:.3f} | {ours:.3f} | {least:+.3f} |", flush=True)


if __name__ == "__main__":
    main()
