"""Does the mismatch report show where two timelines part, and read the RTL's log?"""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.records import RECORD_FIELDS, Kind, Record

from .interpreted import interpreted
from .random_jobs import random_job

TIMELINE = interpreted("timeline")[0]


def word_of(record):
    word = shift = 0
    for value, width in zip(record, RECORD_FIELDS.values(), strict=True):
        word |= value << shift
        shift += width
    return word


def test_a_log_is_read_and_ordered_by_cycle():
    close = Record(Kind.CLOSE, 1, 2, 3, deadline=4)
    text = f"C 7 {word_of(close):028x}\nG 6 {1 | 5 << 2 | 3 << 5 | 2 << 8:x}\n"
    grant, record = TIMELINE.timeline_of_log(text, UNIT_PRESETS["tiny"])
    assert grant == (6, (1, 5, 3, 2))
    assert record == (7, close)
    assert "CLOSE" in str(record) and "grant taken MISS" in str(grant)


def test_timelines_part_where_a_cycle_differs():
    job = random_job(4, "tiny", most_events=12)
    timeline, _ = TIMELINE.timeline_of_model(job)
    assert TIMELINE.first_difference(timeline, timeline) == ""
    late = [entry._replace(cycle=entry.cycle + (place >= 20)) for place, entry in enumerate(timeline)]
    told = TIMELINE.first_difference(timeline, late).splitlines()
    assert "part at entry 20" in told[0]
    assert [line[0] for line in told[1:]] == ["="] * 12 + ["R"] * 6 + ["M"] * 6
    short = TIMELINE.first_difference(timeline, timeline[:5])
    assert "M (ends here)" in short
