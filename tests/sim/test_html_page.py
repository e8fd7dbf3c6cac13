"""Does a page work from the file alone, and can no text in it break out of its place?"""

import importlib.util
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import altair as alt
import pytest
from moefetch.sim import html_page
from moefetch.sim.html_page import FigureText, HtmlPage
from moefetch.sim.trace_page import trace_page
from moefetch.sim.trace_report import trace_report
from moefetch.traces.errors import UserError

PROSE = Path(__file__).parents[2] / "traces" / "data" / "prose.parquet"


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of scripts, styles and the rest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.prose = [], [], []
        self._open = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open == "script":
            self.scripts[-1] += data
        elif self._open != "style":
            self.prose.append(data)


def small_page():
    page = HtmlPage("A <b>title</b>", "and </script> more")
    page.section("First", ["a line"])
    chart = alt.Chart(alt.Data(values=[{"x": 1, "name": "</script><img src=http://x.org>"}])).mark_point()
    page.plot(chart.encode(x="x:Q", color="name:N"), "a caption", [FigureText("rate", "measured", "hits / demand")])
    page.table(("name", "value"), [("<i>", "1")], "of the table", words=True)
    return page


@pytest.fixture(scope="module")
def pages():
    return {"small": small_page().render(), "trace": trace_page(trace_report(PROSE)).render()}


@pytest.mark.parametrize("name", ["small", "trace"])
def test_nothing_is_fetched(pages, name):
    found = Elements(pages[name])
    fetching = {"src", "href", "srcset", "data", "action", "poster", "background"}
    addresses = [
        (tag, value) for tag, attributes in found.elements for key, value in attributes.items() if key in fetching
    ]
    assert addresses == [("link", "data:,")]
    styles = "".join(re.findall(r"<style>(.*?)</style>", pages[name], re.DOTALL))
    assert "url(" not in styles
    assert "@import" not in styles
    policy = next(a["content"] for _, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"https?:", policy)
    # Of the three scripts the libraries hold addresses as names of namespaces; what is ours holds none.
    libraries, charts, ours = found.scripts
    assert "vegaEmbed" in libraries
    assert not re.search(r"^\s*import\s|\bimport\(", libraries)
    assert "//" not in ours
    assert not any("url" in spec.get("data", {}) for spec in json.loads(charts))
    if name == "trace":
        assert not re.search(r"https?:", charts)


def test_texts_and_data_stay_in_their_place(pages):
    found = Elements(pages["small"])
    assert "A <b>title</b>" in found.prose
    assert "and </script> more" in found.prose
    assert len(found.scripts) == 3
    assert json.loads(found.scripts[1])[0]["data"]["values"][0]["name"] == "</script><img src=http://x.org>"
    assert not {"i", "img"} & {tag for tag, _ in found.elements}
    for text in ("First", "a line", "a caption", "measured", "rate", ": hits / demand.", "of the table", "<i>"):
        assert text in found.prose


def test_every_plot_has_a_place(pages):
    found = Elements(pages["trace"])
    places = {a["id"] for tag, a in found.elements if tag == "div" and a.get("id", "").startswith("chart-")}
    assert places == {f"chart-{index}" for index in range(len(json.loads(found.scripts[1])))}
    assert len(places) == 6


def test_a_missing_package_is_named(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(html_page.importlib.util, "find_spec", lambda name: None if name == "altair" else real(name))
    with pytest.raises(UserError, match=r"HTML pages need the package altair: pip install 'moefetch\[report\]'"):
        HtmlPage("a", "b")


def test_a_browser_draws_every_plot_without_a_complaint(pages, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium: a browser shows whether the scripts run")
    file = tmp_path / "page.html"
    file.write_text(pages["trace"], encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--enable-logging=stderr"]
    words = [browser, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert "CONSOLE" not in result.stderr, [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    drawn = result.stdout.count('<svg xmlns="http://www.w3.org/2000/svg"')
    assert drawn == 6, result.stderr[-2000:]
