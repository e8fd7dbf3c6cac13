"""How often a prediction's rows are on chip, by the cache's size and order: `python docs/row_hits.py TRACE [TOKENS]`.

The rows are those that the default `weight_sources` name; docs/table-paging.md has what it prints.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.markdown import table
from moefetch.sim.event_columns import event_columns
from moefetch.sim.planning import read_trace

RULES = UNIT_PRESETS["default"].weight_rules
WAYS = (2, 4, 8, 16)
Row = tuple[int, int, int]
"""Layer, source, expert."""


def rows_of_events(path: Path, tokens: int) -> Iterator[list[Row]]:
    """Yield the rows that each event's prediction reads, source by source."""
    trace = read_trace(path, None)
    n_layers = trace.meta.n_layers
    latest: dict[int, list[int]] = {}
    for event in event_columns(trace, tokens=tokens):
        members = list(dict.fromkeys(beat.expert for beat in event.beats))
        if event.sequence_start:
            latest = {}
        target = (event.layer + 1) % n_layers
        rows: list[Row] = []
        for place, source in enumerate(RULES.sources):
            layer = (target - source[0]) % n_layers
            named = members if source == RULES.own else [] if layer == event.layer else latest.get(layer, [])
            rows += [(target, place, expert) for expert in named]
        latest[event.layer] = members
        yield rows


def hit_rate(events: Sequence[list[Row]], rows: int, *, set_of: Callable[[Row], object], lru: bool) -> float:
    """Return the share of rows found in sets of `rows` each; an event's own rows give way last."""
    sets: dict[object, OrderedDict[Row, None]] = {}
    hits = total = 0
    for event in events:
        needed = set(event)
        for row in event:
            held = sets.setdefault(set_of(row), OrderedDict())
            total += 1
            if row in held:
                hits += 1
                if lru:
                    held.move_to_end(row)
                continue
            if len(held) == rows:
                held.pop(next((old for old in held if old not in needed), next(iter(held))))
            held[row] = None
    return hits / total


def main() -> None:
    """Print the table of a trace."""
    path, tokens = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 600
    events = list(rows_of_events(path, tokens))
    sets = len({row[:2] for event in events for row in event})
    rows = []
    for ways in WAYS:
        own = (hit_rate(events, ways, set_of=lambda row: row[:2], lru=lru) for lru in (False, True))
        shared = hit_rate(events, ways * sets, set_of=lambda row: None, lru=True)
        rows.append((ways, *(f"{rate:.1%}" for rate in (*own, shared))))
    heading = (
        "rows for each layer and source",
        "a set each, FIFO (built)",
        "a set each, LRU",
        "one cache of as many, LRU",
    )
    print(table(heading, rows))


if __name__ == "__main__":
    main()
