"""Parity of what memories hold: one more bit with each word, which makes the number of ones even."""

from amaranth import Cat, Const
from amaranth.hdl import Value
from amaranth.lib import data

from .config import UnitConfig


def stored_bits(config: UnitConfig, width: int) -> int:
    """Return the width of a word of `width` bits in memory: a bit more where the unit has parity."""
    return width + config.parity


def stored_word(config: UnitConfig, word: Value) -> Value:
    """Return what is written for a word."""
    return Cat(word, word.xor()) if config.parity else word


def word_of(config: UnitConfig, stored: Value) -> Value:
    """Return the word that was written, if its parity is right."""
    return stored[: len(stored) - config.parity]


def is_wrong(config: UnitConfig, stored: Value) -> Value:
    """Return whether a bit of a stored word has changed: one, or any odd number of them."""
    return stored.xor() if config.parity else Const(0)


def stored_array(config: UnitConfig, width: int, count: int) -> data.ArrayLayout:
    """Return the shape of `count` words side by side that are written one by one."""
    return data.ArrayLayout(stored_bits(config, width), count)
