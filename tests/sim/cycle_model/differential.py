"""The cycle model against the RTL: run both on a job, compare everything, and shrink a job on which they differ."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from moefetch.sim.cycle_model import compare
from moefetch.sim.replay_events import ReplayEvent
from moefetch.sim.replay_result import ReplayJob, ReplayResult
from moefetch.sim.rtl_engine import run_rtl
from moefetch.sim.rtl_replay import emit_harness

BUILDS = Path("build") / "simulators"
Compare = Callable[[ReplayJob, ReplayResult, str], str]


def difference(
    job: ReplayJob, folder: Path, *, verilog: Path | None = None, compare: Compare = compare.difference
) -> str:
    """Return how model and RTL differ on a job, empty if they agree in every cycle, counter and statistic."""
    rtl = run_rtl(
        job,
        simulator="native",
        build_root=BUILDS.resolve(),
        work_dir=folder,
        verilog=verilog or emit_harness(job.unit).resolve(),
    )
    return compare(job, rtl, (folder / "commits.log").read_text())


def shrink(job: ReplayJob, differs: Callable[[ReplayJob], str]) -> tuple[ReplayJob, str]:
    """Return the smallest job found on which `differs` still tells a difference, and that difference."""
    told = differs(job)
    going = True
    while going:
        going = False
        for smaller in _smaller(job):
            found = differs(smaller)
            if found:
                job, told, going = smaller, found, True
                break
    return job, told


def _smaller(job: ReplayJob) -> Iterator[ReplayJob]:
    """Yield simpler jobs: fewer events, fewer beats and hints, then simpler settings and workload."""
    count = len(job.events)
    size = count // 2
    while size:
        yield replace(job, events=job.events[:-size])
        yield replace(job, events=_sound(job.events[size:]))
        size //= 2
    for place, event in enumerate(job.events):
        for part in ("hints", "beats"):
            items = getattr(event, part)
            if len(items) > (part == "beats"):
                fewer = event._replace(**{part: items[:-1]})
                yield replace(job, events=[*job.events[:place], _closed(fewer), *job.events[place + 1 :]])
    for name, simple in SIMPLE_SETTINGS.items():
        if job.settings[name] != simple:
            yield replace(job, settings=job.settings | {name: simple})
    for name, simple in SIMPLE_WORKLOAD.items():
        if getattr(job.workload, name) != simple:
            yield replace(job, workload=job.workload.model_copy(update={name: simple}))


SIMPLE_SETTINGS = {
    "hints_first": 0, "victim_policy": 0, "abort_policy": 0, "evict_at_event_end": 0, "min_score": 2, "hold_cycles": 0,
    "budget": 1,
}  # fmt: skip
SIMPLE_WORKLOAD = {
    "attention_cycles": 0, "step_cycles": 0, "latency_cycles": 1, "cycles_per_beat": 1, "background_period": 0,
}  # fmt: skip


def _sound(events: list[ReplayEvent]) -> list[ReplayEvent]:
    """Return events whose first one begins a step."""
    return [events[0]._replace(step_first=True), *events[1:]]


def _closed(event: ReplayEvent) -> ReplayEvent:
    """Return the event with its last beat ending a token."""
    return event._replace(beats=(*event.beats[:-1], event.beats[-1]._replace(token_last=True)))


def describe(job: ReplayJob) -> str:
    """Return what makes up a job, for a report."""
    events = "\n".join(f"  {event}" for event in job.events)
    return f"{job.name}: predictor {job.predictor}, settings {job.settings}\nworkload {job.workload}\n{events}"
