"""Does a comparison say in words where prefetching loses, fit the terminal, and write its files whole?"""

import csv
import json
from io import StringIO

import pytest
from moefetch.sim.bootstrap import SEED
from moefetch.sim.compare import MEANINGS
from moefetch.sim.compare_report import caption, sentences, tables, write_comparisons
from rich.console import Console

from .model_in_python import comparison_of
from .replay_fixtures import toy_trace
from .test_jobs import plan_of

FEW = ("none", "st_moe_paper", "previous_token", "oracle")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    plan = plan_of(tmp_path_factory.mktemp("compare"), toy_trace())
    return comparison_of(plan, 4, FEW)


def test_the_tables_fit_80_columns(comparison):
    console = Console(width=80, record=True, file=StringIO())
    for table in tables(comparison):
        console.print(table)
    text = console.export_text()
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for name in (*FEW, "all_resident", "roofline", "link", "queue", "coverage", "accuracy", "timeliness"):
        assert name in text


def test_a_loss_is_said_in_words(comparison):
    assert comparison.row("st_moe_paper").verdict == "LOSES"
    text = "\n".join(sentences(comparison))
    assert "Prefetching LOSES with st_moe_paper: " in text
    assert "more cycles a step than none" in text
    assert "times the link bytes" in text
    assert "with oracle" not in text


def test_no_loss_is_said_too(tmp_path):
    comparison = comparison_of(plan_of(tmp_path, toy_trace(tokens=12, sequences=3)), 2, ("none", "oracle"))
    assert sentences(comparison) == ["No prefetching policy loses against none here."]


def test_the_caption_states_warm_up_seed_and_formulas(comparison, tmp_path):
    text = "\n".join(caption(comparison))
    assert "the first 4 decode steps are replayed and left out" in text
    assert "of the 36 steps after them" in text
    assert f"4 sequences, 1000 resamples, seed {SEED}" in text
    assert MEANINGS["gap_closed"].formula in text
    single = comparison_of(plan_of(tmp_path, toy_trace(tokens=8, sequences=1)), 2, ("none", "oracle"))
    assert "no intervals: the measured steps are of one sequence" in caption(single)


def test_json_and_csv_say_the_same(comparison, tmp_path):
    written = write_comparisons([comparison, comparison], tmp_path / "out")
    assert [path.name for path in written] == ["compare.json", "compare.csv"]
    document = json.loads(written[0].read_text())
    first = document["comparisons"][0]
    assert document["figures"]["speed_up"]["formula"] == MEANINGS["speed_up"].formula
    assert (first["warm_up_steps"], first["steps"], first["sequences"]) == (4, 36, 4)
    with written[1].open() as file:
        rows = list(csv.DictReader(file))
    assert [row["policy"] for row in rows] == [*FEW, *FEW]
    for row in rows[: len(FEW)]:
        found = first["policies"][row["policy"]]
        assert float(row["speed_up"]) == found["figures"]["speed_up"]["value"]
        assert [float(row["speed_up_low"]), float(row["speed_up_high"])] == found["figures"]["speed_up"]["interval"]
        assert row["verdict"] == found["verdict"]
        assert float(row["stall_link_cycles_per_step"]) == found["stack"]["stall_link"]


def test_files_are_replaced_whole_or_not_at_all(comparison, tmp_path, monkeypatch):
    write_comparisons([comparison], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("moefetch.sim.compare_report.json.dumps", fail)
    with pytest.raises(KeyboardInterrupt):
        write_comparisons([comparison], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
