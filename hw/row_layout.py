"""How rows of weight tables lie in memory where a unit caches them: the one place that RTL, software and benches ask.

Row number (layer, source, expert) follows the row of the expert before, from TABLE_BASE on; sources and experts take up
the next power of two each. A weight is a signed byte, the lowest expert's first. So memory of zeros is an empty table.
"""

from collections.abc import Iterable, Sequence

from .config import UnitConfig, bits_for
from .table_layout import MAX_BURST_WORDS, TableLayout


class RowLayout:
    """Sizes of a unit's rows in memory and in bus words; all are powers of two. The unit of paging is a row."""

    def __init__(self, config: UnitConfig):
        self._expert_bits = config.expert_bits
        self._source_bits = bits_for(len(config.weight_sources))
        self.row_weights = 1 << config.expert_bits
        """Weights that a row has room for, those from `max_experts` on being 0."""
        self.row_bytes = self.page_bytes = max(self.row_weights, config.bus_bytes)
        self.words = self.row_bytes // config.bus_bytes
        self.burst_words = min(self.words, MAX_BURST_WORDS)
        """Words of a group; no burst leaves its group."""
        self.groups = self.words // self.burst_words
        self.page_bits = config.layer_bits + self._source_bits + config.expert_bits
        """Width of a row's number."""
        self.places = config.weight_ways
        """Rows that are on chip at once, of a layer and source."""
        self.layer_bytes = self.row_bytes << self._source_bits + config.expert_bits
        """Distance from a layer's rows to the next one's."""
        self.bytes = self.row_bytes << self.page_bits
        """What all rows take up in memory."""

    def row_number(self, layer: int, source: int, expert: int) -> int:
        """Return which row it is."""
        return (layer << self._source_bits | source) << self._expert_bits | expert

    def row_offset(self, layer: int, source: int, expert: int) -> int:
        """Return the distance in bytes from TABLE_BASE to a row."""
        return self.row_number(layer, source, expert) * self.row_bytes

    def encode_row(self, weights: Iterable[int]) -> bytes:
        """Return a row of weights as it lies in memory."""
        return bytes(weight & 0xFF for weight in weights).ljust(self.row_bytes, b"\0")

    def decode_row(self, row: Sequence[int]) -> list[int]:
        """Return the weights of a row of bytes."""
        return [byte - (byte >> 7 << 8) for byte in row[: self.row_weights]]


def paged_layout(config: UnitConfig) -> TableLayout | RowLayout:
    """Return the layout of what a unit with tables in memory moves: pages of layers, or rows."""
    return RowLayout(config) if config.weight_ways else TableLayout(config)


def table_index_bits(config: UnitConfig) -> int:
    """Return the width of a bus word's number within the tables in memory; 1 for a unit that has none there."""
    if not config.pages_tables:
        return 1
    layout = paged_layout(config)
    return layout.page_bits + (layout.words - 1).bit_length()
