"""The words in which a trace lies in the replay harness's memory; the encoder is plain Python.

For each event one header word, then a word for each router beat, then one for each hint, 32 bits each.
"""

from amaranth import Signal
from amaranth.hdl import Value
from amaranth.lib import data

TRACE_ADDRESS_BITS = 22
"""Width of a trace address: 4 Mi words, about 450,000 events of 4 experts with hints."""

HEADER = data.StructLayout({"n_beats": 12, "n_hints": 8, "layer": 8, "sequence_start": 1, "step_first": 1})
BEAT = data.StructLayout({"expert": 12, "score": 8, "token_last": 1})
HINT = data.StructLayout({"expert": 12, "score": 8, "layer": 8})


def header_word(word: Value | Signal) -> data.View:
    """Return a word as an event's header."""
    return data.View(HEADER, word[: HEADER.size])


def beat_word(word: Value | Signal) -> data.View:
    """Return a word as a router beat."""
    return data.View(BEAT, word[: BEAT.size])


def hint_word(word: Value | Signal) -> data.View:
    """Return a word as a hint."""
    return data.View(HINT, word[: HINT.size])
