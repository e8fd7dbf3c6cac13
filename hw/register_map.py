"""The register map as plain data, compiled from `registers.rdl` for one configuration.

Source of the language: Accellera SystemRDL 2.0. Free of Amaranth, so that benches and software can read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegNode
from systemrdl.rdltypes.typing import RDLValue

from .config import UnitConfig
from .counter_names import counters_of
from .row_layout import RowLayout
from .table_layout import TableLayout

WORD_BYTES = 4
WORD_BITS = 32
PAGE_BYTES = 4096
"""Alignment of expert addresses."""

SOURCE = Path(__file__).with_name("registers.rdl")


class Access(Enum):
    """What software may do with a field."""

    READ = "r"
    READ_WRITE = "rw"
    CLEAR = "w1c"
    """Reads; a written 1 clears."""
    PULSE = "pulse"
    """A written 1 acts once; reads as 0."""


@dataclass(frozen=True)
class RegisterField:
    """Bits of a register. `minimum`, `maximum` and `reset` are of the bits as they are stored."""

    name: str
    lsb: int
    width: int
    access: Access
    reset: int
    minimum: int
    maximum: int
    byte_address: bool
    """The value is a byte count whose bits below `lsb` are 0: the stored bits times 2**lsb."""
    description: str

    @property
    def unit(self) -> int:
        """What one step of the stored bits is worth."""
        return 1 << self.lsb if self.byte_address else 1


@dataclass(frozen=True)
class Register:
    """A register, or an array of `count` equal ones that follow each other."""

    name: str
    offset: int
    width: int
    count: int
    fields: tuple[RegisterField, ...]
    description: str

    @property
    def stride(self) -> int:
        """Bytes of one register."""
        return self.width // 8

    @property
    def words(self) -> int:
        """32-bit words of one register."""
        return self.width // WORD_BITS

    @property
    def reset(self) -> int:
        """Value of one register after reset."""
        return sum(field.reset << field.lsb for field in self.fields)


def register_map(config: UnitConfig) -> tuple[Register, ...]:
    """Return the registers of a unit, in the order of their addresses."""
    return _compiled(tuple(_parameters(config).items()))


@lru_cache(maxsize=32)
def _compiled(parameters: tuple[tuple[str, RDLValue], ...]) -> tuple[Register, ...]:
    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    root = compiler.elaborate(top_def_name="moefetch", parameters=dict(parameters))
    top = root.get_child_by_name("moefetch")
    if not isinstance(top, AddrmapNode):
        raise TypeError(f"{SOURCE.name} has no address map moefetch")
    return tuple(_register(node) for node in top.registers(unroll=False))


def _parameters(config: UnitConfig) -> dict[str, int]:
    layout, rows = TableLayout(config), RowLayout(config)
    return {
        "MAX_LAYERS": config.max_layers,
        "MAX_EXPERTS": config.max_experts,
        "MAX_TOP_K": config.max_top_k,
        "SLOTS": config.slots,
        "SLOT_BEATS": config.slot_beats,
        "BANKS": config.banks,
        "N_PE": config.n_pe,
        "BUS_BYTES": config.bus_bytes,
        "OUTSTANDING": config.outstanding,
        "QUEUE_DEPTH": config.queue_depth,
        "HORIZON": config.horizon,
        "PREDICTORS": len(config.predictors),
        "WEIGHT_SOURCES": len(config.weight_sources) if config.has_weights else 0,
        "COUNTERS": len(counters_of(config)),
        "SEGMENTS": config.segments,
        "WORD_LSB": config.bus_bytes.bit_length() - 1,
        "TABLE_WINDOW": config.table_window,
        "PARITY": int(config.parity),
        "TABLE_ROW_BYTES": layout.row_bytes,
        "TABLE_PAGE_BYTES": layout.page_bytes,
        "WEIGHT_WAYS": config.weight_ways,
        "WEIGHT_ROW_BYTES": rows.row_bytes,
        "WEIGHT_LAYER_BYTES": rows.layer_bytes,
        "DIGEST": int(config.digest[:8], 16),
        "PAGES": -(-config.slot_bytes // PAGE_BYTES),
    }


def _register(node: RegNode) -> Register:
    fields = tuple(_field(field) for field in node.fields())
    count = node.array_dimensions[0] if node.is_array and node.array_dimensions else 1
    width = node.get_property("regwidth")
    return Register(node.inst_name, node.raw_address_offset, width, count, fields, _one_line(node.get_property("desc")))


def _field(node: FieldNode) -> RegisterField:
    if node.get_property("singlepulse"):
        access = Access.PULSE
    elif node.get_property("onwrite"):
        access = Access.CLEAR
    else:
        access = Access.READ_WRITE if node.is_sw_writable else Access.READ
    maximum = node.get_property("maximum")
    reset = node.get_property("reset")
    return RegisterField(
        name=node.inst_name,
        lsb=node.low,
        width=node.width,
        access=access,
        reset=reset if isinstance(reset, int) else 0,
        minimum=node.get_property("minimum") or 0,
        maximum=(1 << node.width) - 1 if maximum is None else maximum,
        byte_address=bool(node.get_property("byte_address")),
        description=_one_line(node.get_property("desc")),
    )


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
