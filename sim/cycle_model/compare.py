"""The model's verdict on an RTL replay: are they equal in every cycle, counter and statistic?"""

from ..replay_result import ReplayJob, ReplayResult
from .engine import result_of
from .timeline import first_difference, timeline_of_log, timeline_of_model

FIELDS = ("cycles", "step_cycles", "events", "records", "statistics")


def difference(job: ReplayJob, rtl: ReplayResult, log: str) -> str:
    """Return how the model's replay of a job differs from the RTL's and its log, empty if they are equal.

    Timelines that part are shown around that place; else the counters and figures that differ are named.
    """
    timeline, machine = timeline_of_model(job)
    parted = first_difference(timeline_of_log(log, job.unit), timeline)
    if parted:
        return parted
    model = result_of(job, machine, 0.0)
    lines = [
        f"counter {name}: RTL {value}, model {model.counters[name]}"
        for name, value in rtl.counters.items()
        if model.counters[name] != value
    ]
    for field in FIELDS:
        one, other = getattr(rtl, field), getattr(model, field)
        if one != other:
            lines.append(f"{field}: RTL {one}, model {other}")
    return "\n".join(lines)
