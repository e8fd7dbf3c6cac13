"""Tables in the memory around a prefetch core that keeps them there; they share its channel with the experts."""

from moefetch.hw.row_layout import paged_layout

TABLE_BASE = 0x80_0000_0000


class CoreTables:
    """The tables' bytes, their part of a `CoreBench`'s memory, and what it saw: beats, bursts that failed."""

    def __init__(self, bench):
        self.bench = bench
        self.layout = paged_layout(bench.config)
        self.data = bytearray(self.layout.page_bytes << self.layout.page_bits)
        self.read_beats = self.written_beats = self.errors = 0
        self._errors_in_a_row = 0

    def burst_fails(self):
        """Return whether the next burst of tables fails; no more do in a row than are repeated."""
        bench = self.bench
        fails = self._errors_in_a_row < bench.live["retries"] and bench.rng.random() < bench.around.error
        self._errors_in_a_row = self._errors_in_a_row + 1 if fails else 0
        self.errors += fails
        return fails

    def word(self, address):
        """Return the bus word at an address."""
        start = address - TABLE_BASE
        assert 0 <= start < len(self.data)
        return int.from_bytes(self.data[start : start + self.bench.config.bus_bytes], "little")

    def row(self, *place):
        """Return a row's entries, or weights, as memory has them."""
        start = self.layout.row_offset(*place)
        return self.layout.decode_row(self.data[start : start + self.layout.row_bytes])

    async def take_writes(self, ctx):
        """Serve writes: address and words in any order, then a response after some cycles."""
        bench, axi, width = self.bench, self.bench.core.axi, self.bench.config.bus_bytes
        rng, around = bench.rng, bench.around
        address, length, words, due, fails = None, 0, [], None, False
        signals = (axi.awvalid, axi.awready, axi.awaddr, axi.awlen, axi.wvalid, axi.wready, axi.wdata, axi.wlast)
        while True:
            ctx.set(axi.awready, rng.random() < around.arready)
            ctx.set(axi.wready, rng.random() < around.rvalid)
            answers = due is not None and due <= bench.cycle
            ctx.set(axi.bvalid, answers)
            ctx.set(axi.bresp, 2 * fails)
            awvalid, awready, awaddr, awlen, wvalid, wready, wdata, wlast = (await ctx.tick().sample(*signals))[2:]
            if answers:
                address, words, due = None, [], None
            if awvalid and awready:
                address, length = awaddr - TABLE_BASE, awlen + 1
            if wvalid and wready:
                words.append((wdata, wlast))
                self.written_beats += 1
            if address is not None and len(words) == length and due is None:
                assert [last for _, last in words] == [0] * (length - 1) + [1]
                due, fails = bench.cycle + rng.randint(*around.latency), self.burst_fails()
                if not fails:
                    written = b"".join(word.to_bytes(width, "little") for word, _ in words)
                    self.data[address : address + len(written)] = written

    async def watch_priority(self, ctx):
        """Require that no burst of tables is taken up while a miss waits for its fetch."""
        request, misses = self.bench.core._predictors.pages.request, self.bench.core._misses
        async for _, _, valid, ready, waiting in ctx.tick().sample(request.valid, request.ready, misses.level):
            assert not (valid and ready and waiting)
