"""What software and benches write to drive a unit: addresses and words from names and values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .config import UnitConfig
from .counter_names import ALIASES, counters_of
from .register_map import WORD_BITS, WORD_BYTES, Access, Register, RegisterField, register_map
from .segment_layout import Segment, segment_words

Write = tuple[int, int]
"""A byte address, and the 32-bit word to write there."""

WORD_MASK = (1 << WORD_BITS) - 1


class FieldAddress(NamedTuple):
    """Where a field lies: bits `lsb` up of the register at byte address `offset`."""

    offset: int
    lsb: int
    width: int


def field_table(config: UnitConfig) -> dict[str, FieldAddress]:
    """Return field name -> place; of arrays the first element's. 64-bit registers: low word first."""
    return {
        field.name: FieldAddress(register.offset, field.lsb, field.width)
        for register in register_map(config)
        for field in register.fields
    }


def register_offsets(config: UnitConfig) -> dict[str, int]:
    """Return register name -> byte address; of arrays the first element's."""
    return {register.name: register.offset for register in register_map(config)}


def counter_offset(config: UnitConfig, name: str) -> int:
    """Return the byte address of a counter's low word; its high word is the next one."""
    index = {known: place for place, known in enumerate(counters_of(config))}[ALIASES.get(name, name)]
    return _register(config, "COUNTER").offset + 2 * WORD_BYTES * index


def default_settings(config: UnitConfig) -> dict[str, int]:
    """Return every setting's value after reset."""
    return {field.name: field.reset * field.unit for _, field in _settings(config)}


def settings_writes(config: UnitConfig, settings: Mapping[str, int]) -> Iterator[Write]:
    """Yield the writes that give `settings` their values; others in their registers are reset.

    Raises ValueError, naming setting, value and rule, for what the unit would reject.
    """
    names = {field.name for _, field in _settings(config)}
    for name in settings.keys() - names:
        raise ValueError(f"{name}: is no setting; there are {', '.join(sorted(names))}")
    for register in dict.fromkeys(register for register, _ in _settings(config)):
        if settings.keys().isdisjoint(field.name for field in register.fields):
            continue
        word = 0
        for field in register.fields:
            word |= _stored(field, settings.get(field.name, field.reset * field.unit)) << field.lsb
        for index in range(register.words):
            yield register.offset + WORD_BYTES * index, word >> WORD_BITS * index & WORD_MASK


def top_k_writes(config: UnitConfig, top_k: Iterable[int]) -> Iterator[Write]:
    """Yield the writes that set the layers' top-k, from layer 0 on."""
    register = _register(config, "TOP_K")
    for layer, value in enumerate(top_k):
        if layer >= register.count:
            raise ValueError(f"top_k: layer {layer} is beyond max_layers = {register.count}")
        yield register.offset + WORD_BYTES * layer, _stored(register.fields[0], value)


def table_writes(
    config: UnitConfig, predictor: int, rows: Iterable[tuple[int, int, Iterable[tuple[int, int]]]]
) -> Iterator[Write]:
    """Yield the writes that load a predictor's table: `rows` of layer, row and (expert, confidence)s.

    A row starts at its entry 0; it may hold fewer entries than `max_top_k`.
    """
    fields = field_table(config)
    yield _register(config, "TABLE_SELECT").offset, predictor
    address, data = _register(config, "TABLE_ADDRESS").offset, _register(config, "TABLE_DATA").offset
    for layer, row, entries in rows:
        yield address, layer << fields["table_layer"].lsb | row << fields["table_row"].lsb
        for expert, confidence in entries:
            yield data, expert | confidence << fields["table_confidence"].lsb


def weight_writes(config: UnitConfig, rows: Iterable[tuple[int, int, int, bytes]]) -> Iterator[Write]:
    """Yield the writes that load the tables of predictor `weights`: layer, source, row and its weights.

    Weights are signed bytes, one for each expert from 0 on.
    """
    fields = field_table(config)
    address, data = _register(config, "WEIGHT_ADDRESS").offset, _register(config, "WEIGHT_DATA").offset
    for layer, source, row, weights in rows:
        place = {"weight_layer": layer, "weight_source": source, "weight_row": row}
        yield address, sum(value << fields[name].lsb for name, value in place.items())
        for first in range(0, len(weights), WORD_BYTES):
            yield data, int.from_bytes(weights[first : first + WORD_BYTES], "little")


def segment_writes(config: UnitConfig, layers: Iterable[Sequence[Segment]]) -> Iterator[Write]:
    """Yield the writes that load the segment table: the segments of each layer, from layer 0 on.

    A layer may have fewer than the unit's; the others become empty. Raises ValueError, naming value and rule, for what
    the unit would reject, and for layers whose experts differ in size from layer 0's.
    """
    address, first = _register(config, "SEGMENT_ADDRESS").offset, _register(config, "SEGMENT_BASE").offset
    layer_lsb, size = field_table(config)["segment_layer"].lsb, None
    for layer, segments in enumerate(layers):
        if layer >= config.max_layers or len(segments) > config.segments:
            raise ValueError(f"segments: layer {layer} has {len(segments)}; the unit has room for {config.segments} of "
                             f"each of {config.max_layers} layers")  # fmt: skip
        found = sum(segment.length for segment in segments)
        size = found if size is None else size
        if found != size:
            raise ValueError(f"segments: an expert of layer {layer} has {found} bytes: must be layer 0's {size}")
        yield address, layer << layer_lsb
        for segment in (*segments, *[Segment(0, 0, 0)] * (config.segments - len(segments))):
            for index, word in enumerate(segment_words(config, segment)):
                yield first + WORD_BYTES * index, word


def command_writes(config: UnitConfig, command: str, *, layer: int = 0, expert: int = 0) -> Iterator[Write]:
    """Yield the writes that start a command, by the name of its bit in COMMAND.

    The unit rejects the last one while STATUS.command_busy is 1.
    """
    fields = field_table(config)
    yield fields["key_expert"].offset, layer << fields["key_layer"].lsb | expert
    yield fields[command].offset, 1 << fields[command].lsb


def _register(config: UnitConfig, name: str) -> Register:
    return next(register for register in register_map(config) if register.name == name)


def _settings(config: UnitConfig) -> Iterator[tuple[Register, RegisterField]]:
    """Yield the writable fields that are settings: those from N_LAYERS up to the arrays."""
    first = _register(config, "N_LAYERS").offset
    for register in register_map(config):
        if first <= register.offset and register.name not in ("COUNTER", "TOP_K"):
            for field in register.fields:
                if field.access is Access.READ_WRITE:
                    yield register, field


def _stored(field: RegisterField, value: int) -> int:
    """Return the bits that stand for a value."""
    bits, rest = divmod(value, field.unit)
    if rest:
        raise ValueError(f"{field.name} = {value}: must be a multiple of {field.unit}")
    if not field.minimum <= bits <= field.maximum:
        low, high = field.minimum * field.unit, field.maximum * field.unit
        raise ValueError(f"{field.name} = {value}: must be {low} to {high}")
    return bits
