"""Small pieces of logic on a register's word: its fields, its byte strobes, the range of a value."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Value

from .register_map import RegisterField


def compose(fields: tuple[RegisterField, ...], values: Mapping[str, Value]) -> Value:
    """Return a register's value, 64 bits, from its fields' values; 0 outside the fields."""
    parts, end = [], 0
    for field in fields:
        value = values[field.name]
        padding = field.width - len(value)
        parts += [Const(0, field.lsb - end), value, Const(0, padding)]
        end = field.lsb + field.width
    return Value.cast(Cat(*parts, Const(0, 64 - end)))


def byte_mask(strobe: Value) -> Value:
    """Return 32 bits with each byte's strobe in all of its bits."""
    return Value.cast(Cat(bit.replicate(8) for bit in strobe))


def in_range(bits: Value, field: RegisterField) -> Value:
    """Return whether the bits are a value that the field may hold; no comparison where none is needed."""
    legal = Const(1, 1)
    if field.minimum:
        legal &= bits >= field.minimum
    if field.maximum < (1 << field.width) - 1:
        legal &= bits <= field.maximum
    return legal
