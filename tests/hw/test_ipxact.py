"""Does the IP-XACT component say what the Verilog and the register map say, in the order that the schema asks for?"""

from xml.etree import ElementTree

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.flat_ports import Port
from moefetch.hw.ipxact import NAMESPACE, ipxact_component
from moefetch.hw.register_map import register_map

CONFIG = UNIT_PRESETS["tiny"]
PORTS = [
    Port("clk", "input", 1), Port("rst", "input", 1), Port("m_axi_araddr", "output", 64), Port("irq", "output", 1),
    Port("m_axi_arready", "input", 1), Port("s_axil_awaddr", "input", 12), Port("route_valid", "input", 1),
]  # fmt: skip
COMPONENT = [
    "vendor", "library", "name", "version", "busInterfaces", "addressSpaces", "memoryMaps", "model", "fileSets",
    "description",
]  # fmt: skip
REGISTER = ["name", "description", "dim", "addressOffset", "size", "field"]
FIELD = [
    "name", "description", "bitOffset", "resets", "bitWidth", "access", "modifiedWriteValue", "writeValueConstraint",
]  # fmt: skip
"""Elements in the order of IEEE 1685-2014."""


@pytest.fixture(scope="module")
def root():
    text = ipxact_component(
        name="unit", version="1.2", config=CONFIG, ports=PORTS, registers=register_map(CONFIG), file="../rtl/unit.v"
    )
    return ElementTree.fromstring(text)


def tags(element):
    return [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]


def find(element, path):
    return element.findall("/".join(f"{{{NAMESPACE}}}{part}" for part in path.split("/")))


def text(element, path):
    return [found.text for found in find(element, path)]


def in_order(found, order):
    return [tag for tag in order if tag in found] == list(dict.fromkeys(found))


def test_elements_come_in_the_schemas_order(root):
    assert tags(root) == COMPONENT
    for register in find(root, "memoryMaps/memoryMap/addressBlock/register"):
        assert in_order(tags(register), REGISTER)
        assert all(in_order(tags(field), FIELD) for field in find(register, "field"))


def test_every_register_and_field_is_there(root):
    registers = find(root, "memoryMaps/memoryMap/addressBlock/register")
    for element, register in zip(registers, register_map(CONFIG), strict=True):
        assert text(element, "name") == [register.name]
        assert text(element, "addressOffset") == [f"'h{register.offset:X}"]
        assert text(element, "dim") == ([str(register.count)] if register.count > 1 else [])
        assert text(element, "field/name") == [field.name for field in register.fields]
        assert text(element, "field/bitOffset") == [str(field.lsb) for field in register.fields]
        assert text(element, "field/bitWidth") == [str(field.width) for field in register.fields]


def test_limits_and_side_effects_of_fields(root):
    fields = {text(field, "name")[0]: field for field in root.iter(f"{{{NAMESPACE}}}field")}
    assert text(fields["n_layers"], "writeValueConstraint/minimum") == ["'h1"]
    assert text(fields["n_layers"], "writeValueConstraint/maximum") == ["'h4"]
    assert text(fields["config_error"], "modifiedWriteValue") == ["oneToClear"]
    assert text(fields["id"], "access") == ["read-only"]


def test_ports_and_buses_name_the_same_signals(root):
    assert text(root, "model/ports/port/name") == [port.name for port in PORTS]
    vectors = {text(port, "name")[0]: text(port, "wire/vectors/vector/left") for port in find(root, "model/ports/port")}
    assert vectors["m_axi_araddr"] == ["63"] and vectors["irq"] == []
    buses = {text(bus, "name")[0]: bus for bus in find(root, "busInterfaces/busInterface")}
    assert set(buses) == {"m_axi", "s_axil", "clk", "rst", "irq"}
    mapped = "abstractionTypes/abstractionType/portMaps/portMap/{}/name"
    assert text(buses["m_axi"], mapped.format("logicalPort")) == ["ARADDR", "ARREADY"]
    assert text(buses["m_axi"], mapped.format("physicalPort")) == ["m_axi_araddr", "m_axi_arready"]
    assert tags(buses["s_axil"])[-1] == "slave" and tags(buses["m_axi"])[-1] == "master"
