"""A prefetch core in Amaranth's simulator, with a memory, processing elements and the golden scoreboard around it."""

import random
from collections import deque
from dataclasses import dataclass, field

from amaranth.hdl import Array, Module, ResetInserter, Signal
from amaranth.sim import Simulator
from moefetch.hw.commands import Command
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.counter_names import COUNTERS, broken_laws, counters_of
from moefetch.hw.counters import CounterFile
from moefetch.hw.page_channel import TABLES
from moefetch.hw.prefetch_core import PrefetchCore
from moefetch.hw.records import AbortPolicy, GrantStatus, Kind, Record, VictimPolicy
from moefetch.sim.golden.candidates import HintBeat
from moefetch.sim.golden.event import RouterBeat
from moefetch.sim.golden.settings import UnitSettings
from moefetch.sim.golden.unit_model import UnitModel

from .core_tables import TABLE_BASE, CoreTables

CONFIG = UNIT_PRESETS["tiny"].replace(slot_bytes=64, predictors=(), commit_log=True)
BASE, LAYER_STRIDE, EXPERT_STRIDE = 0x12_3456_7000, 1 << 16, 1 << 12


def word_at(address):
    """Return the 32-bit word that the memory holds."""
    return (address * 0x9E3779B1 >> 2 ^ address) & 0xFFFFFFFF


@dataclass
class Surroundings:
    """How the world around the core behaves; probabilities are per cycle, `error` per burst."""

    latency: tuple[int, int] = (3, 3)
    arready: float = 1.0
    rvalid: float = 1.0
    error: float = 0.0
    compute: tuple[int, int] = (4, 4)
    grant_ready: float = 1.0


@dataclass
class Burst:
    address: int
    beats: int
    id: int
    due: int
    fails: bool
    at: int = 0


@dataclass
class Element:
    """A processing element: reads its granted slot word by word, computes, releases."""

    grant: dict | None = None
    beat: int = 0
    busy: int = 0
    expected: int | None = None


class Unchecked:
    """Stands in for the golden model where a test changes what that model takes as fixed."""

    def __getattr__(self, name):
        return lambda *arguments: None


@dataclass
class CoreBench:
    """Runs events against a core; every record, grant, word and snapshot is checked as it comes.

    `settings` overrides the defaults, `top_k` is per layer. The test bench `drive` is the caller's.
    """

    config: object = CONFIG
    settings: dict = field(default_factory=dict)
    top_k: tuple = (2, 2, 2, 2)
    around: Surroundings = field(default_factory=Surroundings)
    predictor: object = None
    seed: int = 0

    def __post_init__(self):
        config = self.config
        self.rng = random.Random(f"surroundings {self.seed}")
        self.live = {
            "n_layers": 4, "n_experts": 8, "n_slots": config.slots, "expert_beats": 8,
            "base": BASE, "layer_stride": LAYER_STRIDE, "expert_stride": EXPERT_STRIDE,
            "predictor": 0, "hints": 1, "hints_first": 0, "budget": 4, "min_score": 2,
            "row_entries": config.max_top_k, "hold_cycles": 0,
            "victim_policy": VictimPolicy.LRU, "abort_policy": AbortPolicy.NEVER,
            "evict_at_event_end": 0, "outstanding": config.outstanding, "burst_beats": 2, "retries": 1,
            "qos_demand": 2, "qos_prefetch": 1, "cache": 3, "prot": 0,
        } | self.settings  # fmt: skip
        if config.pages_tables:
            self.live |= {"table_base": TABLE_BASE, "table_enable": 1}
            self.tables = CoreTables(self)
        self.model = UnitModel(
            UnitSettings(
                queue_depth=config.queue_depth, horizon=config.horizon, mapping_window=config.mapping_window,
                top_k=self.top_k[: self.live["n_layers"]],
                **{
                    name: self.live[name]
                    for name in (
                        "n_layers", "n_experts", "n_slots", "budget", "hints", "victim_policy", "abort_policy",
                        "evict_at_event_end",
                    )
                },
            ),
            self.predictor,
        )  # fmt: skip
        self.core = PrefetchCore(config=config)
        self.cycle = 0
        self.log: list[tuple[int, Record]] = []
        self.grants: list[tuple[int, int]] = []
        self.snapshots = self.sent = 0
        self.counters: dict[str, int] = {}
        self.elements = [Element() for _ in range(config.n_pe)]
        self.releases: deque[dict] = deque()
        self.bursts: deque[Burst] = deque()
        self._held: dict[int, object] = {}
        self.reset = Signal()

    def run(self, drive, *background, limit=200_000, watch_counters=True):
        """Simulate until `drive(ctx)` ends; without `watch_counters` the counters' port is the driver's."""
        module = Module()
        module.submodules.core = ResetInserter(self.reset)(self.core)
        module.d.comb += self.core.topk_value.eq(Array(self.top_k)[self.core.topk_layer])
        simulator = Simulator(module)
        simulator.add_clock(1e-8)
        self.limit = limit

        async def start(ctx):
            ctx.set(self.core.settings, self.live)
            await ctx.tick().repeat(2)
            await drive(ctx)

        simulator.add_testbench(start)
        for process in background:
            simulator.add_testbench(process, background=True)
        simulator.add_process(self._surround)
        if self.config.pages_tables:
            simulator.add_process(self.tables.take_writes)
            simulator.add_process(self.tables.watch_priority)
        if watch_counters:
            simulator.add_process(self._watch_counters)
        simulator.run()

    # What a driver uses

    async def send_event(self, ctx, beats, *, gap=0.0):
        """Send an event's router beats; return the cycle in which the last was taken."""
        self.model.offer_event(beats)
        self.sent += 1
        return await self._send(ctx, self.core.route, beats, gap)

    async def send_hints(self, ctx, hints, *, gap=0.0):
        """Send hints for a coming event."""
        self.model.offer_hints(hints)
        return await self._send(ctx, self.core.hint, hints, gap)

    async def _send(self, ctx, port, beats, gap):
        for beat in beats:
            while self.rng.random() < gap:
                await ctx.tick()
            ctx.set(port.payload, beat._asdict())
            ctx.set(port.valid, 1)
            while not (await ctx.tick().sample(port.ready))[-1]:
                pass
            ctx.set(port.valid, 0)
        return self.cycle - 1

    async def wait_end(self, ctx):
        """Wait for the END of the last event sent."""
        while self.count(Kind.END) < self.sent:
            await ctx.tick()

    async def quiet(self, ctx, cycles=60):
        """Wait until the unit says that it is idle, and for `cycles` more."""
        while not ctx.get(self.core.state.idle):
            await ctx.tick()
        for _ in range(cycles):
            await ctx.tick()

    async def command(self, ctx, kind, layer=0, expert=0):
        """Give a command and wait until it is done."""
        model = self.model
        if kind in (Command.QUIESCE, Command.RESUME):
            model.may_be_quiesced = True
        elif kind == Command.FLUSH:
            model.offer_flush()
        elif kind == Command.INVALIDATE_ALL:
            model.offer_invalidate()
        elif kind == Command.PIN_KEY:
            model.offer_pin(layer, expert)
        elif kind == Command.UNPIN_KEY:
            model.offer_unpin(layer, expert)
        port = self.core.command
        ctx.set(port.kind, kind)
        ctx.set(port.layer, layer)
        ctx.set(port.expert, expert)
        ctx.set(port.valid, 1)
        while not (await ctx.tick().sample(port.done))[-1]:
            pass
        ctx.set(port.valid, 0)
        await ctx.tick()

    def count(self, kind, outcome=None):
        """Return how many records of this kind, and outcome, came so far."""
        return sum(r.kind == kind and outcome in (None, r.outcome) for _, r in self.log)

    def finish(self):
        """Return the golden model's counters after comparing the unit's last snapshot with them."""
        expected = self.model.finish()
        shared = {name: self.counters[name] for name in expected if name in COUNTERS}
        assert shared == {name: expected[name] for name in shared}
        assert self.snapshots > 1
        return expected

    # The surroundings

    async def _surround(self, ctx):
        core = self.core
        axi = core.axi
        signals = (
            core.record_valid, core.record.as_value(), core.grant.valid, core.grant.ready, core.grant.payload,
            axi.arvalid, axi.arready, axi.araddr, axi.arlen, axi.arid, axi.rvalid, core.release.valid,
            core.release.ready, *(s for port in core.read for s in (port.valid, port.ready, port.data)),
        )  # fmt: skip
        while True:
            self._drive_memory(ctx)
            self._drive_elements(ctx)
            values = (await ctx.tick().sample(*signals))[2:]
            self.cycle += 1
            assert self.cycle < self.limit, "the unit hangs"
            record_valid, record, grant_valid, grant_ready, grant, *rest = values
            arvalid, arready, address, length, burst_id, rvalid, release_valid, release_ready, *reads = rest
            if record_valid:
                self._take_record(Record.decode(record))
            self._take_reads(reads)
            if release_valid and release_ready:
                self.releases.popleft()
            if grant_valid and grant_ready:
                self._take_grant(grant)
            if rvalid:
                self._beat_taken()
            if arvalid and arready:
                self._take_burst(address, length + 1, burst_id)

    def _take_record(self, record):
        self.log.append((self.cycle - 1, record))
        self.model.check(record, self.cycle - 1)

    def _take_burst(self, address, beats, burst_id):
        config = self.config
        assert address // 4096 == (address + beats * config.bus_bytes - 1) // 4096, "burst across 4 KiB"
        due = self.cycle + self.rng.randint(*self.around.latency)
        if burst_id == TABLES:
            self.bursts.append(Burst(address, beats, burst_id, due, self.tables.burst_fails()))
        else:
            self.bursts.append(Burst(address, beats, burst_id, due, self.rng.random() < self.around.error))
        assert sum(burst.id != TABLES for burst in self.bursts) <= self.live["outstanding"]

    def _put(self, ctx, signal, value):
        """Set a signal if that changes it, which is what costs time."""
        if self._held.get(id(signal)) != value:
            self._held[id(signal)] = value
            ctx.set(signal, value)

    def _drive_memory(self, ctx):
        axi = self.core.axi
        self._put(ctx, axi.arready, self.rng.random() < self.around.arready)
        head = self.bursts[0] if self.bursts else None
        serve = head is not None and head.due <= self.cycle and self.rng.random() < self.around.rvalid
        self._put(ctx, axi.rvalid, serve)
        if serve:
            address = head.address + head.at * self.config.bus_bytes
            word = self.tables.word(address) if head.id == TABLES else word_at(address)
            self._put(ctx, axi.rdata, ~word & 0xFFFFFFFF if head.fails else word)
            self._put(ctx, axi.rid, head.id)
            self._put(ctx, axi.rresp, 2 * head.fails)
            self._put(ctx, axi.rlast, head.at == head.beats - 1)

    def _beat_taken(self):
        head = self.bursts[0]
        head.at += 1
        if head.id == TABLES:
            self.tables.read_beats += 1
        if head.at == head.beats:
            self.bursts.popleft()

    def _drive_elements(self, ctx):
        core = self.core
        idle = any(element.grant is None for element in self.elements)
        self._put(ctx, core.grant.ready, idle and self.rng.random() < self.around.grant_ready)
        self._put(ctx, core.release.valid, bool(self.releases))
        if self.releases:
            self._put(ctx, core.release.payload, self.releases[0])
        for element, port in zip(self.elements, core.read, strict=True):
            reading = element.grant is not None and element.beat < self.live["expert_beats"]
            self._put(ctx, port.valid, reading)
            if reading:
                self._put(ctx, port.slot, element.grant["slot"])
                self._put(ctx, port.beat, element.beat)

    def _take_grant(self, payload):
        grant = {name: int(payload[name]) for name in ("layer", "expert", "slot")}
        grant["status"] = GrantStatus(payload.status)
        self.model.check_grant(*grant.values())
        self.grants.append((self.cycle - 1, grant["status"]))
        if grant["status"] == GrantStatus.ERROR:
            self.releases.append(grant)
            return
        element = next(element for element in self.elements if element.grant is None)
        element.grant, element.beat = grant, 0
        element.busy = self.rng.randint(*self.around.compute)

    def _take_reads(self, reads):
        """Check the word read in the cycle before, and go on."""
        for element, valid, ready, data in zip(self.elements, reads[::3], reads[1::3], reads[2::3], strict=True):
            if element.expected is not None:
                assert data == element.expected, f"cycle {self.cycle}: {element}"
                element.expected = None
            if valid and ready:
                grant = element.grant
                start = self.live["base"] + grant["layer"] * LAYER_STRIDE + grant["expert"] * EXPERT_STRIDE
                element.expected = word_at(start + element.beat * self.config.bus_bytes)
                element.beat += 1
            elif element.grant is not None and element.beat == self.live["expert_beats"]:
                element.busy -= 1
                if element.busy <= 0:
                    self.releases.append(element.grant)
                    element.grant = None

    async def _watch_counters(self, ctx):
        while True:
            ctx.set(self.core.counters.snapshot, 1)
            await ctx.tick()
            ctx.set(self.core.counters.snapshot, 0)
            await ctx.tick().repeat(CounterFile.snapshot_latency - 1)
            await self.read_counters(ctx)

    async def read_counters(self, ctx):
        """Read the last snapshot, and check the laws in it."""
        port = self.core.counters
        read = []
        names = list(counters_of(self.config))
        for index in range(len(names) + 1):
            ctx.set(port.index, min(index, len(names) - 1))
            read.append((await ctx.tick().sample(port.value))[-1])
        self.counters = dict(zip(names, read[1:], strict=True))
        assert not broken_laws(self.counters), f"cycle {self.cycle}: {broken_laws(self.counters)}"
        self.snapshots += 1


def router_beats(layer, tokens, *, sequence_start=False):
    """Return the router beats of an event: a list of experts for each token."""
    beats = [
        RouterBeat(layer, expert, 255 - place, place == len(token) - 1, False, sequence_start)
        for token in tokens
        for place, expert in enumerate(token)
    ]
    return [*beats[:-1], beats[-1]._replace(last=True)]


def hint_beats(layer, experts, rng=None):
    """Return hints for an event of `layer`."""
    return [
        HintBeat(layer, expert, rng.randrange(256) if rng else 100, place == len(experts) - 1)
        for place, expert in enumerate(experts)
    ]
