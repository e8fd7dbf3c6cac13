"""Does the page say the verdict, hold every chart or the reason why not, and need no network?"""

import json
import re

import pytest
from moefetch.sim.html_report.folder import read_folder
from moefetch.sim.html_report.images import file_name, write_images
from moefetch.sim.html_report.page import report_page
from moefetch.sim.html_report.verdict import verdict_lines

from .compared_folder import write_folder


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_folder(folder)
    return read_folder(folder)


@pytest.fixture(scope="module")
def text(comparisons):
    return report_page(comparisons).render()


def charts(text):
    return json.loads(re.search(r'id="charts">(.*?)</script>', text, re.DOTALL)[1])


def test_the_verdict_is_in_words_and_comes_first(comparisons, text):
    lines = verdict_lines(comparisons[0])
    assert lines[0].startswith(f"The best prefetching policy of a unit is {comparisons[0].best}: ")
    assert "speed-up" in lines[0]
    assert any("LOSES" in line or "No prefetching policy loses" in line for line in lines)
    assert text.index("Verdict") < text.index('id="chart-0"')


def test_every_chart_is_there_with_its_formula(text):
    assert len(charts(text)) == 12
    for heading in ("Verdict", "Time", "Cache size", "What was prefetched", "The link and one token", "What it costs"):
        assert f"<h2>{heading}</h2>" in text
    for name in ("speed_up", "hit_rate", "accuracy", "coverage", "slack", "link use", "timeline", "tpot_mean_us"):
        assert f"<b>{name}</b>" in text
    assert "No data: the platform does not say what it is built of" in text


def test_the_page_needs_no_network(text):
    body = re.sub(r'<script type="module">.*?</script>', "", text, flags=re.DOTALL)
    assert "http:" not in body
    assert "https:" not in body
    assert "default-src 'none'" in text


def test_what_is_missing_is_said(tmp_path):
    write_folder(tmp_path, detail=False, points=False)
    text = report_page(read_folder(tmp_path)).render()
    assert text.count("No data: this folder has no detail.json") == 2
    assert "No data: the replays at other cache sizes were left out" in text
    assert len(charts(text)) == 4


@pytest.mark.parametrize("form", ["svg", "png"])
def test_every_chart_is_a_file_too(comparisons, tmp_path, form):
    page = report_page(comparisons)
    written = write_images(page, tmp_path / "charts", form)
    assert len(written) == len(page.named_charts) == 12
    assert file_name("speed-up (a b.parquet)") == "speed-up-a-b.parquet"
    start = b"<svg" if form == "svg" else b"\x89PNG"
    assert all(path.read_bytes().startswith(start) and path.suffix == f".{form}" for path in written)
