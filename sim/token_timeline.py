"""One decode step of an observed replay as bars: what each layer's parts did when."""

from typing import NamedTuple

from ..hw.records import Kind
from .cycle_model import fields as f
from .cycle_model.observe import Observation
from .cycle_model.records import GRANT
from .link_use import first_beats
from .replay_result import ReplayJob
from .transfers import Transfer

ATTENTION, ROUTER, PREDICT, ISSUE, COMPUTE = "attention", "router", "predict", "wait for the link", "compute"


class Bar(NamedTuple):
    """What happened from cycle `start` to `end`, in the row of a `layer`; a transfer's row is that of its target."""

    what: str
    layer: int
    start: int
    end: int


class EventTimes(NamedTuple):
    """When an event closed, when its last candidate was named and when it ended, in cycles."""

    layer: int
    close: int
    predicted: int | None
    end: int


def token_bars(observation: Observation, transfers: list[Transfer], job: ReplayJob, first: int, last: int) -> list[Bar]:
    """Return the bars of events `first` to `last` - 1, a step's, in cycles from the end of the event before them.

    What began before that is cut, what ended before it is left out.
    """
    times = event_times(observation)
    origin = times[first - 1].end if first else 0
    bars = []
    for number in range(first, min(last, len(times))):
        begin = times[number - 1].end if number else 0
        bars += _event_bars(times[number], begin, job, step_first=bool(job.events[number].step_first))
    end = max(bar.end for bar in bars)
    bars += _transfer_bars(observation, transfers, range(first, last), end)
    bars += _compute_bars(observation, times, first, last)
    return [
        bar._replace(start=max(bar.start, origin) - origin, end=bar.end - origin) for bar in bars if bar.end > origin
    ]


def event_times(observation: Observation) -> list[EventTimes]:
    """Return the times of every event that ended."""
    found: list[EventTimes] = []
    layer, close, predicted = 0, 0, None
    for row in observation.log.tolist():
        cycle, kind = row[f.O_CYCLE], row[f.O_KIND]
        if kind == Kind.CLOSE:
            layer, close, predicted = row[f.O_LAYER], cycle, None
        elif kind == Kind.CANDIDATE:
            predicted = cycle
        elif kind == Kind.END:
            found.append(EventTimes(layer, close, predicted, cycle))
    return found


def _event_bars(times: EventTimes, begin: int, job: ReplayJob, *, step_first: bool) -> list[Bar]:
    attention = begin + job.workload.attention_cycles + (job.workload.step_cycles if step_first else 0)
    bars = [Bar(ATTENTION, times.layer, begin, attention), Bar(ROUTER, times.layer, attention, times.close)]
    if times.predicted is not None:
        bars.append(Bar(PREDICT, times.layer, times.close, times.predicted))
    return bars


def _transfer_bars(observation: Observation, transfers: list[Transfer], events: range, end: int) -> list[Bar]:
    """Return those of transfers for the step's events, from the issue to the first beat and from there to the slot."""
    starts, bars = first_beats(observation, transfers), []
    for place, transfer in enumerate(transfers):
        if transfer.target not in events or place not in starts or transfer.filled is None or transfer.issued > end:
            continue
        bars.append(Bar(ISSUE, transfer.layer, transfer.issued, starts[place]))
        bars.append(Bar(transfer.fate.value, transfer.layer, starts[place], transfer.filled))
    return bars


def _compute_bars(observation: Observation, times: list[EventTimes], first: int, last: int) -> list[Bar]:
    begin, end = times[first].close, times[min(last, len(times)) - 1].end
    granted: dict[tuple[int, int], tuple[int, int]] = {}
    bars = []
    for row in observation.log.tolist():
        key = (row[f.O_EXPERT], row[f.O_SLOT])
        if not begin <= row[f.O_CYCLE] <= end:
            continue
        if row[f.O_KIND] == GRANT:
            granted[key] = (row[f.O_LAYER], row[f.O_CYCLE])
        elif row[f.O_KIND] == Kind.RELEASE and key in granted:
            layer, start = granted.pop(key)
            bars.append(Bar(COMPUTE, layer, start, row[f.O_CYCLE]))
    return bars
