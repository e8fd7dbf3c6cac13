"""The platforms that stand for Verilog emission, so that parts can tell it from simulation."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Value
from amaranth.lib.memory import Memory

RAM_MODULE = "moefetch_ram_1r1w"
"""Verilog module of every memory but the expert SRAM's banks; its inferable model is verilog/moefetch_ram_1r1w.v."""


class VerilogPlatform:
    """Passed to `elaborate` when Verilog is emitted: the SRAM's banks become instances of a named wrapper module."""


class WrappedMemories(VerilogPlatform):
    """Every other memory becomes an instance too, of `RAM_MODULE`: for flows that place macros."""

    def get_memory(self, memory: Memory) -> Module:
        """Return what stands for a memory of `amaranth.lib.memory`.

        Raises NotImplementedError for what the wrapper cannot do: other ports than one that reads on a clock edge and
        one that writes, a read that sees the write of its own cycle, contents that are not zero at the start.
        """
        if len(memory.read_ports) != 1 or len(memory.write_ports) != 1:
            raise NotImplementedError("a memory must have one read and one write port")
        (read,), (write,) = memory.read_ports, memory.write_ports
        if read.domain == "comb" or read.transparent_for or any(memory.data.init):
            raise NotImplementedError("a memory must read on a clock edge, old data on a collision, and begin as 0")
        if read.domain != write.domain:
            raise NotImplementedError("a memory's ports must have one clock")
        # A memory of one row has no address; the wrapper's has one bit, at 0.
        address_bits = max(1, len(read.addr))
        m = Module()
        m.submodules.wrapper = Instance(
            RAM_MODULE,
            p_WIDTH=len(Value.cast(read.data)),
            p_DEPTH=memory.depth,
            p_ADDR_BITS=address_bits,
            p_LANES=len(write.en),
            i_clk=ClockSignal(read.domain),
            i_ren=read.en,
            i_raddr=_widened(read.addr, address_bits),
            o_rdata=Value.cast(read.data),
            i_wen=write.en,
            i_waddr=_widened(write.addr, address_bits),
            i_wdata=Value.cast(write.data),
        )
        return m


def _widened(address: Value, bits: int) -> Value:
    return address if len(address) == bits else Cat(address, Const(0, bits - len(address)))
