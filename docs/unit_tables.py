"""Tables of the unit's ports, registers and predictor tables that come from the code."""

import re

from amaranth.hdl import Fragment
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.flat_ports import FlatPorts
from moefetch.hw.markdown import code, table
from moefetch.hw.prefetch_unit import PrefetchUnit
from moefetch.hw.register_map import register_map
from moefetch.hw.register_markdown import register_section, registers_markdown
from moefetch.predictor_rtl.cct import CONFIDENCE_BITS
from moefetch.predictor_rtl.weight_layout import groups_of, lanes_of

DEFAULT = UNIT_PRESETS["default"]


def ports() -> str:
    """The ports of the emitted module of the default unit, those of processing element 0 for all."""
    unit = FlatPorts(PrefetchUnit(config=DEFAULT))
    Fragment.get(unit, None)  # Amaranth warns of a component that nobody elaborates
    found = unit.ports
    rows = [
        (code(port.name.replace("read_0_", "read_I_")), port.direction, port.width)
        for port in found
        if not re.match(r"read_[1-9]", port.name)
    ]
    return table(("port", "direction", "bits"), rows)


def predictor_tables() -> str:
    """Size of a predictor's tables."""
    rows = []
    for name, unit in UNIT_PRESETS.items():
        cct = (unit.max_layers << unit.expert_bits) * unit.max_top_k * (unit.expert_bits + CONFIDENCE_BITS)
        rows.append((code(name), f"{cct:,}", f"{unit.max_layers * (unit.max_experts + 1):,}"))
    return table(("unit", "CCT, bits", "HT, bits (valid flags included)"), rows)


def weight_tables() -> str:
    """Size of the weight tables."""
    rows = []
    for name, unit in UNIT_PRESETS.items():
        words = len(unit.weight_sources) << (unit.layer_bits + unit.expert_bits)
        row = groups_of(unit) * lanes_of(unit) * unit.weight_bits
        rows.append((code(name), f"{words:,}", f"{row:,}", f"{words * row:,}"))
    return table(("unit, with `weights`", "rows", "bits of a row", "bits"), rows)


def weight_registers() -> str:
    """The registers that only a unit with predictor `weights` has."""
    unit = DEFAULT.replace(predictors=("weights",))
    known = {register.name for register in register_map(DEFAULT)}
    return "\n\n".join(register_section(register) for register in register_map(unit) if register.name not in known)


def segment_registers() -> str:
    """The registers that only a unit with a segment table has."""
    known = {register.name for register in register_map(DEFAULT)}
    unit = DEFAULT.replace(segments=4)
    return "\n\n".join(register_section(register) for register in register_map(unit) if register.name not in known)


def registers() -> str:
    """The register map of the default unit."""
    return registers_markdown(register_map(DEFAULT))


UNIT_TABLES = {
    "ports": ports,
    "predictor-tables": predictor_tables,
    "registers": registers,
    "segment-registers": segment_registers,
    "weight-registers": weight_registers,
    "weight-tables": weight_tables,
}
"""Name in a page -> what renders it."""
