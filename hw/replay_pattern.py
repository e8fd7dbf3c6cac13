"""What the replay memory holds: a pure function of the address, in Python as in `replay_word`.

Memory is made of blocks of 128 bytes, the widest bus word. The 32-bit word `w` of block `b` (w = a >> 2 & 31 and
b = a >> 7 for byte address `a`) is `(b ^ swap(b >> 32)) * FACTOR + SALT + w * STEP` on 32 bits, where `swap` exchanges
the two halves of a word. So two words differ if their addresses differ only within a block, only in the low 32 bits
of the block's number, or only in those above. Words lie in memory little-endian.
"""

WORD_BYTES = 4
WORD_MASK = 0xFFFFFFFF
BLOCK_BYTES = 128
SALT = 0x9E3779B9
"""Keeps word 0 from being 0."""
FACTOR = 0xC2B2AE35
"""Odd, so that the blocks differ."""
STEP = 0x85EBCA6B
"""Odd, so that the words of a block differ."""


def pattern(address: int) -> int:
    """Return the 32-bit word at byte address `address`, which must be a multiple of 4."""
    if address % WORD_BYTES:
        raise ValueError(f"address = {address:#x}: must be a multiple of {WORD_BYTES}")
    block, within = divmod(address, BLOCK_BYTES)
    low, high = block & WORD_MASK, block >> 32 & WORD_MASK
    word = (low ^ (high << 16 | high >> 16) & WORD_MASK) * FACTOR + SALT
    return word + within // WORD_BYTES * STEP & WORD_MASK


def pattern_bytes(address: int, length: int) -> bytes:
    """Return `length` bytes of the memory from `address` on; any alignment."""
    start = address - address % WORD_BYTES
    words = range(start, address + length, WORD_BYTES)
    held = b"".join(pattern(where).to_bytes(WORD_BYTES, "little") for where in words)
    return held[address - start : address - start + length]
