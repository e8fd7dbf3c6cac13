"""Does the unit, programmed over AXI4-Lite alone, fetch and grant experts, count them and raise its interrupt?"""

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.prefetch_unit import PrefetchUnit
from moefetch.hw.records import GrantStatus, Kind, Record
from moefetch.hw.register_access import (
    command_writes,
    counter_offset,
    field_table,
    register_offsets,
    settings_writes,
    top_k_writes,
)

from .core_bench import word_at

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

CONFIG = UNIT_PRESETS["tiny"].replace(slot_bytes=64, predictors=(), commit_log=True)
OFFSETS, FIELDS = register_offsets(CONFIG), field_table(CONFIG)
BEATS, BASE = 8, 0x10_0000_0000
SETTINGS = {
    "n_layers": 2, "n_experts": 6, "n_slots": 4, "expert_beats": BEATS, "base": BASE, "layer_stride": 1 << 16,
    "expert_stride": 1 << 12, "hints": 1, "budget": 4, "outstanding": 2, "burst_beats": 4, "retries": 0,
}  # fmt: skip


def test_without_commit_log_the_log_is_no_port():
    names = PrefetchUnit(config=CONFIG.replace(commit_log=False)).signature.members
    assert "record" not in names and "record_valid" not in names


class Bench:
    """The unit with a memory of three cycles latency in address order, every burst of `failing` with an error."""

    def __init__(self, failing=()):
        self.unit = PrefetchUnit(config=CONFIG)
        self.failing = [BASE + (layer << 16) + (expert << 12) for layer, expert in failing]
        self.log = []

    def run(self, drive):
        simulator = Simulator(self.unit)
        simulator.add_clock(1e-8)
        simulator.add_process(self._memory)
        simulator.add_testbench(drive)
        simulator.run()

    async def _memory(self, ctx):
        unit, axi = self.unit, self.unit.m_axi
        beats = []
        ctx.set(axi.arready, 1)
        signals = (axi.arvalid, axi.araddr, axi.arlen, axi.arid, unit.record_valid, unit.record.as_value())
        cycle = 0
        while True:
            serve = bool(beats) and beats[0][0] <= cycle
            ctx.set(axi.rvalid, serve)
            if serve:
                _, address, burst_id, last = beats.pop(0)
                ctx.set(axi.rdata, word_at(address))
                ctx.set(axi.rid, burst_id)
                ctx.set(axi.rlast, last)
                ctx.set(axi.rresp, 2 if address & ~0xFFF in self.failing else 0)
            _, _, arvalid, address, length, burst_id, valid, record = await ctx.tick().sample(*signals)
            cycle += 1
            if arvalid:
                beats += [(cycle + 3, address + 4 * k, burst_id, k == length) for k in range(length + 1)]
            if valid:
                self.log.append(Record.decode(record))

    async def write(self, ctx, address, data):
        bus = self.unit.s_axil
        values = {"awvalid": 1, "awaddr": address, "wvalid": 1, "wdata": data, "wstrb": 15, "bready": 1}
        for name, value in values.items():
            ctx.set(getattr(bus, name), value)
        await ctx.tick().until(bus.awready & bus.wready)
        ctx.set(bus.awvalid, 0)
        ctx.set(bus.wvalid, 0)
        response, *_ = await ctx.tick().sample(bus.bresp).until(bus.bvalid)
        assert response == 0, f"write of {data:#x} to {address:#x}"

    async def read(self, ctx, address):
        bus = self.unit.s_axil
        for name, value in {"arvalid": 1, "araddr": address, "rready": 1}.items():
            ctx.set(getattr(bus, name), value)
        await ctx.tick().until(bus.arready)
        ctx.set(bus.arvalid, 0)
        data, response, *_ = await ctx.tick().sample(bus.rdata, bus.rresp).until(bus.rvalid)
        assert response == 0
        return data

    async def program(self, ctx):
        for write in (*settings_writes(CONFIG, SETTINGS), *top_k_writes(CONFIG, [2, 1])):
            await self.write(ctx, *write)
        await self.write(ctx, OFFSETS["IRQ_ENABLE"], 0b11111)

    async def counters(self, ctx, *names):
        await self.write(ctx, OFFSETS["COUNTER_CONTROL"], 1)
        return [await self.read(ctx, counter_offset(CONFIG, name)) for name in names]

    async def send(self, ctx, port, **payload):
        ctx.set(port.payload, payload)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)

    async def event(self, ctx, layer, experts):
        """Send a one-token event, take its grants, read each slot, release; return (expert, status) in order."""
        unit, taken = self.unit, []
        for place, expert in enumerate(experts, 1):
            last = place == len(experts)
            await self.send(ctx, unit.route, layer=layer, expert=expert, score=9, token_last=last, last=last)
        for _ in experts[: (2, 1)[layer]]:
            ctx.set(unit.grant.ready, 1)
            grant, *_ = await ctx.tick().sample(unit.grant.payload).until(unit.grant.valid)
            ctx.set(unit.grant.ready, 0)
            taken.append((grant.expert, GrantStatus(grant.status)))
            if grant.status != GrantStatus.ERROR:
                await self.check_words(ctx, layer, grant)
            fields = {name: grant[name] for name in ("layer", "expert", "slot", "status")}
            await self.send(ctx, unit.release, **fields)
        await ctx.tick().until(unit.route.ready)
        return taken

    async def check_words(self, ctx, layer, grant):
        port = self.unit.read[1]
        ctx.set(port.valid, 1)
        ctx.set(port.slot, grant.slot)
        for beat in range(BEATS):
            ctx.set(port.beat, beat)
            await ctx.tick().until(port.ready)
            assert ctx.get(port.data) == word_at(BASE + (layer << 16) + (grant.expert << 12) + 4 * beat)
        ctx.set(port.valid, 0)


def test_events_hints_counters_and_a_command():
    bench = Bench()

    async def drive(ctx):
        unit = bench.unit
        await bench.program(ctx)
        assert await bench.event(ctx, 0, [3, 5, 1]) == [(3, GrantStatus.MISS), (5, GrantStatus.MISS)], "top-k is 2"
        await bench.send(ctx, unit.hint, layer=1, expert=2, score=7, last=1)
        await ctx.tick().repeat(80)
        assert await bench.event(ctx, 1, [2]) == [(2, GrantStatus.HIT)]
        assert await bench.event(ctx, 0, [5, 4]) == [(5, GrantStatus.HIT), (4, GrantStatus.MISS)]
        names = ("events", "demand", "hit", "miss", "hit_prefetch", "hit_reuse", "issued", "generated")
        assert await bench.counters(ctx, *names) == [3, 5, 2, 3, 1, 1, 1, 1]
        assert not ctx.get(unit.irq)
        for write in command_writes(CONFIG, "invalidate_all"):
            await bench.write(ctx, *write)
        await ctx.tick().repeat(20)
        assert ctx.get(unit.irq), "the command is done"
        assert sum(record.kind == Kind.FREE for record in bench.log) == 4
        assert await bench.event(ctx, 1, [2]) == [(2, GrantStatus.MISS)]

    bench.run(drive)


def test_top_k_holds_for_a_first_event_of_any_layer():
    bench = Bench()

    async def drive(ctx):
        await bench.program(ctx)
        for place, expert in enumerate((2, 3), 1):
            last = place == 2
            await bench.send(ctx, bench.unit.route, layer=1, expert=expert, token_last=last, last=last)
        await ctx.tick().repeat(20)
        assert await bench.counters(ctx, "events", "demand") == [1, 1], "top-k of layer 1 is 1"

    bench.run(drive)


def test_a_bus_error_is_granted_reported_and_survived():
    bench = Bench(failing=[(0, 4)])

    async def drive(ctx):
        unit = bench.unit
        await bench.program(ctx)
        assert not ctx.get(unit.irq)
        assert set(await bench.event(ctx, 0, [4, 5])) == {(4, GrantStatus.ERROR), (5, GrantStatus.MISS)}
        assert ctx.get(unit.irq)
        place = FIELDS["failed_expert"]
        assert await bench.read(ctx, place.offset) >> place.lsb & ((1 << place.width) - 1) == 4
        await bench.write(ctx, OFFSETS["IRQ_STATUS"], 0b11111)
        assert not ctx.get(unit.irq)
        assert await bench.counters(ctx, "demand_failed", "error_grants", "demand_issued") == [1, 1, 2]

    bench.run(drive)


def test_settings_change_at_a_step_only():
    bench = Bench()

    async def drive(ctx):
        unit = bench.unit
        await bench.program(ctx)
        await bench.event(ctx, 0, [0, 1])
        for write in settings_writes(CONFIG, SETTINGS | {"hints": 0, "hints_first": 0}):
            await bench.write(ctx, *write)
        await bench.send(ctx, unit.hint, layer=1, expert=3, score=1, last=1)
        await ctx.tick().repeat(60)
        kinds = [record.kind for record in bench.log[-3:]]
        assert kinds == [Kind.CANDIDATE, Kind.ISSUE, Kind.FILL], "still the old settings"
        assert await bench.event(ctx, 1, [3]) == [(3, GrantStatus.HIT)]
        await bench.event(ctx, 0, [0, 1])
        seen = len(bench.log)
        await bench.send(ctx, unit.hint, layer=1, expert=4, score=1, last=1)
        await ctx.tick().repeat(60)
        assert len(bench.log) == seen, "hints are off from the new step on"

    bench.run(drive)
