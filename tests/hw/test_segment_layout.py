"""Are an expert's pieces where its layer's segments say, and are segments that no unit takes named?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.segment_layout import Segment, expert_pieces, segment_words

CONFIG = UNIT_PRESETS["tiny"].replace(segments=3)


def test_pieces_of_an_expert():
    segments = [Segment(0x1000, 0x100, 0x80), Segment(0x9000, 0x40, 0), Segment(0x5000, 0, 0x20)]
    assert expert_pieces(segments, 3) == [(0x1300, 0x80), (0x5000, 0x20)]


def test_words_of_a_segment():
    assert segment_words(CONFIG, Segment(0xFEDC_BA98_7654_3210, 0xFFFF_FFFC, 512)) == [
        0x7654_3210, 0xFEDC_BA98, 0xFFFF_FFFC, 128,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"base": 2}, "base = 0x2: must be a multiple of bus_bytes = 4, 0 to 0xffffffffffffffff"),
        ({"base": -4}, "base = -0x4: must be"),
        ({"base": 1 << 64}, "base = 0x10000000000000000: must be"),
        ({"stride": 1 << 32}, "stride = 0x100000000: must be a multiple of bus_bytes = 4, 0 to 0xffffffff"),
        ({"length": 516}, "length = 0x204: must be a multiple of bus_bytes = 4, 0 to 0x200"),
        ({"length": 7}, "length = 0x7: must be"),
    ],
)
def test_what_no_unit_takes_is_named(changes, line):
    with pytest.raises(ValueError) as caught:
        segment_words(CONFIG, Segment(0, 0, 0)._replace(**changes))
    assert line in str(caught.value)
