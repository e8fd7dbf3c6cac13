"""Ports with plain names: one wire for each leaf of a component's interface, as Verilog users expect them."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Elaboratable, Module, Signal, Value, ValueCastable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In


class Port(NamedTuple):
    """A port of the emitted module."""

    name: str
    direction: str
    """`input` or `output`."""
    width: int


class FlatPorts(Elaboratable):
    """Wraps a component; its ports are `path_of_member`, and `stream_field` for each field of a stream's payload.

    `m_axi.araddr` becomes `m_axi_araddr`, `read[1].valid` becomes `read_1_valid`, `route.payload.expert` becomes
    `route_expert`; any other structure is one vector. Latency: none, it only renames.
    """

    def __init__(self, component: wiring.Component):
        self._component = component
        self.inputs: dict[str, Signal] = {}
        self.outputs: dict[str, Signal] = {}
        self._links: list[tuple[Value, Signal, bool]] = []
        for path, member, value in component.signature.flatten(component):
            names = [str(part) for part in path]
            for name, leaf in self._leaves(names, value):
                self._add(name, leaf, is_input=member.flow is In)

    @staticmethod
    def _leaves(path: list[str], value: Value | ValueCastable) -> list[tuple[str, Value]]:
        if path[-1] == "payload" and isinstance(value, data.View):
            stem = path[:-1]
            return [("_".join([*stem, field]), Value.cast(value[field])) for field, _ in value.shape()]
        return [("_".join(path), Value.cast(value))]

    def _add(self, name: str, leaf: Value, *, is_input: bool) -> None:
        if name in self.inputs or name in self.outputs or name in ("clk", "rst"):
            raise ValueError(f"{name}: two ports of this name")
        if len(leaf) == 0:
            return
        port = Signal(len(leaf), name=name)
        (self.inputs if is_input else self.outputs)[name] = port
        self._links.append((leaf, port, is_input))

    @property
    def signals(self) -> list[Signal]:
        """All ports but clock and reset."""
        return [*self.inputs.values(), *self.outputs.values()]

    @property
    def ports(self) -> list[Port]:
        """All ports, clock and reset first."""
        return [
            Port("clk", "input", 1),
            Port("rst", "input", 1),
            *(Port(name, "input", len(signal)) for name, signal in self.inputs.items()),
            *(Port(name, "output", len(signal)) for name, signal in self.outputs.items()),
        ]

    def elaborate(self, platform: object) -> Module:
        """Connect every port."""
        m = Module()
        m.submodules.unit = self._component
        for leaf, port, is_input in self._links:
            m.d.comb += leaf.eq(port) if is_input else port.eq(leaf)
        return m
