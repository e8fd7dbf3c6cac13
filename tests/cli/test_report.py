"""Does `moefetch report` make a page of what `moefetch compare` wrote, and say in one line what is wrong?"""

import json
import shutil

import pytest
from moefetch.cli.main import app
from moefetch.sim.compare_detail import detail_of
from typer.testing import CliRunner

from ..sim.model_in_python import measured, observed
from ..sim.replay_fixtures import write_specs, write_toy_trace


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a folder with a trace and, in `out`, what `moefetch compare` wrote of it."""
    folder = tmp_path_factory.mktemp("written")
    model, platform = write_specs(folder)
    trace = write_toy_trace(folder / "toy.parquet", tokens=6, sequences=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moefetch.cli.compare.measure_on_model", measured)
        patch.setattr("moefetch.cli.compare.detail_of", lambda runs: detail_of(runs, observed))
        run("compare", trace, "--model", model, "--platform", platform, "--out", folder / "out", "--scale", 1)
    return folder


@pytest.fixture
def folder(written, tmp_path, monkeypatch):
    """Return a copy of it; cache sizes are two."""
    copy = tmp_path / "copy"
    shutil.copytree(written, copy)
    path = copy / "out" / "compare.json"
    path.write_text(path.read_text().replace(str(written), str(copy)))
    monkeypatch.setattr("moefetch.cli.report.measure_on_model", measured)
    monkeypatch.setattr("moefetch.sim.cache_sizes.SHARES", (1, 2))
    return copy


def run(*arguments, status=0):
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})
    assert result.exit_code == status, result.output
    return result


def test_a_comparison_becomes_a_page_with_its_cache_sizes(folder, tmp_path):
    result = run("report", folder / "out", "--images", tmp_path / "charts")
    text = (folder / "out" / "report.html").read_text()
    assert "The best prefetching policy of a unit is" in text
    assert "tpot_mean_us" in text
    (sizes,) = json.loads((folder / "out" / "cache-sizes.json").read_text())
    assert len(sizes["points"]) == 2 * 5
    assert (tmp_path / "charts" / "speed-up.svg").exists()
    assert (tmp_path / "charts" / "hit-rate-by-cache-size.svg").exists()
    assert "charts to" in result.stdout


def test_sizes_that_are_known_are_not_replayed_and_missing_ones_are(folder, tmp_path, monkeypatch):
    run("report", folder / "out")
    path, replayed = folder / "out" / "cache-sizes.json", []
    document = json.loads(path.read_text())
    kept = document[0]["points"][:-2]
    path.write_text(json.dumps([{**document[0], "points": kept}]))

    def counted(job, measure):
        replayed.append(job)
        return measured(job, measure)

    monkeypatch.setattr("moefetch.cli.report.measure_on_model", counted)
    run("report", folder / "out", "--out", tmp_path / "page.html")
    assert len(replayed) == 2
    assert json.loads(path.read_text()) == document
    assert (tmp_path / "page.html").exists()


def test_without_its_trace_the_page_says_what_is_missing(folder):
    trace = folder / "toy.parquet"
    trace.unlink()
    result = run("report", folder / "out")
    assert f"note: {trace}: is not there: other cache sizes are left out" in result.stderr
    assert "No data: the replays at other cache sizes were left out" in (folder / "out" / "report.html").read_text()


def test_another_trace_of_that_name_is_refused(folder):
    write_toy_trace(folder / "toy.parquet", tokens=10, sequences=2)
    result = run("report", folder / "out", status=2)
    assert result.stderr.startswith(f"error: {folder / 'toy.parquet'}: is not the trace of")


def test_a_folder_without_a_comparison_is_named(tmp_path):
    result = run("report", tmp_path, status=2)
    assert result.stderr.startswith(f"error: {tmp_path}: no compare.json: moefetch compare TRACE")
