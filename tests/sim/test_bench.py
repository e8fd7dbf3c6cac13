"""Are rates what cycles and seconds give, and is the run that may build left out?"""

import subprocess
import sys
from types import SimpleNamespace

from moefetch.sim.bench import Measurement, bench_document, measure

BURN = "for _ in range(20): sum(range(1_000_000))"


def test_first_run_does_not_count_and_child_processes_do():
    calls = []

    def replay():
        subprocess.run([sys.executable, "-c", BURN], check=True)
        calls.append(None)
        return SimpleNamespace(cycles=len(calls), wall_seconds=1.0)

    found = measure(replay, 2)
    assert [run.cycles for run in found] == [2, 3]
    assert all(0.05 < run.cpu_seconds < 5 for run in found)


def test_document_has_the_medians():
    runs = [Measurement(1000, 4.0, 2.0), Measurement(1000, 2.0, 1.0), Measurement(1000, 1.0, 0.5)]
    document = bench_document(runs, what={"unit": "tiny"}, command="moefetch bench rtl")
    assert document["cycles_per_second"] == 500
    assert document["cycles_per_cpu_second"] == 1000
    assert [run["wall_seconds"] for run in document["runs"]] == [4.0, 2.0, 1.0]
    assert document["machine"]
