"""Tables of docs/recorder.md that come from kept measurements."""

import functools
import json
from pathlib import Path
from typing import Any

from moefetch.hw.markdown import code, table

DOCS = Path(__file__).parent


@functools.cache
def measured() -> dict[str, Any]:
    """Return what `make record` measured on the shipped small models."""
    path = DOCS.parent / "traces" / "data" / "measured.json"
    return json.loads(path.read_text(encoding="utf-8"))


def hint_horizons() -> str:
    """Recall of look-ahead hints against their horizon."""
    rows = [(f["horizon"], f"{f['recall']:.3f}", "measured") for f in measured()["hint_horizons"]]
    tokens = measured()["hint_horizons"][0]["tokens"]
    return table(("MoE layers ahead", f"recall at k over {tokens} tokens (chance 0.125)", "label"), rows)


def speculative() -> str:
    """What the shipped speculative recording shows, per domain."""
    parts = measured()["speculative"]

    def row(text: str, name: str, digits: str = ".3f") -> list[str]:
        return [text, *(format(figures[name], digits) for figures in parts.values()), "measured"]

    def layers(text: str, name: str) -> list[list[str]]:
        rows = zip(*(figures[name] for figures in parts.values()), strict=True)
        each = [[f"{text}, layer {i}", *(f"{x:.3f}" for x in row), "measured"] for i, row in enumerate(rows)]
        means = [f"{sum(figures[name]) / len(figures[name]):.3f}" for figures in parts.values()]
        return [*each, [f"{text}, mean", *means, "measured"]]

    rows = [
        row("windows", "windows", ","),
        row("drafted tokens", "drafted", ","),
        row("accepted drafted tokens / drafted tokens", "acceptance"),
        row("mean accepted drafted tokens of a window", "mean_accepted", ".2f"),
        row("mean tokens of a window that stay", "tokens_per_window", ".2f"),
        row("rows with predictions / rows", "predicted_rows"),
        *layers("recall at k of a token's experts", "recall"),
        *layers("recall of a window's distinct experts", "window_recall"),
    ]
    return table(("figure", *parts, "label"), rows)


def top_k_shapes() -> str:
    """Held-out loss of the shipped small model with fewer experts."""
    found = measured()["top_k_shapes"]
    full = found[0]["loss"]
    rows = [
        (code(f["shape"]), ", ".join(map(str, f["layers"])), f"{sum(f['layers']) / len(f['layers']):.2f}",
         f"{f['loss']:.4f}", f"{f['loss'] - full:+.4f}", "measured")
        for f in found
    ]  # fmt: skip
    heading = ("shape", "experts of each layer", "mean", f"loss, nats a token over {found[0]['tokens']:,}", "change")
    return table((*heading, "label"), rows)


RECORDER_TABLES = {
    "hint-horizons": hint_horizons,
    "speculative": speculative,
    "top-k-shapes": top_k_shapes,
}
"""Name in a page -> what renders it."""
