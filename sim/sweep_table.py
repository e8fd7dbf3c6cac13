"""What a sweep shows at its end: the best points in a table, and what must be read with it."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .point_columns import Row, columns, with_baselines
from .sweep_spec import SweepSpec

RANKED_BY = "tpot_mean_us"
SHORT = {"model.base": "model", "platform.base": "platform", "unit.base": "unit_digest", "tokens": "tokens_asked"}
"""Parameter of a spec -> the column that says it best."""
FORMULAS = (RANKED_BY, "speed_up", "hit_rate", "link_bytes_per_token", "storage_bits")


def best_table(rows: Sequence[Row], varied: Sequence[str], count: int) -> Table:
    """Return the points of the least mean TPOT, with the parameters that vary."""
    ranked = sorted(with_baselines(rows), key=lambda row: row[RANKED_BY])
    title = f"the best {min(count, len(rows))} of {len(rows)} points by mean TPOT"
    return points_table(title, ranked[:count], shown_columns(varied))


def shown_columns(varied: Sequence[str]) -> list[str]:
    """Return the columns that show parameters of a spec."""
    return [SHORT.get(name, name) for name in varied if SHORT.get(name, name) in columns()]


def points_table(title: str, rows: Sequence[Row], parameters: Sequence[str]) -> Table:
    """Return a table of points: parameters, then figures."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in parameters:
        table.add_column(name.replace(".", "\n", 1), no_wrap=True, justify="left")
    for heading, _ in _FIGURES:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(_value(row[name]) for name in parameters), *(cell(row) for _, cell in _FIGURES))
    return table


def caption(rows: Sequence[Row], spec: SweepSpec) -> list[str]:
    """Return the lines below the table: labels, scales, formulas."""
    scales = sorted({row["scale"] for row in rows})
    invalid = sum(not row["to_scale"] for row in rows)
    scale = f"scale {', '.join(map(str, scales))}" + (f", NOT to scale at {invalid} points" if invalid else ", valid")
    fixed = {name: values[0] for name, values in spec.parameters.items() if len(values) == 1}
    return [
        f"all figures modelled, by the cycle model; {scale}; warm-up left out",
        "the same for all: " + ", ".join(f"{name} = {value}" for name, value in fixed.items()),
        *(f"{name} = {columns()[name].formula}" for name in FORMULAS),
        "speed-up is over policy none of the same configuration, where that was run",
    ]


def _value(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _plain(name: str, form: str, size: float = 1) -> Callable[[Row], str]:
    return lambda row: "-" if row[name] is None else format(row[name] / size, form)


_FIGURES: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("TPOT\nus", _plain(RANKED_BY, ",.1f")),
    ("speed-\nup", _plain("speed_up", ".3f")),
    ("hit", _plain("hit_rate", ".1%")),
    ("link\nMB/token", _plain("link_bytes_per_token", ",.2f", 1e6)),
    ("storage\nMbit", _plain("storage_bits", ",.1f", 1e6)),
)
