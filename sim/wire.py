"""Payloads of the unit's ports as plain numbers, laid out as in hw/interfaces.py."""

from ..hw.config import UnitConfig


def decode_grant(unit: UnitConfig, word: int) -> tuple[int, int, int, int]:
    """Return layer, expert, slot and status of a grant."""
    values = []
    for width in (unit.layer_bits, unit.expert_bits, unit.slot_bits, 2):
        values.append(word & ((1 << width) - 1))
        word >>= width
    layer, expert, slot, status = values
    return layer, expert, slot, status


def grant_bits(unit: UnitConfig) -> int:
    """Return the width of a grant."""
    return unit.layer_bits + unit.expert_bits + unit.slot_bits + 2
