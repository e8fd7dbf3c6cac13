"""Is what the charts draw what the comparison found?"""

from dataclasses import replace

import pytest
from moefetch.sim.html_report import link_charts, prefetch_charts, time_charts
from moefetch.sim.html_report.folder import read_folder
from moefetch.sim.measured_run import BUCKETS

from .compared_folder import FEW, POINTS, write_folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts")
    write_folder(folder)
    return read_folder(folder)[0]


def test_speed_up_bars(compared):
    rows = {row["policy"]: row for row in time_charts.speed_up_rows(compared)}
    assert list(rows) == [*FEW, "all_resident", "roofline"]
    assert rows["st_moe"]["speed_up"] == compared.value("st_moe", "speed_up")
    assert [rows["st_moe"]["low"], rows["st_moe"]["high"]] == compared.interval("st_moe", "speed_up")
    for name in FEW:
        if compared.policies[name]["verdict"] == "LOSES":
            assert rows[name]["kind"] == "prefetches and LOSES"
    assert rows["oracle"]["kind"] == "knows the future"
    limit = compared.document["limits"]["all_resident"]["tpot_mean"]
    assert rows["all_resident"]["speed_up"] == pytest.approx(compared.value("none", "tpot_mean") / limit)


def test_stacks_add_up_to_the_time_of_a_step(compared):
    rows = time_charts.stack_rows(compared)
    assert {row["bucket"] for row in rows} == set(BUCKETS)
    for name in FEW:
        total = sum(row["us"] for row in rows if row["policy"] == name)
        assert total == pytest.approx(compared.value(name, "tpot_mean_us"))


def test_cache_sizes_are_in_token_cycles(compared):
    rows = time_charts.size_rows(compared)
    assert len(rows) == len(POINTS)
    assert {row["cycles"] for row in rows} == {0.5, 1, 4}


def test_points_are_of_policies_that_prefetched_and_name_all_that_lie_together(compared):
    rows = prefetch_charts.accuracy_rows(compared)
    named = [name for row in rows for name in row["policy"].split(", ")]
    assert sorted(named) == sorted(
        name for name in FEW if compared.policies[name]["prefetches"] and compared.value(name, "accuracy") is not None
    )
    points = [("a", 0.5), ("b", 0.501), ("c", 0.6)]
    merged = prefetch_charts.merged([{"policy": name, "x": x, "y": 0.5} for name, x in points], 1, 1)
    assert [row["policy"] for row in merged] == ["a, b", "c"]


def test_slack_shares_add_up(compared):
    rows = prefetch_charts.slack_rows(compared)
    for name in {row["policy"] for row in rows}:
        assert sum(row["share"] for row in rows if row["policy"] == name) == pytest.approx(1)
    assert all((row["when"] == "late") == (row["from"] < 0) for row in rows)


def test_layers_are_the_whole_replays(compared):
    rows = prefetch_charts.layer_rows(compared)
    assert len(rows) == 3 * len(FEW)
    layers = compared.detail["policies"]["st_moe"]["layers"]
    assert rows[3 * FEW.index("st_moe")]["hit"] == layers[0]["hit"] / layers[0]["demand"]


def test_nothing_that_can_be_built_beats_the_front(compared):
    rows = prefetch_charts.front_rows(compared)
    built = [row for row in rows if row["kind"] == "can be built"]
    front = [row for row in built if row["front"]]
    assert front
    assert not any(row["front"] for row in rows if row["kind"] != "can be built")
    for row in built:
        beaten = any(other["x"] <= row["x"] and other["y"] <= row["y"] and other is not row for other in front)
        assert row["front"] or beaten


def test_the_links_time_is_all_there(compared):
    rows = link_charts.link_rows(compared)
    assert {row["policy"] for row in rows} == set(compared.shown)
    assert all(0 < row["share"] <= 1.5 for row in rows)
    none = {row["part"] for row in rows if row["policy"] == "none"}
    assert none <= {"demand", "background traffic"}


def test_a_tokens_bars_have_a_row_and_a_colour(compared):
    for policy in compared.shown:
        rows = link_charts.token_rows(compared, policy)
        assert rows
        assert {row["what"] for row in rows} <= link_charts.WHAT_COLOURS.keys()
        assert all(row["end"] >= row["start"] >= 0 for row in rows)


def test_without_detail_there_are_no_rows(compared):
    bare = replace(compared, detail=None)
    for rows in (prefetch_charts.slack_rows, prefetch_charts.layer_rows, link_charts.link_rows):
        assert rows(bare) == []
    assert link_charts.token_rows(bare, "none") == []
    assert prefetch_charts.energy_rows(bare) == []  # the toy platform has no prices
