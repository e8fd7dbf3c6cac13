"""Does the replay memory's content tell every address from its neighbours, near and far?"""

import pytest
from moefetch.hw.replay_pattern import pattern, pattern_bytes


def test_words_differ_with_low_and_with_high_bits():
    low = {pattern(7 << 40 | address) for address in range(0, 1 << 16, 4)}
    assert len(low) == 1 << 14
    for bit in range(2, 64):
        assert pattern(1 << bit) != pattern(0), f"bit {bit}"
    assert len({pattern(high << 34 | 64) for high in range(1 << 12)}) == 1 << 12


def test_words_worked_out_with_a_c_program():
    assert [pattern(a) for a in (0, 4, 0x123456789ABCDEF0)] == [0x9E3779B9, 0x24234424, 0xDFCFC81A]


def test_bytes_at_any_alignment():
    whole = pattern_bytes(4096, 64)
    assert len(whole) == 64
    for start in range(9):
        for length in range(9):
            assert pattern_bytes(4096 + start, length) == whole[start : start + length]


def test_an_unaligned_word_is_refused():
    with pytest.raises(ValueError, match="address = 0x6: must be a multiple of 4"):
        pattern(6)
