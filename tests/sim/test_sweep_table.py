"""Are the best points first, with the parameters that vary and the formulas of what is shown?"""

from moefetch.sim.point_columns import columns
from moefetch.sim.sweep_table import FORMULAS, best_table, caption, shown_columns

from .sweep_fixtures import points_in, write_sweep


def row(policy, slots, microseconds, **changes):
    found = dict.fromkeys(columns()) | {
        "policy": policy, "group": str(slots), "slots": slots, "platform.slots": slots, "tpot_mean_us": microseconds,
        "tpot_mean": microseconds, "link_beats": 1, "counter.miss": 1, "hit_rate": 0.5, "link_bytes_per_token": 2e6,
        "scale": 4, "to_scale": True,
    }  # fmt: skip
    return found | changes


ROWS = [row("none", 8, 20.0), row("st_moe", 8, 10.0), row("st_moe", 16, 5.0, scale=8)]


def test_the_best_points():
    table = best_table(ROWS, ["policy", "platform.slots"], 2)
    assert table.title == "the best 2 of 3 points by mean TPOT"
    columns_shown = [list(column.cells) for column in table.columns]
    assert columns_shown[:4] == [["st_moe", "st_moe"], ["16", "8"], ["5.0", "10.0"], ["-", "2.000"]]


def test_parameters_are_shown_by_the_column_that_says_them():
    assert shown_columns(["model.base", "tokens", "unit.slots"]) == ["model", "tokens_asked", "unit.slots"]


def test_what_must_be_read_with_it(tmp_path):
    spec, _, _ = points_in(write_sweep(tmp_path))
    lines = caption(ROWS, spec)
    assert lines[0] == "all figures modelled, by the cycle model; scale 4, 8, valid; warm-up left out"
    assert "NOT to scale at 1 points" in caption([*ROWS, row("none", 4, 1.0, to_scale=False)], spec)[0]
    assert "scale = 1" in lines[1] and "platform.slots" not in lines[1]
    assert [line.partition(" = ")[0] for line in lines[2:-1]] == list(FORMULAS)
