"""Does each commit leave its record in the promised cycle, and in the promised order?

What each commit does is checked with the core, against the golden unit model.
"""

import pytest
from amaranth.hdl import Array, Module
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator
from moefetch.hw.commands import Command
from moefetch.hw.commit_port import CommitPort
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.prefetch_queue import PrefetchQueue
from moefetch.hw.records import Fill, Filter, GrantStatus, Issue, Kind, Record, Sweep
from moefetch.hw.residency import ResidencyDirectory
from moefetch.hw.victim_search import VictimSearch

CONFIG = UNIT_PRESETS["tiny"]
SETTINGS = {
    "n_layers": 4, "n_experts": 8, "n_slots": 6, "expert_beats": 16, "base": 0x1000_0000, "layer_stride": 1 << 16,
    "expert_stride": 1 << 12, "budget": 8,
}  # fmt: skip


class Bench:
    """The commit port with directory, search and queues; the test plays intake, DMA, merge and elements."""

    def __init__(self, members, layer=1):
        self.port = CommitPort(config=CONFIG)
        self.search = VictimSearch(config=CONFIG)
        self.members, self.layer = members, layer
        self.cycle = 0
        self.log: list[tuple[int, Record]] = []
        self.grants: list[tuple[int, dict]] = []
        self.descriptors: list[tuple[str, dict]] = []
        self.pulses: list[tuple[str, int]] = []

    def run(self, drive):
        simulator = Simulator(self._module())
        simulator.add_clock(1e-8)
        simulator.add_process(self._watch)

        async def start(ctx):
            port = self.port
            ctx.set(port.settings, SETTINGS)
            ctx.set(port.intake.layer, self.layer)
            ctx.set(port.intake.n_members, len(self.members))
            ctx.set(port.demand.ready, 1)
            ctx.set(port.prefetch.ready, 1)
            await ctx.tick()
            await drive(ctx)

        simulator.add_testbench(start)
        simulator.run()

    def _module(self):
        m = Module()
        port = self.port
        m.submodules.port, m.submodules.search = port, self.search
        m.submodules.directory = directory = ResidencyDirectory(config=CONFIG)
        m.submodules.queue = queue = PrefetchQueue(config=CONFIG)
        m.submodules.misses = misses = SyncFIFOBuffered(width=CONFIG.expert_bits, depth=CONFIG.max_experts)
        connect(m, port.directory, directory.port)
        connect(m, port.search, self.search.search)
        connect(m, port.search_rows, self.search.rows)
        held = Array([*self.members, 0])
        m.d.sync += port.intake.member_expert.eq(held[port.intake.member_index])
        for member in self.members:
            with m.If(port.intake.query_expert == member):
                m.d.comb += port.intake.query_member.eq(1)
        m.d.comb += [
            queue.insert.valid.eq(port.queue.insert), queue.insert.entry.eq(port.queue.entry),
            queue.current.eq(port.current),
            queue.pop.eq(port.queue.pop), queue.flush.eq(port.queue.flush),
            port.queue.found.eq(queue.found), port.queue.drop_self.eq(queue.full_drop_self),
            port.queue.drop_last.eq(queue.drop_last), port.queue.head_valid.eq(queue.head.valid),
            port.queue.head.eq(queue.head.entry), port.queue.due.eq(queue.due), port.queue.level.eq(queue.level),
            misses.w_en.eq(port.misses.push), misses.w_data.eq(port.misses.pushed),
            misses.r_en.eq(port.misses.pop), port.misses.head_valid.eq(misses.r_rdy),
            port.misses.head.eq(misses.r_data), port.misses.empty.eq(misses.level == 0), port.grant.ready.eq(1),
        ]  # fmt: skip
        return m

    async def _watch(self, ctx):
        port = self.port
        signals = (
            port.record_valid, port.record.as_value(), port.grant.valid, port.grant.payload, port.demand.valid,
            port.demand.payload, port.prefetch.valid, port.prefetch.payload, port.fault, port.promote.valid,
            port.abort.valid, port.intake.event_end,
        )  # fmt: skip
        async for _, _, valid, record, granted, grant, *rest in ctx.tick().sample(*signals):
            demand, demanded, prefetch, prefetched, *pulses = rest
            if valid:
                self.log.append((self.cycle, Record.decode(record)))
            if granted:
                self.grants.append((self.cycle, grant))
            for name, sent, descriptor in (("demand", demand, demanded), ("prefetch", prefetch, prefetched)):
                if sent:
                    self.descriptors.append((name, {n: descriptor[n] for n in ("address", "beats", "slot")}))
            for name, high in zip(("fault", "promote", "abort", "end"), pulses, strict=True):
                if high:
                    self.pulses.append((name, self.cycle))
            self.cycle += 1

    async def offer(self, ctx, port, **payload):
        """Offer on a stream until it is taken; return the cycle of the first offer."""
        begin = self.cycle
        ctx.set(port.payload, payload)
        ctx.set(port.valid, 1)
        while not (await ctx.tick().sample(port.ready))[-1]:
            pass
        ctx.set(port.valid, 0)
        return begin

    async def command(self, ctx, kind, **key):
        begin = self.cycle
        for name, value in {"valid": 1, "kind": kind, **key}.items():
            ctx.set(getattr(self.port.command, name), value)
        while not (await ctx.tick().sample(self.port.command.done))[-1]:
            pass
        ctx.set(self.port.command.valid, 0)
        return begin, self.cycle - 1

    async def status(self, ctx, slot, fill=Fill.DONE, drained=0):
        return await self.offer(ctx, self.port.status, slot=slot, fill=fill, drained=drained)

    async def candidate(self, ctx, layer, expert, target, score=9):
        return await self.offer(ctx, self.port.candidate, target=target, layer=layer, expert=expert, score=score)

    async def release(self, ctx, expert, slot, status):
        return await self.offer(
            ctx, self.port.release, layer=self.layer, expert=expert, slot=slot, status=status
        )  # fmt: skip

    async def idle(self, ctx, cycles=30):
        for _ in range(cycles):
            await ctx.tick()

    def since(self, cycle):
        """Return (cycle, kind, outcome) of the records from `cycle` on, by cycles after it."""
        return [(when - cycle, record.kind, record.outcome) for when, record in self.log if when >= cycle]


SEARCH = -(-SETTINGS["n_slots"] // CONFIG.scan_lanes) + 3 + 1
"""Latency of the search: rows, three stages and one level of the tree."""
PRESENT = 2
"""Cycles in which a prefetch first looks for its own expert."""


def test_candidate_issue_and_fill():
    bench = Bench([])

    async def drive(ctx):
        begin = await bench.candidate(ctx, 1, 5, target=1)
        await bench.idle(ctx)
        issued = begin + 3 + PRESENT + bench.search.latency(SETTINGS["n_slots"]) + 3
        assert bench.search.latency(SETTINGS["n_slots"]) == SEARCH
        assert bench.since(begin) == [
            (3, Kind.CANDIDATE, Filter.QUEUED), (issued - begin, Kind.ISSUE, Issue.FREE),
        ]  # fmt: skip
        assert bench.descriptors == [("prefetch", {"address": 0x1000_0000 + 0x10000 + 0x5000, "beats": 16, "slot": 0})]
        begin = await bench.status(ctx, 0)
        await bench.idle(ctx)
        assert bench.since(begin) == [(2, Kind.FILL, Fill.DONE)]
        begin = await bench.candidate(ctx, 1, 5, target=1)
        await bench.idle(ctx)
        assert bench.since(begin) == [(3, Kind.CANDIDATE, Filter.RESIDENT)]

    bench.run(drive)


async def prefetch(bench, ctx, expert, target, *, layer=1, fill=True):
    """Bring an expert in; slots are taken from 0 on."""
    await bench.candidate(ctx, layer, expert, target)
    await bench.idle(ctx)
    slot = bench.log[-1][1].slot
    if fill:
        await bench.status(ctx, slot)
        await bench.idle(ctx, 4)
    return slot


def test_event_from_close_to_end():
    """CLOSE 2, each member 2 more, queue entries and the policy 1 each; release 2, and END one later."""
    bench = Bench([3, 4, 5])
    port = bench.port

    async def drive(ctx):
        resident = await prefetch(bench, ctx, 3, target=0)
        filling = await prefetch(bench, ctx, 4, target=0, fill=False)
        ctx.set(port.prefetch.ready, 0)
        for expert in (5, 6):  # stay queued: one is a member
            await bench.candidate(ctx, 1, expert, target=0)
        await bench.idle(ctx, 6)
        begin = bench.cycle
        ctx.set(port.intake.closed, 1)
        assert ctx.get(port.classifying)
        await bench.idle(ctx, 40)
        policy = 2 + 2 * 3 + 2 + 2
        records = bench.since(begin)
        assert records[:6] == [
            (2, Kind.CLOSE, 0), (4, Kind.CLASSIFY, 3), (6, Kind.CLASSIFY, 1), (8, Kind.CLASSIFY, 0),
            (9, Kind.EXPIRE, 1), (10, Kind.EXPIRE, 0),
        ]  # fmt: skip
        # In the cycle of the policy's record, had it one, the search for the miss is requested.
        assert records[6:] == [(policy + SEARCH + 3, Kind.ISSUE, Issue.FREE)]
        assert [grant["slot"] for _, grant in bench.grants] == [resident]
        assert bench.grants[0][0] == begin + 3, "granted in the cycle of the classification"
        assert ("promote", begin + 5) in bench.pulses
        for slot in (filling, 2):
            await bench.status(ctx, slot)
        await bench.idle(ctx, 4)
        begin = await bench.release(ctx, 3, resident, GrantStatus.HIT)
        await bench.idle(ctx)
        assert bench.since(begin) == [(2, Kind.RELEASE, GrantStatus.HIT)]
        assert [grant["status"] for _, grant in bench.grants] == [GrantStatus.HIT, GrantStatus.LATE, GrantStatus.MISS]
        await bench.release(ctx, 4, filling, GrantStatus.LATE)
        begin = await bench.release(ctx, 5, 2, GrantStatus.MISS)
        ctx.set(port.intake.closed, 0)
        await bench.idle(ctx)
        assert bench.since(begin)[-2:] == [(2, Kind.RELEASE, GrantStatus.MISS), (3, Kind.END, 0)]
        assert bench.pulses[-1] == ("end", begin + 2)

    bench.run(drive)


def test_a_prefetch_whose_expert_a_demand_has_brought_is_dropped_after_three_cycles():
    bench = Bench([5])
    port = bench.port

    async def drive(ctx):
        ctx.set(port.prefetch.ready, 0)
        await bench.candidate(ctx, 1, 5, target=1)
        ctx.set(port.intake.closed, 1)
        await bench.idle(ctx, 40)
        begin = bench.cycle
        ctx.set(port.prefetch.ready, 1)
        await bench.idle(ctx)
        assert bench.since(begin) == [(3, Kind.ISSUE, Issue.PRESENT)]
        assert bench.log[-1][1] == Record(Kind.ISSUE, Issue.PRESENT, layer=1, expert=5, source=1, deadline=1)
        assert [name for name, _ in bench.descriptors] == ["demand"]

    bench.run(drive)


def test_a_commands_sweep_takes_two_cycles_a_slot():
    bench = Bench([])
    slots = CONFIG.slots

    async def drive(ctx):
        for expert in range(3):
            await prefetch(bench, ctx, expert, target=0)
        for kind, outcome in ((Command.PIN_KEY, Sweep.PIN), (Command.UNPIN_KEY, Sweep.UNPIN)):
            begin, done = await bench.command(ctx, kind, layer=1, expert=2)
            await bench.idle(ctx)
            assert bench.since(begin) == [(2 + 2 * 2 + 1, Kind.PIN, outcome)]
            assert done - begin == 2 * slots
        begin, _ = await bench.command(ctx, Command.INVALIDATE_KEY, layer=1, expert=1)
        await bench.idle(ctx)
        assert bench.since(begin) == [(2 + 2 * 1 + 1, Kind.FREE, Sweep.INVALIDATE)]
        begin, _ = await bench.command(ctx, Command.INVALIDATE_LAYER, layer=2)
        await bench.idle(ctx)
        assert bench.since(begin) == []
        begin, _ = await bench.command(ctx, Command.INVALIDATE_LAYER, layer=1)
        await bench.idle(ctx)
        assert [(when, record.slot) for when, record in bench.log[-2:]] == [
            (begin + 2 + 1, 0),
            (begin + 2 + 2 * 2 + 1, 2),
        ]

    bench.run(drive)


def test_quiesce_and_resume():
    bench = Bench([])

    async def drive(ctx):
        begin, done = await bench.command(ctx, Command.QUIESCE)
        assert begin == done and ctx.get(bench.port.quiesced)
        begin = await bench.candidate(ctx, 1, 1, target=0)
        await bench.idle(ctx)
        assert bench.since(begin) == [(3, Kind.CANDIDATE, Filter.EXPIRED)]
        await bench.command(ctx, Command.RESUME)
        begin = await bench.candidate(ctx, 1, 1, target=0)
        await bench.idle(ctx)
        assert bench.since(begin)[0] == (3, Kind.CANDIDATE, Filter.QUEUED)

    bench.run(drive)


def test_precedence_when_everything_waits():
    """FILL, RELEASE with END, CLOSE, command, CANDIDATE, ISSUE of the miss, ISSUE of the prefetch."""
    bench = Bench([2])
    port = bench.port

    async def drive(ctx):
        ctx.set(port.intake.closed, 1)
        await bench.idle(ctx, 40)
        await bench.status(ctx, 0)
        ctx.set(port.prefetch.ready, 1)
        await prefetch(bench, ctx, 6, target=1, layer=2, fill=False)
        begin = bench.cycle
        ctx.set(port.release.payload, {"layer": 1, "expert": 2, "slot": 0, "status": GrantStatus.MISS})
        ctx.set(port.status.payload, {"slot": 1, "fill": Fill.FAILED})
        ctx.set(port.candidate.payload, {"target": 2, "layer": 3, "expert": 7})
        ctx.set(port.intake.layer, 2)
        ctx.set(port.command.kind, Command.FLUSH)
        for request in (port.release, port.status, port.candidate, port.command):
            ctx.set(request.valid, 1)
        for _ in range(60):
            signals = (port.release.ready, port.status.ready, port.candidate.ready, port.command.done)
            taken = (await ctx.tick().sample(*signals))[2:]
            for request, ready in zip((port.release, port.status, port.candidate, port.command), taken, strict=True):
                if ready:
                    ctx.set(request.valid, 0)
        kinds = [(kind, outcome) for _, kind, outcome in bench.since(begin)]
        assert kinds == [
            (Kind.FILL, Fill.FAILED), (Kind.RELEASE, GrantStatus.MISS), (Kind.END, 0), (Kind.CLOSE, 0),
            (Kind.CLASSIFY, 0), (Kind.FLUSH, 0), (Kind.CANDIDATE, Filter.QUEUED), (Kind.ISSUE, Issue.FREE),
            (Kind.ISSUE, Issue.FREE),
        ]  # fmt: skip
        assert [record.source for _, record in bench.log[-2:]] == [0, 1]
        assert [name for name, _ in bench.descriptors[-2:]] == ["demand", "prefetch"]

    bench.run(drive)


@pytest.mark.parametrize("status", [GrantStatus.HIT, GrantStatus.ERROR])
def test_a_release_of_no_grant_is_a_fault(status):
    bench = Bench([])

    async def drive(ctx):
        await prefetch(bench, ctx, 1, target=0)
        begin = await bench.release(ctx, 1, 0, status)
        await bench.idle(ctx)
        assert bench.since(begin) == []
        assert bench.pulses == [("fault", begin + 1)]

    bench.run(drive)
