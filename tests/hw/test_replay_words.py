"""Do the trace words hold their fields from the least significant bit up, and refuse what does not fit?"""

import pytest
from moefetch.hw.config import UnitConfig
from moefetch.hw.replay_words import BEAT, HEADER, HINT, WORD_BITS, pack


def test_fields_from_the_least_significant_bit_up():
    assert pack(HEADER, n_beats=0x123, n_hints=0x155, layer=0xAB, sequence_start=1, step_first=0) == (
        0x123 | 0x155 << 12 | 0xAB << 22 | 1 << 30
    )
    assert pack(BEAT, expert=0xABC, score=0x5A, token_last=1) == 0xABC | 0x5A << 12 | 1 << 20
    assert pack(HINT, expert=0xABC, score=0x5A, layer=0xFF) == 0xABC | 0x5A << 12 | 0xFF << 20


@pytest.mark.parametrize("fields", [HEADER, BEAT, HINT])
def test_each_field_keeps_to_its_bits(fields):
    assert sum(fields.values()) <= WORD_BITS
    low = 0
    for name, width in fields.items():
        word = pack(fields, **{other: (1 << width) - 1 if other == name else 0 for other in fields})
        assert word == ((1 << width) - 1) << low
        low += width
        for value in (-1, 1 << width):
            with pytest.raises(ValueError, match=f"{name} = {value}: must be 0 to {(1 << width) - 1} in a replay"):
                pack(fields, **dict.fromkeys(fields, 0) | {name: value})


def test_every_unit_fits():
    largest = UnitConfig(max_layers=256, max_experts=512)
    for fields in (BEAT, HINT):
        assert fields["expert"] >= largest.expert_bits
    assert HEADER["layer"] >= largest.layer_bits and HINT["layer"] >= largest.layer_bits
