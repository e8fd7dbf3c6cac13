"""The recalls of a shoot-out as Markdown: a table for each trace, confidence, and profiles run on other traces."""

from collections.abc import Iterable

from ..hw.markdown import table
from .shootout import Contender, Shootout


def recall_page(results: Iterable[Shootout], domains: Iterable[dict[str, dict[str, float]]]) -> str:
    """Return a page's tables: one for each trace, the calibration, and profiles of one trace run on others."""
    results, parts = list(results), []
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
    return table(heading, [_row(contender) for contender in result.contenders])


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
    return table(["score from", *(result.trace for result in results)], rows)


def _thresholds(results: list[Shootout]) -> str:
    rows = []
    for result in results:
        fixed = next(contender for contender in result.contenders if contender.name == "weights").recall
        for budget, at, above in zip(result.budgets, fixed, result.by_threshold, strict=True):
            rows.append([result.trace, str(budget), f"{at:.3f}", f"{above:.3f}"])
    return table(["trace", "experts an event", "recall, fixed number", "recall, above one score"], rows)


def _domains(matrix: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(matrix.values())))
    rows = [[source, *(f"{found[name]:.3f}" for name in names)] for source, found in matrix.items()]
    return table(["profile of", *(f"run on {name}" for name in names)], rows)
