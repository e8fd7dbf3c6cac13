"""What the replay memory holds: a pure function of the address, in Python as in `replay_memory`.

The 32-bit word at byte address `a`, a multiple of 4, is `xorshift32((a >> 2) ^ swap(a >> 34) ^ SALT)` on 32 bits,
where `swap` exchanges the two halves of a word and `xorshift32` is Marsaglia's bijection with shifts 13, 17 and 5
(Journal of Statistical Software 8(14), 2003). So two words differ if their addresses differ only in the low 34 bits,
and if they differ only in the bits above. Words lie in memory little-endian.
"""

WORD_BYTES = 4
WORD_MASK = 0xFFFFFFFF
SALT = 0x9E3779B9
"""Keeps word 0 from being 0."""


def pattern(address: int) -> int:
    """Return the 32-bit word at byte address `address`, which must be a multiple of 4."""
    if address % WORD_BYTES:
        raise ValueError(f"address = {address:#x}: must be a multiple of {WORD_BYTES}")
    low, high = address >> 2 & WORD_MASK, address >> 34 & WORD_MASK
    word = low ^ (high << 16 | high >> 16) & WORD_MASK ^ SALT
    word ^= word << 13 & WORD_MASK
    word ^= word >> 17
    return word ^ word << 5 & WORD_MASK


def pattern_bytes(address: int, length: int) -> bytes:
    """Return `length` bytes of the memory from `address` on; any alignment."""
    start = address - address % WORD_BYTES
    words = range(start, address + length, WORD_BYTES)
    held = b"".join(pattern(where).to_bytes(WORD_BYTES, "little") for where in words)
    return held[address - start : address - start + length]
