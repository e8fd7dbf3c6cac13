"""The rows of a trace's tables as text, the same in the terminal and in the HTML page."""

from __future__ import annotations

from .trace_report import TraceReport

Rows = list[tuple[str, ...]]
NOTHING = "-"
"""Stands for a figure that the trace cannot tell."""


def summary_rows(report: TraceReport) -> Rows:
    """Return (figure, value, what it says) of the trace as a whole."""
    stats, meta, curve = report.stats, report.meta, report.curve
    rest = "" if stats.measured == stats.tokens else f", figures over {stats.measured:,} decode tokens"
    all_experts = curve.n_keys / curve.token_cycle
    recalls = [
        (
            name,
            share(recall.later_layers()),
            f"recall at k on the last {report.scored:,} tokens; first layer alone {share(recall.layer_0())}",
        )
        for name, recall in report.recall.items()
    ]
    return [
        ("tokens", f"{stats.tokens:,}", f"in {stats.sequences:,} sequences{rest}"),
        ("layers", f"{meta.n_layers}", f"of {meta.n_experts} experts, top-{meta.top_k}"),
        ("token cycle", f"{curve.token_cycle:,}", f"slots; all experts are {all_experts:.4g} token cycles"),
        (
            "overlap",
            share(stats.overlap),
            f"of experts are the previous token's too; chance {share(report.chance)}",
        ),
        ("cross-layer recall", share(stats.cross_layer_recall), "at k, from the layer before alone"),
        ("hint recall", share(stats.hint_recall), "of the trace's hints" if meta.n_hints else "no hints in the trace"),
        *recalls,
        ("first uses", share(curve.first_uses / max(1, curve.demand)), "of the demand; no cache without prefetch hits"),
    ]


def size_rows(report: TraceReport) -> tuple[tuple[str, ...], Rows]:
    """Return headings and rows of the cache sizes."""
    curve = report.curve
    rows = [
        (
            f"{multiple:.4g}",
            f"{curve.slots[i]:,}",
            share(curve.slots[i] / curve.n_keys),
            share(curve.lru[i]),
            share(curve.belady[i]),
            share(curve.with_prefetch(i)),
        )
        for multiple, i in report.sizes()
    ]
    return ("token cycles", "slots", "of all", "LRU", "Belady", "LRU + prefetch"), rows


def hidden_rows(report: TraceReport) -> tuple[tuple[str, ...], Rows]:
    """Return headings and rows of what each predictor finds: hidden, and in brackets useless."""
    curve, rows = report.curve, []
    for multiple, i in report.sizes():
        cells = []
        for name, hidden in curve.hidden.items():
            useless = curve.useless[name][i]
            cells.append(share(hidden[i]) + ("" if useless is None else f" ({useless:.1f})"))
        rows.append((f"{multiple:.4g}", *cells))
    return ("token cycles", *curve.hidden), rows


def layer_rows(report: TraceReport) -> tuple[tuple[str, ...], Rows]:
    """Return headings and rows of the layers."""
    rows = []
    for index, (load, hottest) in enumerate(zip(report.stats.load, report.hottest_k(), strict=True)):
        recalls = [share(recall.by_layer()[index]) for recall in report.recall.values()]
        skew = (f"{load.max_over_mean:.2f}", f"{load.entropy:.3f}", share(hottest), str(load.unused))
        rows.append((str(load.layer), *skew, *recalls))
    return ("layer", "max / mean", "entropy / even", "hottest k", "unused", *report.recall), rows


def share(value: float | None) -> str:
    """Return a share as text, in percent."""
    return NOTHING if value is None else f"{value:.1%}"
