"""What each figure of `moefetch trace stats` means: one table, which terminal, JSON, HTML and manual print."""

from typing import NamedTuple

from .figure import Label


class TraceFigure(NamedTuple):
    """A figure's label and formula.

    In the formulas S(t, l) is the set of experts that layer l selected for token t, and *events* are all pairs (t, l).
    """

    label: Label
    formula: str


TRACE_FIGURES = {
    "overlap": TraceFigure("measured", "mean over events of |S(t, l) and S(t-1, l)| / |S(t, l)|, within a sequence"),
    "cross-layer recall": TraceFigure(
        "measured",
        "share of S(t, l+1) among the k experts e' of highest sum of P(e' | e) over e in S(t, l); "
        "P counted on the first half of the tokens, scored on the second",
    ),
    "hint recall": TraceFigure("measured", "share of S(t, l) among the recorded hints for it"),
    "max / mean": TraceFigure("measured", "selections of the layer's busiest expert / mean over its experts"),
    "entropy / even": TraceFigure(
        "measured", "-sum p log p / log E, p the share of each expert in its layer's selections; 1 if all are alike"
    ),
    "hottest k": TraceFigure(
        "measured", "share of the k busiest experts in their layer's selections; k / E if all are alike"
    ),
    "unused": TraceFigure("measured", "experts that the layer never selects"),
    "recall at k": TraceFigure(
        "measured",
        "sum of |S and N| / sum of |S| over events of the second half, layers 1 and up; "
        "N(t, l) the k experts named for the event",
    ),
    "previous token": TraceFigure("measured", "recall at k with N(t, l) = S(t-1, l), within a sequence"),
    "static hot set": TraceFigure(
        "measured", "recall at k with N(t, l) = the k busiest experts of layer l in the first half"
    ),
    "cross layer": TraceFigure(
        "measured", "recall at k with N(t, l) as in cross-layer recall, summed over events instead of a mean"
    ),
    "CCT+HT": TraceFigure(
        "measured",
        "recall at k with N(t, l) = the k highest scores of ST-MoE's tables (arXiv 2606.15453), known once layer l-1 "
        "is routed, profiled on the first half, learning on",
    ),
    "hints": TraceFigure("measured", "recall at k with N(t, l) = the first k hints recorded for the event"),
    "token cycle": TraceFigure("measured", "layers x k slots: what one token selects over all layers"),
    "working set": TraceFigure(
        "measured", "mean number of distinct experts in w consecutive tokens, over all such windows"
    ),
    "reuse distance": TraceFigure(
        "measured", "experts used since an expert's last use; an LRU cache of more slots than that hits"
    ),
    "first uses": TraceFigure(
        "measured", "share of the demand that no event used before; no cache without prefetch hits it"
    ),
    "LRU": TraceFigure(
        "modelled",
        "hits / demand of an LRU cache, empty at first; an event's experts are looked up at once and pinned to its end",
    ),
    "Belady": TraceFigure(
        "modelled",
        "the same with the victim whose next use is farthest: the most hits of any cache that loads on demand only",
    ),
    "hidden": TraceFigure(
        "modelled",
        "share of LRU's misses in the second half that are in N(t, l), as if each of these arrived in time",
    ),
    "useless": TraceFigure(
        "modelled", "experts in N(t, l) that LRU does not hold and the event does not select, for each hidden miss"
    ),
    "LRU + prefetch": TraceFigure(
        "modelled",
        "1 - (1 - LRU) x (1 - hidden) of the predictor that hides most, as if useless loads took neither a slot nor "
        "time on the link",
    ),
}
"""Name of each figure, as it is printed -> what it means."""
