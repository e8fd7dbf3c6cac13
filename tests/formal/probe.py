"""A component whose inner flip-flops and memories a property may name, without a port for them in the component."""

from amaranth.hdl import Cat, Fragment, MemoryInstance, Signal, Value
from amaranth.lib import data, wiring
from amaranth.utils import ceil_log2


class Probe:
    """Elaborates a component once; use `fragment` as the submodule, and look its inside up by path.

    A path is the names of the submodules on the way and the signal's own, joined by dots.
    """

    def __init__(self, component: wiring.Component):
        self.fragment = Fragment.get(component, None)
        self._addresses = []

    def _find(self, path: list[str]) -> Fragment:
        fragment = self.fragment
        for name in path:
            found = [child for child, child_name, _ in fragment.subfragments if child_name == name]
            if not found:
                names = ", ".join(str(child_name) for _, child_name, _ in fragment.subfragments)
                raise KeyError(f"no submodule {name}, there are {names}")
            fragment = found[0]
        return fragment

    def __getitem__(self, path: str) -> Value:
        """Return the signal of that path; `$n` is the n-th that has no name, in order of assignment."""
        *modules, name = path.split(".")
        fragment = self._find(modules)
        statements = [s for group in fragment.statements.values() for s in group]
        found = {id(signal): signal for s in statements for signal in s._lhs_signals()}.values()
        named = [signal for signal in found if signal.name == name]
        if name.startswith("$"):
            named = [signal for signal in found if signal.name == "$signal"][int(name[1:]) :][:1]
        if len(named) != 1:
            raise KeyError(f"{len(named)} signals {path}, there are {', '.join(sorted(s.name for s in found))}")
        return named[0]

    def view(self, path: str, layout: data.Layout) -> data.View:
        """Return the signal of that path, seen through its layout."""
        return data.View(layout, self[path])

    def state(self, path: str, *names: str) -> Value:
        """Return whether the state machine of that path is in one of the named states."""
        *modules, name = path.split(".")
        encoding = self._find(modules).generated[name].encoding
        return Cat(self[f"{path}_state"] == encoding[state] for state in names).any()

    def word(self, path: str, address, name: str) -> Signal:
        """Return the word that the memory of that path holds now at `address`."""
        memory = self._find(path.split("."))
        while not isinstance(memory, MemoryInstance):
            (memory,) = [child for child, _, _ in memory.subfragments]
        word = Signal(memory._data.shape, name=name)
        index = Signal(ceil_log2(memory._data.depth), name=f"{name}_at")
        self._addresses.append(index.eq(address))
        memory.read_port(domain="comb", addr=index, data=Value.cast(word), en=Value.cast(1), transparent_for=())
        return word

    def connect(self, m) -> None:
        """Add the component to `m`, with the reads of its memories."""
        m.submodules.dut = self.fragment
        m.d.comb += self._addresses
