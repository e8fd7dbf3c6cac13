"""What it takes to move a bit through each kind of memory and link, and what area SRAM takes: a table with sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ..hw.spec_file import read_spec_file
from ..traces.errors import UserError
from .platform_spec import PlatformSpec
from .preset_files import PRESETS

DEFAULT_TABLE = PRESETS / "energy" / "default.toml"
UM2_PER_MM2 = 1e6
Basis = Literal["published", "assumed"]
Source = Annotated[str, Field(min_length=1)]


class MemoryEnergy(BaseModel):
    """A memory or a link: `node` is the process that its bits take area in, none if they are not on the chip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    picojoules_per_bit: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    basis: Basis
    source: Source
    node: str | None = None


class SramNode(BaseModel):
    """A process: the area of an SRAM cell, and the cells' share of an array's area."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell_um2: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    array_efficiency: Annotated[float, Field(gt=0, le=1)]
    basis: Basis
    source: Source


class EnergyTable(BaseModel):
    """All entries by name; a platform names those that it is built of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: dict[str, MemoryEnergy] = {}
    node: dict[str, SramNode] = {}


class EnergyPrices(NamedTuple):
    """A platform's energies in picojoules a bit, and areas in mm2 a bit (None: not on the chip); modelled.

    `entries` are the table's entries that they come from, by name.
    """

    link: float
    slots: float
    tables: float
    slot_area: float | None
    table_area: float | None
    entries: dict[str, dict[str, Any]]


def load_energy_table(path: str | None = None) -> EnergyTable:
    """Return the table; the entries of a user's file replace those of their name or add to them.

    Raises UserError in one line: a file that cannot be read, or the first field that breaks a rule.
    """
    table = read_spec_file(DEFAULT_TABLE, EnergyTable)
    if path is None:
        return table
    own = read_spec_file(Path(path), EnergyTable)
    return EnergyTable(memory=table.memory | own.memory, node=table.node | own.node)


def energy_prices(platform: PlatformSpec, table: EnergyTable) -> EnergyPrices | None:
    """Return a platform's prices, None if it does not say what it is built of; raises UserError for unknown names."""
    spec = platform.energy
    if spec is None:
        return None
    hops = [_memory(platform, "link", name, table) for name in spec.link]
    slots, tables = (_memory(platform, field, getattr(spec, field), table) for field in ("slots", "tables"))
    nodes = {memory.node for memory in (slots, tables) if memory.node is not None}
    entries = {name: table.memory[name].model_dump() for name in (*spec.link, spec.slots, spec.tables)}
    return EnergyPrices(
        link=sum(hop.picojoules_per_bit for hop in hops),
        slots=slots.picojoules_per_bit,
        tables=tables.picojoules_per_bit,
        slot_area=_area(spec.slots, slots, table),
        table_area=_area(spec.tables, tables, table),
        entries=entries | {name: table.node[name].model_dump() for name in sorted(nodes)},
    )


def energy_statement(prices: EnergyPrices | None) -> str:
    """Say what the figures of energy are made of, for the line below a table."""
    if prices is None:
        return "none, as the platform has no [energy]"
    assumed = [name for name, entry in prices.entries.items() if entry["basis"] == "assumed"]
    return (
        f"link bits x {prices.link:g} pJ + slot bits written and read x {prices.slots:g} pJ + table bits x "
        f"{prices.tables:g} pJ; sources in docs/energy.md; assumed: {', '.join(assumed) or 'none'}"
    )


def _memory(platform: PlatformSpec, field: str, name: str, table: EnergyTable) -> MemoryEnergy:
    if name not in table.memory:
        known = ", ".join(table.memory)
        raise UserError(f"platform {platform.name}: energy.{field} = {name!r}: must be a memory of the table ({known})")
    return table.memory[name]


def _area(name: str, memory: MemoryEnergy, table: EnergyTable) -> float | None:
    """Return mm2 a bit."""
    if memory.node is None:
        return None
    if memory.node not in table.node:
        known = ", ".join(table.node)
        raise UserError(f"energy table: memory.{name}.node = {memory.node!r}: must be a node of the table ({known})")
    node = table.node[memory.node]
    return node.cell_um2 / node.array_efficiency / UM2_PER_MM2
