"""Does a real browser draw the whole page, without a word on its console?"""

import re
import shutil
import subprocess

import pytest
from moefetch.sim.html_report.folder import read_folder
from moefetch.sim.html_report.page import report_page

from .compared_folder import write_folder

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--enable-logging=stderr", "--virtual-time-budget=60000", "--dump-dom",
)  # fmt: skip


@pytest.mark.skipif(CHROMIUM is None, reason="chromium was not found: apt install chromium")
def test_every_chart_is_drawn_and_the_console_is_empty(tmp_path):
    write_folder(tmp_path)
    path = tmp_path / "report.html"
    page = report_page(read_folder(tmp_path))
    path.write_text(page.render(), encoding="utf-8")
    command = [str(CHROMIUM), *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    console = [line for line in found.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    drawn = re.findall(r'<div class="chart[^"]*" id="chart-\d+"[^>]*>.*?<svg', found.stdout, re.DOTALL)
    assert len(drawn) == len(page.named_charts) == 12
