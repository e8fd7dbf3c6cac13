"""Does a report hold what it promises, with a label for every figure, and appear whole or not at all?"""

import csv
import json

import pytest
from moefetch.hw.counter_names import COUNTERS, LAWS
from moefetch.sim.figure import LABELS
from moefetch.sim.golden.laws import LawBroken
from moefetch.sim.jobs import build_jobs
from moefetch.sim.metrics import FIGURES
from moefetch.sim.policies import POLICIES, PolicyOptions
from moefetch.sim.report import ReplayReport, require_writable
from moefetch.traces.errors import UserError
from rich.console import Console

from .replay_fixtures import fake_result
from .test_jobs import plan_of


def report_of(tmp_path, *names):
    plan = plan_of(tmp_path, tokens=6)
    jobs = build_jobs(plan, [POLICIES[name] for name in names or POLICIES], PolicyOptions())
    return ReplayReport(plan, [fake_result(job) for job in jobs])


def test_one_policys_report_has_the_promised_keys(tmp_path):
    written = report_of(tmp_path, "st_moe").write(tmp_path / "out")
    assert [path.name for path in written] == ["report.json", "report.csv"]
    document = json.loads(written[0].read_text())
    assert {"config", "trace", "engine", "tokens", "counters", "cycles", "derived", "golden"} <= document.keys()
    assert document["tokens"] == document["steps"] == 6
    assert document["counters"].keys() == COUNTERS.keys() | {"timely"}
    assert document["cycles"].keys() == {"total", *LAWS["cycles"]}
    assert document["cycles"]["total"] == sum(document["cycles"][name] for name in LAWS["cycles"])
    assert document["golden"]["events"] == 18
    assert document["golden"]["mismatches"] == 0
    config = document["config"]
    assert (config["policy"], config["scale"]["factor"], config["scale"]["statement"]) == ("st_moe", 1, "real size")
    assert "are among them" in config["profile"]


def test_every_figure_is_labelled(tmp_path):
    document = report_of(tmp_path, "st_moe").documents()["st_moe"]
    assert document["derived"].keys() == {figure.name for figure in FIGURES}
    for figure in document["derived"].values():
        assert figure["label"] in LABELS
        assert figure["formula"]
        assert figure["unit"]
    for part, label in document["labelled"].items():
        place = document
        for key in part.split("."):
            place = place[key]
        assert label in LABELS


def test_several_policies_have_a_folder_each_and_a_row_each(tmp_path):
    out = tmp_path / "out"
    report_of(tmp_path).write(out)
    documents = {name: json.loads((out / name / "report.json").read_text()) for name in POLICIES}
    assert {name: document["config"]["policy"] for name, document in documents.items()} == {n: n for n in POLICIES}
    with (out / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["policy"] for row in rows] == list(POLICIES)
    for row in rows:
        document = documents[row["policy"]]
        assert int(row["miss"]) == document["counters"]["miss"]
        assert int(row["total_cycles"]) == document["cycles"]["total"]
        coverage = document["derived"]["coverage"]["value"]
        assert float(row["coverage"]) == pytest.approx(coverage)
    assert float(rows[0]["coverage"]) == 0
    assert float(rows[2]["coverage"]) > 0


def test_coverage_needs_the_run_without_prefetch(tmp_path):
    document = report_of(tmp_path, "st_moe").documents()["st_moe"]
    assert document["derived"]["coverage"]["value"] is None
    assert document["derived"]["traffic_ratio"]["value"] is None


def test_the_table_has_a_row_for_each_policy(tmp_path):
    report = report_of(tmp_path)
    console = Console(width=200, record=True, file=(tmp_path / "table").open("w"))
    console.print(report.table())
    text = console.export_text()
    for name in POLICIES:
        assert f" {name} " in text
    for heading in ("tokens", "cycles", "TPOT", "hit", "late", "miss", "accuracy", "coverage", "timeliness", "stall"):
        assert heading in text
    caption = " ".join(report.caption())
    assert "0 mismatches" in caption
    assert "of the 6 replayed tokens" in caption


def test_a_broken_law_is_no_report(tmp_path):
    report = report_of(tmp_path, "none")
    report.results[0].counters["hit"] += 1
    with pytest.raises(LawBroken, match="demand = "):
        ReplayReport(report.plan, report.results)


def test_a_report_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    out = tmp_path / "out"
    report_of(tmp_path, "none").write(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("moefetch.sim.report.json.dumps", fail)
    with pytest.raises(KeyboardInterrupt):
        report_of(tmp_path, "none").write(out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_output_that_cannot_be_a_folder_is_named_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "deep" / "er"):
        with pytest.raises(UserError, match="is a file: the output must be a folder"):
            require_writable(out)
    require_writable(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
