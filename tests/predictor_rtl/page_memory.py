"""The memory behind a predictor's pages or rows: serves a `PageBusSignature` with random delays and errors."""

import random
from dataclasses import dataclass, field

from moefetch.hw.row_layout import paged_layout


@dataclass
class PageMemory:
    """Bytes of all pages; serve it as a background test bench.

    `delay` is the range of cycles before a request is taken and before its words and answer come, `gap` the chance
    per cycle of a pause between words. `error(write, address, attempt)` says whether the burst from this byte on ends
    in error on its n-th time in a row; which of its words fails is random. `given_up` is called for bursts that failed
    more than `retries` times: (write, byte addresses of the words that were lost).
    """

    config: object
    seed: object
    delay: tuple[int, int] = (0, 8)
    gap: float = 0.2
    error: object = staticmethod(lambda write, address, attempt: False)
    retries: int = 0
    given_up: object = staticmethod(lambda write, addresses: None)
    log: list = field(default_factory=list)

    def __post_init__(self):
        self.layout = paged_layout(self.config)
        self.data = bytearray(self.layout.page_bytes << self.layout.page_bits)
        self.rng = random.Random(f"page memory {self.seed}")
        self._last, self._attempt = None, 0

    def row(self, *place):
        """Return a row's entries, (expert, confidence)s, or its weights."""
        start = self.layout.row_offset(*place)
        return self.layout.decode_row(self.data[start : start + self.layout.row_bytes])

    def load(self, layer, row, entries):
        """Set a row."""
        start = self.layout.row_offset(layer, row)
        self.data[start : start + self.layout.row_bytes] = self.layout.encode_row(entries)

    async def serve(self, ctx, bus):
        """Serve bursts for ever."""
        request = bus.request
        while True:
            while not ctx.get(request.valid):
                await ctx.tick()
            await self._wait(ctx)
            payload = ctx.get(request.payload)
            ctx.set(request.ready, 1)
            await ctx.tick()
            ctx.set(request.ready, 0)
            await self._burst(ctx, bus, payload)

    async def _wait(self, ctx):
        for _ in range(self.rng.randint(*self.delay)):
            await ctx.tick()

    async def _burst(self, ctx, bus, payload):
        width, layout = self.config.bus_bytes, self.layout
        first = payload.page * layout.page_bytes + payload.word * width
        beats = payload.length + 1
        assert payload.word // layout.burst_words == (payload.word + payload.length) // layout.burst_words, (
            "over a group"
        )
        write = bool(payload.write)
        same = (write, first) == self._last
        self._attempt = self._attempt + 1 if same else 0
        self._last = (write, first)
        fails = self.error(write, first, self._attempt)
        bad = self.rng.randrange(beats) if fails else None
        self.log.append((write, payload.page, payload.word, beats, fails))
        await self._wait(ctx)
        addresses = [first + beat * width for beat in range(beats)]
        words = await (self._take if write else self._give)(ctx, bus, addresses, bad)
        if write and not fails:
            for address, word in zip(addresses, words, strict=True):
                self.data[address : address + width] = word.to_bytes(width, "little")
        if fails and self._attempt == self.retries:
            self.given_up(write, addresses if write else [addresses[bad]])
        if not fails or self._attempt == self.retries:
            self._last = None

    async def _give(self, ctx, bus, addresses, bad):
        width = self.config.bus_bytes
        for beat, address in enumerate(addresses):
            while self.rng.random() < self.gap:
                await ctx.tick()
            word = int.from_bytes(self.data[address : address + width], "little")
            ctx.set(bus.read_valid, 1)
            ctx.set(bus.read_data, 0 if beat == bad else word)
            last = beat == len(addresses) - 1
            ctx.set(bus.done, last)
            ctx.set(bus.error, last and bad is not None)
            await ctx.tick()
            ctx.set(bus.read_valid, 0)
            ctx.set(bus.done, 0)

    async def _take(self, ctx, bus, addresses, bad):
        words = []
        while len(words) < len(addresses):
            ready = self.rng.random() >= self.gap
            ctx.set(bus.write.ready, ready)
            _, _, valid, word = await ctx.tick().sample(bus.write.valid, bus.write.payload)
            if ready and valid:
                words.append(word)
        ctx.set(bus.write.ready, 0)
        await self._wait(ctx)
        ctx.set(bus.done, 1)
        ctx.set(bus.error, bad is not None)
        _, _, valid = await ctx.tick().sample(bus.write.valid)
        assert not valid, "a word too many"
        ctx.set(bus.done, 0)
        return words
