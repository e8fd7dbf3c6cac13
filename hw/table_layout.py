"""How correlation tables lie in memory where a unit pages them: the one place that RTL, software and benches ask.

The page of a layer follows that of the layer before, from TABLE_BASE on, and a row that of the expert before. An entry
is 16 bits, little endian: its expert XORed with the entry's number in the row, and the confidence in the top two bits.
So memory of zeros is an empty table, entry j being expert j at confidence 0.
"""

from collections.abc import Iterable, Sequence

from .config import UnitConfig

ENTRY_BYTES = 2
CONFIDENCE_LSB = 14
"""Place of the confidence in an entry."""
MAX_BURST_WORDS = 16
"""Bus words of the longest table burst, which is what a demand may have to wait for."""


class TableLayout:
    """Sizes of a unit's tables in memory and in bus words; all are powers of two.

    A line is the unit in which a page is kept on chip: a bus word with its rows, or a row of several bus words.
    """

    def __init__(self, config: UnitConfig):
        self._entries = config.max_top_k
        self.row_places = 1 << (config.max_top_k - 1).bit_length()
        """Entries that a row has room for, those beyond `max_top_k` being 0."""
        self.rows = 1 << config.expert_bits
        self.row_bytes = ENTRY_BYTES * self.row_places
        self.page_bytes = max(self.rows * self.row_bytes, config.bus_bytes)
        """Distance from a layer's table to the next one's."""
        self.words = self.page_bytes // config.bus_bytes
        self.rows_per_line = min(self.rows, max(1, config.bus_bytes // self.row_bytes))
        self.words_per_line = max(1, self.row_bytes // config.bus_bytes)
        self.lines = self.rows // self.rows_per_line
        self.burst_words = min(self.words, MAX_BURST_WORDS)
        """Words of a group, which is written back as a whole if any of it was changed; no burst leaves its group."""
        self.groups = self.words // self.burst_words
        self.page_bits = config.layer_bits
        """Width of a page's number, the layer."""
        self.places = config.table_window
        """Pages that are on chip at once."""

    def row_offset(self, layer: int, row: int) -> int:
        """Return the distance in bytes from TABLE_BASE to a row."""
        return layer * self.page_bytes + row * self.row_bytes

    def encode_row(self, entries: Iterable[tuple[int, int]]) -> bytes:
        """Return a row of (expert, confidence) as it lies in memory; it may have fewer entries than `max_top_k`."""
        words = [(expert ^ place) | confidence << CONFIDENCE_LSB for place, (expert, confidence) in enumerate(entries)]
        row = b"".join(word.to_bytes(ENTRY_BYTES, "little") for word in words)
        return row.ljust(self.row_bytes, b"\0")

    def decode_row(self, row: Sequence[int]) -> list[tuple[int, int]]:
        """Return the `max_top_k` entries (expert, confidence) of a row of bytes."""
        words = [row[2 * place] | row[2 * place + 1] << 8 for place in range(self._entries)]
        mask = (1 << CONFIDENCE_LSB) - 1
        return [((word & mask) ^ place, word >> CONFIDENCE_LSB) for place, word in enumerate(words)]
