"""Combinational paths through a unit, from its ports to its ports, out of the netlist that Verilog is written from."""

from amaranth.hdl import Fragment
from amaranth.hdl._ir import PortDirection, build_netlist
from amaranth.lib import wiring
from moefetch.hw.flat_ports import FlatPorts


def combinational_inputs(component: wiring.Component) -> dict[str, set[str]]:
    """Return, for each output port of `component`, the inputs that reach it without a flip-flop or memory between."""
    flat = FlatPorts(component)
    ports = {name: (signal, PortDirection.Input) for name, signal in flat.inputs.items()}
    ports |= {name: (signal, PortDirection.Output) for name, signal in flat.outputs.items()}
    netlist = build_netlist(Fragment.get(flat, None), ports=ports)
    places = netlist.top.ports_i.items()
    owner = {bit: name for name, (start, width) in places for bit in range(start, start + width)}
    reached = {name: _reach(netlist, owner, nets) for name, nets in netlist.top.ports_o.items()}
    return {name: found & set(flat.inputs) for name, found in reached.items()}


def _reach(netlist, owner: dict[int, str], nets) -> set[str]:
    """Return the top's inputs in the fan-in cone of `nets`; a flip-flop's clock is one."""
    found, seen, todo = set(), set(), list(nets)
    while todo:
        net = todo.pop()
        if net.is_const or net in seen:
            continue
        seen.add(net)
        if net.cell == 0:
            found.add(owner[net.bit])
        else:
            todo += [source for source, _ in netlist.cells[net.cell].comb_edges_to(net.bit)]
    return found
