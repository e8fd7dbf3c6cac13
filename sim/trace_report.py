"""Everything `moefetch trace stats` says about a trace: whether there is something to cache, or to prefetch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..traces.format import ABSENT, DECODE, TraceMeta
from ..traces.reader import TraceFile
from ..traces.stats import TraceStats, file_stats
from . import named_experts
from .cache_curve import CacheCurve, cache_curve, round_sizes
from .event_keys import event_keys
from .profile import Profile
from .trace_figures import TRACE_FIGURES
from .working_set import working_set

REPORT_VERSION = 1


@dataclass(frozen=True)
class LayerRecall:
    """Recall at k of one predictor over the scored tokens, by layer.

    `hits`, `demand` and `named` [L] count selected experts that it names, selected ones and named ones.
    """

    hits: tuple[int, ...]
    demand: tuple[int, ...]
    named: tuple[int, ...]

    def by_layer(self) -> list[float | None]:
        """Return the recall in each layer, None where the layer selected nothing or nothing was ever named."""
        counts = zip(self.hits, self.demand, self.named, strict=True)
        return [hits / demand if demand and named else None for hits, demand, named in counts]

    def later_layers(self) -> float | None:
        """Return the recall over layers 1 and up, where any predictor knows the layer before."""
        demand = sum(self.demand[1:])
        return sum(self.hits[1:]) / demand if demand else None

    def layer_0(self) -> float | None:
        """Return the recall in layer 0."""
        return self.by_layer()[0]


@dataclass(frozen=True)
class TraceReport:
    """The figures of one trace; `trace_figures.TRACE_FIGURES` says what each means.

    `profiled` and `scored` are tokens: the first half fills profiles, the second half is what recalls are over (none of
    both in a trace of one token). `selections` [L][E] counts how often each expert was selected, `windows` are tokens
    and `working_set` the experts used in them. `recall` has a predictor's name as in the table of figures.
    """

    name: str
    meta: TraceMeta
    stats: TraceStats
    profiled: int
    scored: int
    selections: tuple[tuple[int, ...], ...]
    recall: dict[str, LayerRecall]
    windows: tuple[int, ...]
    working_set: tuple[float, ...]
    curve: CacheCurve

    @property
    def chance(self) -> float:
        """Recall at k of naming k experts at random."""
        return self.meta.top_k / self.meta.n_experts

    def sizes(self) -> list[tuple[float, int]]:
        """Return (token cycles, place in the curve) of the sizes that tables show, all experts last."""
        smallest = self.curve.slots[0]
        round_slots = round_sizes(self.curve.token_cycle, self.curve.n_keys, smallest)
        shown = [(multiple, self.curve.at(slots)) for multiple, slots in round_slots.items()]
        return [*shown, (self.curve.n_keys / self.curve.token_cycle, len(self.curve.slots) - 1)]

    def hottest_k(self) -> list[float | None]:
        """Return the share of each layer's selections that its k busiest experts have."""
        shares = []
        for counts in self.selections:
            busiest = sorted(counts, reverse=True)[: self.meta.top_k]
            shares.append(sum(busiest) / sum(counts) if sum(counts) else None)
        return shares

    def document(self) -> dict[str, Any]:
        """Return all figures as JSON, with label and formula of each."""
        from .trace_verdict import verdict

        curve = dataclasses.asdict(self.curve)
        curve["token_cycles"] = [slots / self.curve.token_cycle for slots in self.curve.slots]
        curve["lru_with_prefetch"] = [self.curve.with_prefetch(i) for i in range(len(self.curve.slots))]
        return {
            "report_version": REPORT_VERSION,
            "trace": self.name,
            "model": self.meta.model,
            "content_sha256": self.meta.content_sha256,
            "licence": self.meta.licence,
            **dataclasses.asdict(self.stats),
            "split": {"profiled": self.profiled, "scored": self.scored},
            "hottest_k": self.hottest_k(),
            "selections": self.selections,
            "recall_at_k": {
                "chance": self.chance,
                **{
                    name: {"later_layers": r.later_layers(), "layer_0": r.layer_0(), "by_layer": r.by_layer()}
                    for name, r in self.recall.items()
                },
            },
            "working_set": {"tokens": self.windows, "experts": self.working_set},
            "cache": curve,
            "verdict": verdict(self),
            "figures": {name: figure._asdict() for name, figure in TRACE_FIGURES.items()},
        }


def trace_report(path: str | PathLike[str], on_progress: Callable[[int, int], None] | None = None) -> TraceReport:
    """Analyse a trace file: its decode rows, or all rows if none is a decode row.

    `on_progress(done, total)` counts tokens, in each of two passes. Raises UserError for a file that is no trace.
    Needs about 50 bytes of memory for each selected expert.
    """
    tell = on_progress or (lambda done, total: None)
    stats = file_stats(path, lambda done, total: tell(done, 2 * total))
    file = TraceFile(path)
    experts, starts, hints = _measured_rows(file)
    meta, profiled = file.meta, len(experts) // 2
    keys = event_keys(experts, meta.n_experts)
    selections = np.bincount(keys[keys >= 0], minlength=meta.n_layers * meta.n_experts)
    windows = _windows(len(experts))
    used = working_set(keys, meta.n_layers, len(selections), windows)
    del keys
    named = _named(experts, starts, hints, profiled, meta)
    return TraceReport(
        name=str(path),
        meta=meta,
        stats=stats,
        profiled=profiled,
        scored=len(experts) - profiled if profiled else 0,
        selections=tuple(map(tuple, selections.reshape(meta.n_layers, meta.n_experts).tolist())),
        recall={name: _recall(experts[profiled:], names) for name, names in named.items()},
        windows=tuple(windows.tolist()),
        working_set=tuple(used.tolist()),
        curve=cache_curve(
            experts,
            meta.n_experts,
            meta.n_layers * meta.top_k,
            named,
            lambda done, total: tell((total + done) // meta.n_layers, 2 * total // meta.n_layers),
        ),
    )


def _measured_rows(
    file: TraceFile,
) -> tuple[NDArray[np.uint16], NDArray[np.bool_], NDArray[np.uint16] | None]:
    """Return experts [T, L, K], sequence starts [T] and hints [T, L, H] or None of the rows that figures are over."""
    phase = DECODE if (file.phases() == DECODE).any() else None
    experts = [np.empty((0, file.meta.n_layers, file.meta.top_k), np.uint16)]
    sequence, hints = [np.empty(0, np.int32)], []
    for batch in file.batches(phase=phase):
        experts.append(batch.experts)
        sequence.append(batch.sequence)
        if batch.hints is not None:
            hints.append(batch.hints[:, :, : file.meta.top_k])
    numbers = np.concatenate(sequence)
    starts = np.ones(len(numbers), bool)
    starts[1:] = numbers[1:] != numbers[:-1]
    return np.concatenate(experts), starts, np.concatenate(hints) if hints else None


def _windows(n_tokens: int) -> NDArray[np.int64]:
    """Return 1, 2, 4, ... tokens, up to the whole trace."""
    return np.array([*(2**power for power in range((n_tokens - 1).bit_length())), n_tokens])


def _named(
    experts: NDArray[np.uint16],
    starts: NDArray[np.bool_],
    hints: NDArray[np.uint16] | None,
    profiled: int,
    meta: TraceMeta,
) -> dict[str, NDArray[np.uint16]]:
    """Return what each predictor names for the tokens after the first `profiled`; nothing if that is none."""
    if profiled == 0:
        return {}
    scored = slice(profiled, None)
    keys = event_keys(experts[:profiled], meta.n_experts)
    counts = np.bincount(keys[keys >= 0], minlength=meta.n_layers * meta.n_experts).reshape(meta.n_layers, -1)
    profile = Profile.count(experts[:profiled], starts[:profiled], meta.n_experts, meta.top_k)
    named = {
        "previous token": named_experts.previous_token(experts, starts)[scored],
        "static hot set": named_experts.static_hot_set(counts, len(experts) - profiled, meta.top_k),
        "cross layer": named_experts.cross_layer(experts[scored], experts[:profiled], meta.n_experts, meta.top_k),
        "CCT+HT": named_experts.st_moe(experts[scored], starts[scored], profile, meta.top_k),
    }
    return named if hints is None else named | {"hints": hints[scored]}


def _recall(experts: NDArray[np.uint16], named: NDArray[np.uint16]) -> LayerRecall:
    present = experts != ABSENT
    hits = named_experts.is_among(experts, named) & present
    counts = (flags.sum((0, 2)).tolist() for flags in (hits, present, named != ABSENT))
    return LayerRecall(*map(tuple, counts))
