"""The unit as an IP-XACT component: ports, bus interfaces and register map, for tools that assemble systems.

Source of the format: IEEE 1685-2014, schema of Accellera.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Comment, Element, SubElement, indent, tostring

from .config import UnitConfig
from .flat_ports import Port
from .register_map import Access, Register, RegisterField

NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
VENDOR, LIBRARY = "moefetch", "ip"
WINDOW_BYTES = 4096
"""Bytes that the register port decodes."""

_ACCESS = {
    Access.READ: ("read-only", None),
    Access.READ_WRITE: ("read-write", None),
    Access.CLEAR: ("read-write", "oneToClear"),
    Access.PULSE: ("write-only", "oneToSet"),
}


def ipxact_component(
    *, name: str, version: str, config: UnitConfig, ports: Sequence[Port], registers: Iterable[Register], file: str
) -> str:
    """Return the component's XML; `file` is the path of the Verilog, seen from the XML."""
    root = Element("ipxact:component", {"xmlns:ipxact": NAMESPACE})
    root.append(Comment(" SPDX-License-Identifier: Apache-2.0 "))
    for tag, text in (("vendor", VENDOR), ("library", LIBRARY), ("name", name), ("version", version)):
        _text(root, tag, text)
    _bus_interfaces(_child(root, "busInterfaces"), ports)
    _address_spaces(_child(root, "addressSpaces"), config)
    _memory_map(_child(root, "memoryMaps"), registers)
    _model(_child(root, "model"), name, ports)
    _file_sets(_child(root, "fileSets"), file)
    _text(root, "description", f"Expert prefetch unit, configuration {config.digest}.")
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _child(parent: Element, tag: str) -> Element:
    return SubElement(parent, f"ipxact:{tag}")


def _text(parent: Element, tag: str, text: object) -> Element:
    child = _child(parent, tag)
    child.text = str(text)
    return child


def _bus_interfaces(parent: Element, ports: Sequence[Port]) -> None:
    """Describe AXI master and slave, clock, reset and interrupt by their standard signals."""
    signals = {port.name for port in ports}
    memory = _bus(parent, "m_axi", ("amba.com", "AMBA4", "AXI4", "r0p0_0"), _channel("m_axi", signals), "master")
    _child(memory, "addressSpaceRef").set("addressSpaceRef", "memory")
    control = _bus(parent, "s_axil", ("amba.com", "AMBA4", "AXI4-Lite", "r0p0_0"), _channel("s_axil", signals), "slave")
    _child(control, "memoryMapRef").set("memoryMapRef", "registers")
    for name, kind, logical, mode in (
        ("clk", "clock", "CLK", "slave"), ("rst", "reset", "RST", "slave"), ("irq", "interrupt", "IRQ", "master")
    ):  # fmt: skip
        _bus(parent, name, ("xilinx.com", "signal", kind, "1.0"), {logical: name}, mode)


def _channel(prefix: str, signals: set[str]) -> dict[str, str]:
    """Return logical -> physical name of an AXI port's signals."""
    own = sorted(signal for signal in signals if signal.startswith(f"{prefix}_"))
    return {signal.removeprefix(f"{prefix}_").upper(): signal for signal in own}


def _bus(parent: Element, name: str, kind: tuple[str, str, str, str], signals: dict[str, str], mode: str) -> Element:
    """Add a bus interface; return its mode's element."""
    bus = _child(parent, "busInterface")
    _text(bus, "name", name)
    vendor, library, bus_name, version = kind
    _reference(bus, "busType", vendor, library, bus_name, version)
    abstraction = _child(_child(bus, "abstractionTypes"), "abstractionType")
    _reference(abstraction, "abstractionRef", vendor, library, f"{bus_name}_rtl", version)
    port_maps = _child(abstraction, "portMaps")
    for logical, physical in signals.items():
        port_map = _child(port_maps, "portMap")
        _text(_child(port_map, "logicalPort"), "name", logical)
        _text(_child(port_map, "physicalPort"), "name", physical)
    return _child(bus, mode)


def _reference(parent: Element, tag: str, vendor: str, library: str, name: str, version: str) -> None:
    element = _child(parent, tag)
    for key, value in (("vendor", vendor), ("library", library), ("name", name), ("version", version)):
        element.set(key, value)


def _address_spaces(parent: Element, config: UnitConfig) -> None:
    space = _child(parent, "addressSpace")
    _text(space, "name", "memory")
    _text(space, "range", "'h10000000000000000")
    _text(space, "width", config.bus_bytes * 8)


def _memory_map(parent: Element, registers: Iterable[Register]) -> None:
    memory_map = _child(parent, "memoryMap")
    _text(memory_map, "name", "registers")
    block = _child(memory_map, "addressBlock")
    for tag, text in (
        ("name", "moefetch"), ("baseAddress", "'h0"), ("range", WINDOW_BYTES), ("width", 32), ("usage", "register"),
    ):  # fmt: skip
        _text(block, tag, text)
    for register in registers:
        _register(block, register)


def _register(parent: Element, register: Register) -> None:
    element = _child(parent, "register")
    _text(element, "name", register.name)
    _text(element, "description", register.description)
    if register.count > 1:
        _text(element, "dim", register.count)
    _text(element, "addressOffset", f"'h{register.offset:X}")
    _text(element, "size", register.width)
    for field in register.fields:
        _field(element, field)


def _field(parent: Element, field: RegisterField) -> None:
    element = _child(parent, "field")
    _text(element, "name", field.name)
    _text(element, "description", field.description)
    _text(element, "bitOffset", field.lsb)
    _text(_child(_child(element, "resets"), "reset"), "value", f"'h{field.reset:X}")
    _text(element, "bitWidth", field.width)
    access, modified = _ACCESS[field.access]
    _text(element, "access", access)
    if modified is not None:
        _text(element, "modifiedWriteValue", modified)
    if field.access is Access.READ_WRITE:
        constraint = _child(element, "writeValueConstraint")
        _text(constraint, "minimum", f"'h{field.minimum:X}")
        _text(constraint, "maximum", f"'h{field.maximum:X}")


def _model(parent: Element, name: str, ports: Sequence[Port]) -> None:
    view = _child(_child(parent, "views"), "view")
    _text(view, "name", "rtl")
    _text(view, "componentInstantiationRef", "verilog")
    instantiation = _child(_child(parent, "instantiations"), "componentInstantiation")
    _text(instantiation, "name", "verilog")
    _text(instantiation, "language", "Verilog")
    _text(instantiation, "moduleName", name)
    _text(_child(instantiation, "fileSetRef"), "localName", "rtl")
    listed = _child(parent, "ports")
    for port in ports:
        element = _child(listed, "port")
        _text(element, "name", port.name)
        wire = _child(element, "wire")
        _text(wire, "direction", {"input": "in", "output": "out"}[port.direction])
        if port.width > 1:
            vector = _child(_child(wire, "vectors"), "vector")
            _text(vector, "left", port.width - 1)
            _text(vector, "right", 0)


def _file_sets(parent: Element, file: str) -> None:
    file_set = _child(parent, "fileSet")
    _text(file_set, "name", "rtl")
    element = _child(file_set, "file")
    _text(element, "name", file)
    _text(element, "fileType", "verilogSource")
