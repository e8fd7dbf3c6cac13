"""The verdict on a trace in words: what a cache can hit, and what prefetching one layer ahead can hide."""

from __future__ import annotations

from .trace_report import TraceReport

FEW_TOKENS = 1000
"""Below this many scored tokens the words say that figures are uncertain."""
NOTABLE_FIRST_USES = 0.05
WORTH_NAMING = 0.01
"""A gain in hit rate below this is called none."""


def verdict(report: TraceReport) -> list[str]:
    """Return sentences, the most general first, each a line; every number in them is one of the report's."""
    return [*_predictability(report), *_caches(report), *_caveats(report)]


def _predictability(report: TraceReport) -> list[str]:
    k, experts = report.meta.top_k, report.meta.n_experts
    if k == experts:
        return [f"Each token selects all {experts} experts of a layer: there is nothing to predict."]
    recalls = {name: recall.later_layers() for name, recall in report.recall.items()}
    shown = ", ".join(f"{name} {share:.1%}" for name, share in recalls.items() if share is not None)
    if not shown:
        return ["The trace is too short to say what could be predicted."]
    return [f"Of the {k} experts of the next layer, {k} guesses name: {shown} (chance {report.chance:.1%})."]


def _caches(report: TraceReport) -> list[str]:
    return [_cache(report, multiple, index) for multiple, index in report.sizes()[:-1] if multiple in (1, 2, 4, 8, 16)]


def _cache(report: TraceReport, multiple: float, index: int) -> str:
    curve = report.curve
    size = f"{multiple:g} token cycle{'s' if multiple != 1 else ''}"
    slots = f"{curve.slots[index]:,} slots, {curve.slots[index] / curve.n_keys:.1%} of all experts"
    text = (
        f"A cache of {size} ({slots}) would hit at most {curve.belady[index]:.1%} of the demand; "
        f"LRU hits {curve.lru[index]:.1%}."
    )
    best = curve.best_predictor(index)
    if best is None:
        return text
    text += (
        f" Prefetching one layer ahead can hide at most {curve.hidden[best][index]:.1%} of LRU's misses with the best "
        f"predictor here ({best}), at {curve.useless[best][index]:.1f} useless loads for each."
    )
    return f"{text} {_largest_gain(report, index)}"


def _largest_gain(report: TraceReport, index: int) -> str:
    """Compare what a better replacement and a prefetch could add to LRU's hit rate."""
    curve = report.curve
    prefetched = curve.with_prefetch(index)
    replace, prefetch = curve.belady[index] - curve.lru[index], (prefetched or 0) - curve.lru[index]
    gains = f"replacement up to +{100 * replace:.0f} points of hit rate, prefetching up to +{100 * prefetch:.0f}"
    if max(replace, prefetch) < WORTH_NAMING:
        return f"Neither has much left to gain: {gains}."
    return f"To gain: {gains}."


def _caveats(report: TraceReport) -> list[str]:
    lines = []
    first_uses = report.curve.first_uses / max(1, report.curve.demand)
    if first_uses > NOTABLE_FIRST_USES:
        lines.append(
            f"The trace is short for its model: {first_uses:.1%} of the demand are first uses, which no cache without "
            "prefetch hits; a longer trace would show higher hit rates."
        )
    if 0 < report.scored < FEW_TOKENS:
        lines.append(f"Recalls and hidden misses are over {report.scored} tokens only: take them as indications.")
    return lines
