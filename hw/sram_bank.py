"""One bank of the expert SRAM, the wrapper that an ASIC flow replaces by its macro."""

from amaranth import ClockSignal, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .config import bits_for
from .verilog_platform import VerilogPlatform

WRAPPER_MODULE = "moefetch_sram_1rw"
"""Verilog module of a bank; its inferable model is verilog/moefetch_sram_1rw.v."""


class SramBank(wiring.Component):
    """Single-port (1RW) synchronous memory: in each cycle one word is read or one is written.

    Latency: `rdata` holds the word `latency` = 1 cycle after the read; it keeps it until the next read.
    Throughput: 1 access a cycle. Contents are undefined before the first write (zero in Amaranth's
    simulation).

    Parameters
    ----------
    depth : int
        Words, at least 1.
    width : int
        Bits of a word, at least 1.

    Members
    -------
    en, we : In
        Access; with `we` a write, else a read.
    addr : In
        Word, 0 to `depth` - 1.
    wdata : In, rdata : Out
        Data.

    Raises
    ------
    ValueError
        If `depth` or `width` is below 1.
    """

    latency = 1

    def __init__(self, *, depth: int, width: int):
        for name, value in (("depth", depth), ("width", width)):
            if value < 1:
                raise ValueError(f"{name} = {value}: must be at least 1")
        self._depth = depth
        self._width = width
        super().__init__(
            {
                "en": In(1),
                "we": In(1),
                "addr": In(bits_for(depth)),
                "wdata": In(width),
                "rdata": Out(width),
            }
        )

    def elaborate(self, platform):
        """Build the memory, or the wrapper where Verilog is emitted."""
        m = Module()
        if isinstance(platform, VerilogPlatform):
            m.submodules.wrapper = Instance(
                WRAPPER_MODULE,
                p_WIDTH=self._width,
                p_DEPTH=self._depth,
                p_ADDR_BITS=len(self.addr),
                i_clk=ClockSignal(),
                i_en=self.en,
                i_we=self.we,
                i_addr=self.addr,
                i_wdata=self.wdata,
                o_rdata=self.rdata,
            )
            return m
        m.submodules.memory = memory = Memory(shape=self._width, depth=self._depth, init=[])
        write = memory.write_port()
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(self.addr),
            write.data.eq(self.wdata),
            write.en.eq(self.en & self.we),
            read.addr.eq(self.addr),
            read.en.eq(self.en & ~self.we),
            self.rdata.eq(read.data),
        ]
        return m
