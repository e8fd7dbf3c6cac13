"""The words in which a trace lies in the replay harness's memory: what the bench writes and the agent reads.

For each event one header word, then a word for each router beat, then one for each hint; 32 bits each, fields
from the least significant bit up. Free of Amaranth.
"""

from collections.abc import Mapping

ADDRESS_BITS = 22
"""Width of a trace address: 4 Mi words, about 450,000 events of 4 experts with hints."""

WORD_BITS = 32

HEADER = {"n_beats": 12, "n_hints": 10, "layer": 8, "sequence_start": 1, "step_first": 1}
BEAT = {"expert": 12, "score": 8, "token_last": 1}
HINT = {"expert": 12, "score": 8, "layer": 8}


def pack(fields: Mapping[str, int], **values: int) -> int:
    """Return a word with `values`; raises ValueError, naming the field, for one that does not fit."""
    word = shift = 0
    for name, width in fields.items():
        value = int(values[name])
        if not 0 <= value < 1 << width:
            raise ValueError(f"{name} = {value}: must be 0 to {(1 << width) - 1} in a replay")
        word |= value << shift
        shift += width
    return word
