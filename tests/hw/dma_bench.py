"""A DMA controller in Amaranth's simulator with a memory in Python that checks AXI's rules and logs all."""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from amaranth.sim import Simulator
from moefetch.hw.config import UnitConfig
from moefetch.hw.dma import DmaController

SETTINGS = {
    "outstanding": 32,
    "burst_beats": 256,
    "retries": 3,
    "qos_demand": 9,
    "qos_prefetch": 2,
    "cache": 3,
    "prot": 2,
}


def word_at(config: UnitConfig, address: int) -> int:
    """Return the bus word that the memory holds."""
    return random.Random(address).getrandbits(config.bus_bytes * 8)


class Burst(NamedTuple):
    """A burst that AR accepted in `cycle`; `valid_cycle` is the first with ARVALID."""

    valid_cycle: int
    cycle: int
    address: int
    beats: int
    id: int
    qos: int


class Status(NamedTuple):
    """A status taken in `cycle`; `valid_cycle` is the first with `valid`."""

    valid_cycle: int
    cycle: int
    slot: int
    fill: int
    drained: int


@dataclass
class Link:
    """How the memory behaves: one channel in address order, exactly timed, unless `seed` is set.

    With a seed each ID has its own order, and beats, ARREADY and status.ready come at random.
    `error` is asked once for each burst, with its address. Addresses are taken where `takes(cycle)`, beats come unless
    `silent(cycle)`, and RLAST is wrong where `wrong_last(address)`.
    """

    latency: int = 1
    beat_cycles: int = 1
    seed: int | None = None
    error: object = staticmethod(lambda address: False)
    status_ready: object = staticmethod(lambda cycle: True)
    silent: object = staticmethod(lambda cycle: False)
    takes: object = staticmethod(lambda cycle: True)
    wrong_last: object = staticmethod(lambda address: False)


@dataclass
class Bench:
    """Builds, drives and watches one DMA; times are cycle numbers, a signal's value is that before the edge."""

    config: UnitConfig
    link: Link = field(default_factory=Link)
    settings: dict = field(default_factory=dict)

    def __post_init__(self):
        self.dma = DmaController(config=self.config)
        self.cycle = 0
        self.bursts: list[Burst] = []
        self.beats: list[int] = []
        self.last_beats: list[int] = []
        self.statuses: list[Status] = []
        self.slots: dict[tuple[int, int], int] = {}
        self.sink_cycles: list[int] = []
        self.pulses = dict.fromkeys(
            (
                "beat_demand",
                "beat_prefetch",
                "beat_discarded",
                "burst",
                "retry",
                "error_response",
                "protocol_error",
                "timed_out",
            ),
            0,
        )
        self.under_way = 0
        self.most_under_way = 0
        self._queues: tuple[deque, deque] = (deque(), deque())
        self._link_free = 0
        self._ar_since = self._status_since = None
        self._ar_payload = None
        self._random = random.Random(self.link.seed)

    def run(self, *testbenches):
        """Simulate until all test benches end."""
        simulator = Simulator(self.dma)
        simulator.add_clock(1e-8)
        simulator.add_testbench(self._watch, background=True)
        for testbench in testbenches:
            simulator.add_testbench(testbench)
        simulator.run()

    def forget(self):
        """Empty the logs, between two cases of one simulation."""
        for log in (self.bursts, self.beats, self.last_beats, self.statuses, self.slots, self.sink_cycles):
            log.clear()
        self.pulses.update(dict.fromkeys(self.pulses, 0))

    async def send(self, ctx, stream, address, beats, slot):
        """Offer a descriptor; return the cycle in which it was accepted."""
        pieces = {"piece_beats": beats} if self.config.segments > 1 else {}
        return await self._send(ctx, stream, {"address": address, "beats": beats, "slot": slot} | pieces)

    async def send_pieces(self, ctx, stream, pieces, slot, *, refused=False):
        """Offer a descriptor of several pieces (address, beats); return the cycle in which it was accepted."""
        (address, piece_beats), *more = pieces
        beats = sum(beats for _, beats in pieces)
        return await self._send(ctx, stream, {
            "address": address, "piece_beats": piece_beats, "beats": beats, "slot": slot, "refused": refused,
            "more": [{"address": place, "beats": count} for place, count in more],
        })  # fmt: skip

    async def _send(self, ctx, stream, payload):
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)
        return self.cycle - 1

    async def pulse(self, ctx, port, slot):
        """Pulse promote or abort in this cycle."""
        ctx.set(port, {"valid": 1, "slot": slot})
        await ctx.tick()
        ctx.set(port, {"valid": 0, "slot": 0})

    async def wait_statuses(self, ctx, count, limit=20000):
        """Wait until so many transfers have ended."""
        start = self.cycle
        while len(self.statuses) < count:
            await ctx.tick()
            assert self.cycle < start + limit, f"only {self.statuses} after {limit} cycles"

    async def quiet(self, ctx, cycles=30):
        """Let some cycles pass and require that the DMA is idle."""
        await ctx.tick().repeat(cycles)
        assert ctx.get(self.dma.idle)
        assert not ctx.get(self.dma.demand_busy)

    def check_slot(self, slot, address, beats):
        """Require that a slot holds exactly this stretch of memory."""
        self.check_pieces(slot, [(address, beats)])

    def check_pieces(self, slot, pieces):
        """Require that a slot holds exactly these stretches of memory (address, beats), one after the other."""
        held = {beat: word for (where, beat), word in self.slots.items() if where == slot}
        step = self.config.bus_bytes
        words = [word_at(self.config, address + beat * step) for address, beats in pieces for beat in range(beats)]
        assert held == dict(enumerate(words))

    async def _watch(self, ctx):
        dma, axi = self.dma, self.dma.axi
        for name, value in (SETTINGS | self.settings).items():
            port = getattr(dma, name)
            ctx.set(port, min(value, (1 << len(port)) - 1))
        self._choose(ctx)
        sampled = ctx.tick().sample(
            axi.arvalid,
            axi.arready,
            axi.araddr,
            axi.arid,
            axi.arlen,
            axi.arqos,
            axi.rvalid,
            axi.rlast,
            axi.rready,
            dma.status.valid,
            dma.status.ready,
            dma.status.payload,
            *(getattr(dma.sink, name) for name in ("valid", "slot", "beat", "data")),
            *(getattr(dma, name) for name in self.pulses),
        )
        async for _, _, arvalid, arready, address, rid, length, qos, rvalid, rlast, rready, *rest in sampled:
            valid, ready, status, sink_valid, slot, beat, word, *pulses = rest
            assert rready
            self._watch_address(arvalid, arready, (address, length + 1, rid, qos))
            if rvalid:
                self.beats.append(self.cycle)
                if rlast:
                    self.last_beats.append(self.cycle)
                    self.under_way -= 1
            self._watch_status(valid, ready, status)
            if sink_valid:
                self.slots[slot, beat] = word
                self.sink_cycles.append(self.cycle)
            for name, pulse in zip(self.pulses, pulses, strict=True):
                self.pulses[name] += pulse
            self.cycle += 1
            self._choose(ctx)

    def _watch_address(self, valid, ready, payload):
        if not valid:
            assert self._ar_since is None, "ARVALID fell before ARREADY"
            return
        if self._ar_since is None:
            self._ar_since, self._ar_payload = self.cycle, payload
        assert payload == self._ar_payload, "AR changed while it waited"
        if not ready:
            return
        address, beats, rid, qos = payload
        assert address % 4096 + beats * self.config.bus_bytes <= 4096
        assert qos == (SETTINGS | self.settings)["qos_demand" if rid else "qos_prefetch"]
        self.bursts.append(Burst(self._ar_since, self.cycle, address, beats, rid, qos))
        self._ar_since = None
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self._plan(address, beats, rid)

    def _plan(self, address, beats, rid):
        start = max(self.cycle + self.link.latency, self._link_free)
        step = self.link.beat_cycles
        response = 2 if self.link.error(address) else 0
        self._link_free = start + beats * step
        queue = self._queues[rid if self.link.seed is not None else 0]
        for beat in range(beats):
            word = address + beat * self.config.bus_bytes
            # An error may show on any beat; here it is the first, the last, or one between.
            resp = response if beat == address // 4096 % beats else 0
            queue.append((start + (beat + 1) * step - 1, rid, word, resp, beat == beats - 1))

    def _watch_status(self, valid, ready, status):
        if not valid:
            assert self._status_since is None, "status.valid fell before status.ready"
            return
        if self._status_since is None:
            self._status_since = self.cycle
        if ready:
            self.statuses.append(Status(self._status_since, self.cycle, status.slot, int(status.fill), status.drained))
            self._status_since = None

    def _choose(self, ctx):
        """Choose what memory and status sink do in the cycle that begins."""
        axi, link = self.dma.axi, self.link
        silent = link.silent(self.cycle)
        queues = [queue for queue in self._queues if queue and queue[0][0] <= self.cycle and not silent]
        if link.seed is not None:
            ctx.set(axi.arready, self._random.random() < 0.5)
            if self._random.random() < 0.3:
                queues = []
            self._random.shuffle(queues)
            ctx.set(self.dma.status.ready, self._random.random() < 0.3)
        else:
            ctx.set(axi.arready, link.takes(self.cycle))
            ctx.set(self.dma.status.ready, bool(link.status_ready(self.cycle)))
        ctx.set(axi.rvalid, bool(queues))
        if queues:
            _, rid, address, resp, last = queues[0].popleft()
            ctx.set(axi.rid, rid)
            ctx.set(axi.rdata, word_at(self.config, address))
            ctx.set(axi.rresp, resp)
            ctx.set(axi.rlast, last ^ bool(link.wrong_last(address)))
