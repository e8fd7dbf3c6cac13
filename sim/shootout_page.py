"""A shoot-out as Markdown tables and a plot."""

from collections.abc import Iterable

from .shootout import Contender, Shootout

COLOURS = ("#4d4d4d", "#e69f00", "#56b4e9", "#d55e00", "#cc79a7", "#0072b2", "#7aa6c8", "#003a5d", "#009e73")
WIDTH, HEIGHT, LEFT, TOP, GAP = 250, 180, 46, 26, 40
TICKS = (0.2, 0.4, 0.6, 0.8, 1.0)


def markdown(results: Iterable[Shootout], domains: Iterable[dict[str, dict[str, float]]], command: str) -> str:
    """Return a page's tables: one for each trace, the calibration, and profiles of one trace run on others."""
    results = list(results)
    parts = [f"<!-- {command} -->"]
    for result in results:
        parts += [_heading(result), _contenders(result)]
    parts += ["**Confidence.** " + CONFIDENCE_TEXT, _calibration(results), _thresholds(results)]
    for matrix in domains:
        parts += ["**Across domains.** " + DOMAIN_TEXT, _domains(matrix)]
    return "\n\n".join(parts) + "\n"


CONFIDENCE_TEXT = (
    "Share of the experts with a score that were needed (weights, profiled; measured on the second half, layers 1 "
    "and up):"
)
DOMAIN_TEXT = (
    "Recall at k of the weights that start from a profile of one trace's first half (none: from zeros) and run on "
    "another's second half, learning on (measured):"
)


def _heading(result: Shootout) -> str:
    n_layers, n_experts, top_k = result.geometry
    return (
        f"**{result.trace}** ({result.model}: {n_layers} layers x {n_experts} experts, top-{top_k}; profiled on "
        f"{result.profiled:,} tokens, measured on the {result.scored:,} after them). ST-MoE's own set: recall "
        f"{result.set_recall:.3f} with {result.set_size:.2f} experts."
    )


def _contenders(result: Shootout) -> str:
    heading = [
        "predictor", *(f"@{budget}" for budget in result.budgets), f"layer 0 @{result.budgets[0]}",
        "experts for that recall", "of the set", "table bits", "cycles to the k-th",
    ]  # fmt: skip
    return _table(heading, [_row(contender) for contender in result.contenders])


def _row(contender: Contender) -> list[str]:
    layer_0 = contender.recall_layer_0
    return [
        contender.name,
        *(f"{recall:.3f}" for recall in contender.recall),
        "-" if layer_0 is None else f"{layer_0[0]:.3f}",
        "-" if contender.needed is None else f"{contender.needed:.2f}",
        "-" if contender.needed_share is None else f"{contender.needed_share:.0%}",
        f"{contender.table_bits:,}",
        "-" if contender.cycles is None else str(contender.cycles),
    ]


def _calibration(results: list[Shootout]) -> str:
    scores = sorted({step.score for result in results for step in result.calibration})
    columns = [{step.score: step.probability for step in result.calibration} for result in results]
    rows = [
        [str(score), *("-" if score not in column else f"{column[score]:.3f}" for column in columns)]
        for score in scores
    ]
    return _table(["score from", *(result.trace for result in results)], rows)


def _thresholds(results: list[Shootout]) -> str:
    rows = []
    for result in results:
        fixed = next(contender for contender in result.contenders if contender.name == "weights").recall
        for budget, at, above in zip(result.budgets, fixed, result.by_threshold, strict=True):
            rows.append([result.trace, str(budget), f"{at:.3f}", f"{above:.3f}"])
    return _table(["trace", "experts an event", "recall, fixed number", "recall, above one score"], rows)


def _domains(matrix: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(matrix.values())))
    rows = [[source, *(f"{found[name]:.3f}" for name in names)] for source, found in matrix.items()]
    return _table(["profile of", *(f"run on {name}" for name in names)], rows)


def _table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plot(results: Iterable[Shootout]) -> str:
    """Return an SVG: recall over the number of experts, a panel for each trace."""
    results = list(results)
    names = list(dict.fromkeys(contender.name for result in results for contender in result.contenders))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    width = GAP + len(results) * (LEFT + WIDTH + GAP)
    legend_rows = -(-len(names) // max(1, width // 170))
    height = TOP + HEIGHT + 50 + 18 * legend_rows
    shapes = [
        _panel(result, colours, GAP + index * (LEFT + WIDTH + GAP) + LEFT) for index, result in enumerate(results)
    ]
    per_row = max(1, width // 170)
    for index, name in enumerate(names):
        x, y = GAP + 170 * (index % per_row), TOP + HEIGHT + 52 + 18 * (index // per_row)
        shapes.append(f'<rect x="{x}" y="{y - 9}" width="14" height="4" fill="{colours[name]}"/>')
        shapes.append(f'<text x="{x + 20}" y="{y - 4}">{name}</text>')
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11" fill="#1c2530">\n<rect width="100%" height="100%" fill="white"/>\n'
        f"{body}\n</svg>\n"
    )


def _panel(result: Shootout, colours: dict[str, str], left: int) -> str:
    most = result.budgets[-1]

    def place(budget: float, recall: float) -> str:
        return f"{left + WIDTH * budget / most:.1f},{TOP + HEIGHT * (1 - recall):.1f}"

    lines = [f'<text x="{left}" y="{TOP - 10}" font-weight="bold">{result.trace}</text>']
    for tick in TICKS:
        y = TOP + HEIGHT * (1 - tick)
        lines.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e8ecf0"/>')
        lines.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.1f}</text>')
    for budget in result.budgets:
        x, _ = place(budget, 0).split(",")
        lines.append(f'<text x="{x}" y="{TOP + HEIGHT + 14}" text-anchor="middle">{budget}</text>')
    lines.append(
        f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 30}" text-anchor="middle">experts named, recall above</text>'
    )
    for contender in result.contenders:
        points = " ".join(place(*point) for point in zip(result.budgets, contender.recall, strict=True))
        colour = colours[contender.name]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    set_x, set_y = place(min(result.set_size, most), result.set_recall).split(",")
    lines.append(f'<circle cx="{set_x}" cy="{set_y}" r="4" fill="none" stroke="{COLOURS[3]}" stroke-width="2"/>')
    return "\n".join(lines)
