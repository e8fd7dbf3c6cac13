"""The result in README.md: `python docs/results.py` writes it from the reports of the last `make sim`."""

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "build" / "regress" / "verilator"
README = ROOT / "README.md"
PLACE = re.compile(r"(<!-- result of make sim -->\n).*(<!-- end of result -->)", re.DOTALL)
POLICIES = ("none", "st_moe_paper", "st_moe", "hints")
HEADING = ("trace", "policy", "TPOT, cycles", "TPOT, us", "hit", "late", "miss", "accuracy", "coverage",
           "link bytes / token", "exposed stall, cycles")  # fmt: skip
LABELS = ("", "", "simulated", "modelled", "simulated", "simulated", "simulated", "simulated", "simulated",
          "simulated", "modelled")  # fmt: skip
WORKLOAD = ("attention_cycles", "step_cycles", "expert_cycles", "expert_bytes")
"""What the presets gave the run; a test compares it with what they give now."""


def documents() -> list[dict[str, Any]]:
    """Return the reports, trace by trace, in the order of POLICIES."""
    paths = [trace / policy / "report.json" for trace in sorted(REPORTS.glob("*")) for policy in POLICIES]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def row(document: dict[str, Any]) -> list[str]:
    """Return the cells of one report."""
    counters = document["counters"]

    def figure(name: str, form: str) -> str:
        value = document["derived"][name]["value"]
        return "-" if value is None else format(value, form)

    return [
        Path(document["trace"]["path"]).stem, f"`{document['config']['policy']}`", figure("tpot_mean", ",.0f"),
        figure("tpot_mean_us", ".1f"), *(f"{counters[name]:,}" for name in ("hit", "late", "miss")),
        figure("accuracy", ".1%"), figure("coverage", ".1%"), figure("link_bytes_per_token", ",.0f"),
        figure("exposed_stall", ",.0f"),
    ]  # fmt: skip


def section(found: list[dict[str, Any]]) -> str:
    """Return the table with what it was made of."""
    lines = [HEADING, ["---"] * 2 + ["---:"] * (len(HEADING) - 2), [f"*{label}*" if label else "" for label in LABELS]]
    body = "\n".join("| " + " | ".join(line) + " |" for line in [*lines, *map(row, found)])
    first = found[0]
    work = {name: value for name, value in first["config"]["workload"].items() if name in WORKLOAD}
    config, golden = first["config"], [document["golden"] for document in found]
    hashes = {Path(d["trace"]["path"]).name: d["trace"]["content_sha256"][:12] for d in found}
    events, records = sum(g["events"] for g in golden), sum(g["records"] for g in golden)
    words, wrong = sum(g["words_checked"] for g in golden), sum(g["wrong_words"] for g in golden)
    return (
        f"{body}\n\nCommand: `make sim`. First {first['steps']} decode steps of each trace, model "
        f"`{config['model']}` on platform `{config['platform']}`, scale {config['scale']['factor']} "
        f"({config['scale']['statement']}), {config['settings']['n_slots']} slots, unit {config['unit_digest']}, "
        f"{', '.join(f'`{name}` {work[name]:,}' for name in WORKLOAD)}, "
        f"{first['engine']['name']} {first['versions']['verilator']}. Traces: "
        + ", ".join(f"`{name}` {digest}" for name, digest in hashes.items())
        + f". Checked by the golden model: {events:,} events, {records:,} records, "
        f"{sum(g['mismatches'] for g in golden)} mismatches; {words:,} words read back, {wrong} wrong.\n"
    )


def main() -> int:
    """Write the section; status 1 if there are no reports."""
    found = documents()
    if not found:
        print(f"error: {REPORTS}: no reports: run `make sim` first", file=sys.stderr)
        return 1
    text = README.read_text(encoding="utf-8")
    README.write_text(PLACE.sub(lambda place: place[1] + section(found) + place[2], text), encoding="utf-8")
    print(f"{README}: {len(found)} reports")
    return 0


if __name__ == "__main__":
    sys.exit(main())
