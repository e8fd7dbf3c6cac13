"""Does every register read, write, reject and act as registers.rdl says, in the cycle that is promised?"""

import random
import re
from pathlib import Path

import pytest
from amaranth.sim import Simulator
from moefetch.hw.commands import Command
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.counter_names import COUNTER_INDEX, COUNTERS
from moefetch.hw.counters import CounterFile
from moefetch.hw.register_access import (
    command_writes,
    counter_offset,
    default_settings,
    field_table,
    register_offsets,
    settings_writes,
    table_writes,
    top_k_writes,
)
from moefetch.hw.register_map import Access, register_map
from moefetch.hw.registers import ADDRESSING, FAULTS, RegisterBank
from moefetch.hw.settings import settings_layout

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

CONFIG = UnitConfig(
    max_layers=6, max_experts=24, max_top_k=4, slots=12, slot_bytes=5120, banks=3, n_pe=3, bus_bytes=8,
    outstanding=5, queue_depth=6, scan_lanes=4, horizon=2,
)  # fmt: skip
OKAY, SLVERR = 0, 2


class Master:
    """An AXI4-Lite master that offers AW, W and takes B after given waits."""

    def __init__(self, ctx, dut):
        self.ctx, self.bus = ctx, dut.bus
        self.offsets = register_offsets(dut.config)

    async def write(self, address, data, *, strobe=15, waits=(0, 0, 0)):
        """Return (response, cycles from the later of AW and W being taken to BVALID)."""
        ctx, bus = self.ctx, self.bus
        ctx.set(bus.awaddr, address)
        ctx.set(bus.wdata, data)
        ctx.set(bus.wstrb, strobe)
        open_channels = {"aw": waits[0], "w": waits[1]}
        cycle = 0
        while open_channels:
            for channel, wait in open_channels.items():
                ctx.set(getattr(bus, channel + "valid"), cycle >= wait)
            offered = [channel for channel, wait in open_channels.items() if cycle >= wait]
            taken = [channel for channel in offered if ctx.get(getattr(bus, channel + "ready"))]
            await ctx.tick()
            for channel in taken:
                del open_channels[channel]
                ctx.set(getattr(bus, channel + "valid"), 0)
            cycle += 1
        latency = 1
        while not ctx.get(bus.bvalid):
            await ctx.tick()
            latency += 1
            assert latency < 100
        for _ in range(waits[2]):
            await ctx.tick()
            assert ctx.get(bus.bvalid), "BVALID must stay"
        response = ctx.get(bus.bresp)
        ctx.set(bus.bready, 1)
        await ctx.tick()
        ctx.set(bus.bready, 0)
        assert not ctx.get(bus.bvalid)
        return response, latency

    async def read(self, address, *, wait=0):
        """Return (response, data, cycles from AR being taken to RVALID)."""
        ctx, bus = self.ctx, self.bus
        ctx.set(bus.araddr, address)
        ctx.set(bus.arvalid, 1)
        assert ctx.get(bus.arready)
        await ctx.tick()
        ctx.set(bus.arvalid, 0)
        latency = 1
        while not ctx.get(bus.rvalid):
            await ctx.tick()
            latency += 1
            assert latency < 100
        answer = ctx.get(bus.rresp), ctx.get(bus.rdata)
        for _ in range(wait):
            await ctx.tick()
            assert (ctx.get(bus.rresp), ctx.get(bus.rdata)) == answer
        ctx.set(bus.rready, 1)
        await ctx.tick()
        ctx.set(bus.rready, 0)
        assert not ctx.get(bus.rvalid)
        return *answer, latency

    async def get(self, address):
        response, data, _ = await self.read(address)
        assert response == OKAY
        return data

    async def put(self, address, data):
        response, _ = await self.write(address, data)
        assert response == OKAY, (hex(address), hex(data))


def run(body, config=CONFIG, processes=()):
    dut = RegisterBank(config=config)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def testbench(ctx):
        await body(ctx, dut, Master(ctx, dut))

    simulator.add_testbench(testbench)
    for process in processes:
        simulator.add_testbench(process(dut), background=True)
    simulator.run()


def seeded():
    seed = random.getrandbits(32)
    print("seed", seed)
    return random.Random(seed)


def storage(config):
    """Yield (register, word index, usable field) of plain storage that one word holds."""
    for register in register_map(config):
        for field in register.fields:
            if field.access is Access.READ_WRITE and register.name != "TABLE_DATA":
                yield register, field


def test_map_and_settings_name_the_same_fields():
    assert set(default_settings(CONFIG)) == set(settings_layout(CONFIG).members)


@pytest.mark.parametrize("config", [CONFIG, *UNIT_PRESETS.values(), UnitConfig(max_layers=256, max_experts=512)])
def test_map_has_no_overlap_and_fits(config):
    end = 0
    for register in register_map(config):
        assert register.offset >= end, register.name
        end = register.offset + register.count * register.stride
        for field in register.fields:
            assert field.minimum <= field.reset <= field.maximum or field.access is not Access.READ_WRITE, field
            assert field.description
    assert end <= 4096


def test_version_is_the_packages():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    version = re.search(r'^version = "(\d+)\.(\d+)\.(\d+)"', text, re.M)
    resets = {field.name: field.reset for register in register_map(CONFIG) for field in register.fields}
    assert [resets[name] for name in ("major", "minor", "patch")] == [int(part) for part in version.groups()]


def test_reset_values_and_capabilities():
    async def body(ctx, dut, axi):
        ctx.set(dut.state.idle, 1)
        ctx.set(dut.state.event_number, (1 << 32) - 1)
        for register in register_map(CONFIG):
            if register.name in ("TABLE_DATA", "COUNTER"):
                continue
            for element in range(register.count):
                for word in range(register.words):
                    address = register.offset + element * register.stride + 4 * word
                    assert await axi.get(address) == register.reset >> 32 * word & 0xFFFFFFFF, register.name
        for name, value in default_settings(CONFIG).items():
            assert ctx.get(dut.settings[name]) == value, name
        assert await axi.get(axi.offsets["ID"]) == int.from_bytes(b"MOEF", "big")
        assert await axi.get(axi.offsets["DIGEST_ID"]) == int(CONFIG.digest[:8], 16)

    run(body)


def test_defaults_describe_experts_that_follow_each_other():
    assert default_settings(CONFIG) | {
        "n_layers": 6, "n_experts": 24, "n_slots": 12, "expert_beats": 640, "budget": 4, "outstanding": 5,
        "burst_beats": 64, "retries": 3, "min_score": 2, "predictor": 0, "expert_stride": 8192,
        "layer_stride": 24 * 8192,
    } == default_settings(CONFIG)  # fmt: skip


def test_each_setting_reaches_the_output_and_reads_back():
    rng = seeded()

    async def body(ctx, dut, axi):
        settings = default_settings(CONFIG)
        fields = {field.name: field for _, field in storage(CONFIG)}
        for _ in range(3):
            for name in rng.sample(sorted(settings), len(settings)):
                field = fields[name]
                settings[name] = rng.choice([field.minimum, field.maximum, rng.randint(field.minimum, field.maximum)])
                settings[name] *= field.unit
                place = field_table(CONFIG)[name]
                beside = {other: settings[other] for other, at in field_table(CONFIG).items()
                          if at.offset == place.offset}  # fmt: skip
                for address, word in settings_writes(CONFIG, beside):
                    waits = (rng.randrange(4), rng.randrange(4), rng.randrange(3))
                    assert (await axi.write(address, word, waits=waits))[0] == OKAY
                    assert (await axi.read(address, wait=rng.randrange(3)))[:2] == (OKAY, word)
                assert {n: ctx.get(dut.settings[n]) for n in settings} == settings

    run(body)


def test_values_out_of_range_are_rejected_whole():
    async def body(ctx, dut, axi):
        config_error = 1 << field_table(CONFIG)["config_error"].lsb
        tried = 0
        for register, field in storage(CONFIG):
            candidates = {field.minimum - 1, field.maximum + 1, (1 << field.width) - 1}
            bad = [v for v in candidates if 0 <= v < 1 << field.width and not field.minimum <= v <= field.maximum]
            others = register.reset & ~(((1 << field.width) - 1) << field.lsb)
            for value in bad:
                tried += 1
                word = others | value << field.lsb
                assert (await axi.write(register.offset, word))[0] == SLVERR, (field.name, value)
                assert await axi.get(register.offset) == register.reset, field.name
                assert await axi.get(axi.offsets["IRQ_STATUS"]) == config_error
                await axi.put(axi.offsets["IRQ_STATUS"], config_error)
        assert tried > 20

    run(body)


def test_bits_outside_fields_read_only_and_unmapped_addresses_answer_slverr():
    async def body(ctx, dut, axi):
        used = {}
        for register in register_map(CONFIG):
            mask = sum(((1 << field.width) - 1) << field.lsb for field in register.fields)
            for element in range(register.count):
                for word in range(register.words):
                    used[register.offset + element * register.stride + 4 * word] = (
                        register,
                        mask >> 32 * word,
                    )
        for address in range(0, 4096, 4):
            if address not in used:
                assert (await axi.write(address, 0))[0] == SLVERR, hex(address)
                assert (await axi.read(address))[:2] == (SLVERR, 0), hex(address)
                continue
            register, mask = used[address]
            if all(field.access is Access.READ for field in register.fields):
                assert (await axi.write(address, 0))[0] == SLVERR, register.name
            elif unused := ~mask & 0xFFFFFFFF:
                before = None if register.name == "TABLE_DATA" else await axi.get(address)
                highest = 1 << unused.bit_length() - 1
                assert (await axi.write(address, (before or 0) | highest))[0] == SLVERR, register.name
                if register.name not in ("TABLE_DATA", "IRQ_STATUS"):
                    assert await axi.get(address) == before
        assert not ctx.get(dut.command.valid)

    run(body)


def test_write_strobes_leave_the_other_bytes():
    rng = seeded()

    async def body(ctx, dut, axi):
        address, model = axi.offsets["HOLD_CYCLES"], 0
        base = axi.offsets["BASE"]
        for _ in range(60):
            word, strobe = rng.getrandbits(32), rng.getrandbits(4)
            mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
            assert (await axi.write(address, word, strobe=strobe, waits=(rng.randrange(3), 0, 0)))[0] == OKAY
            model = model & ~mask | word & mask
            assert ctx.get(dut.settings.hold_cycles) == await axi.get(address) == model
        assert (await axi.write(base, 0xFFF, strobe=0b0001))[0] == SLVERR, "the written byte lies below 4 KiB"
        assert (await axi.write(base, 0xABCDEFFF, strobe=0b1100))[0] == OKAY
        assert (await axi.write(base + 4, 0x12345678, strobe=0b0110))[0] == OKAY
        assert ctx.get(dut.settings.base) == 0x00345600_ABCD0000

    run(body)


def test_latency_of_writes_and_reads():
    async def body(ctx, dut, axi):
        for waits in ((0, 0, 0), (3, 0, 0), (0, 2, 0)):
            assert (await axi.write(axi.offsets["MIN_SCORE"], 5, waits=waits))[1] == RegisterBank.write_latency
        for name in ("MIN_SCORE", "COUNTER", "TOP_K", "STATUS"):
            assert (await axi.read(axi.offsets[name]))[2] == RegisterBank.read_latency
        ctx.set(dut.bus.awaddr, axi.offsets["MIN_SCORE"])
        ctx.set(dut.bus.wdata, 9)
        ctx.set(dut.bus.awvalid, 1)
        ctx.set(dut.bus.wvalid, 1)
        await ctx.tick()
        ctx.set(dut.bus.awvalid, 0)
        ctx.set(dut.bus.wvalid, 0)
        assert ctx.get(dut.settings.min_score) == 5
        await ctx.tick()
        assert ctx.get(dut.settings.min_score) == 9

    run(body)


def test_a_write_waits_while_the_answer_before_it_is_not_taken():
    async def body(ctx, dut, axi):
        for signal, value in (
            (dut.bus.awaddr, axi.offsets["HOLD_CYCLES"]), (dut.bus.wstrb, 15), (dut.bus.wdata, 1),
            (dut.bus.awvalid, 1), (dut.bus.wvalid, 1), (dut.bus.bready, 0),
        ):  # fmt: skip
            ctx.set(signal, value)
        await ctx.tick()
        ctx.set(dut.bus.wdata, 2)
        await ctx.tick().repeat(20)
        assert ctx.get(dut.bus.bvalid) and ctx.get(dut.settings.hold_cycles) == 1
        ctx.set(dut.bus.bready, 1)
        await ctx.tick().repeat(RegisterBank.write_latency)
        assert ctx.get(dut.settings.hold_cycles) == 2

    run(body)


def test_a_write_takes_three_cycles_and_a_read_four():
    async def stream(ctx, dut, valids, answer, cycles):
        for name in valids:
            ctx.set(getattr(dut.bus, name), 1)
        ctx.set(dut.bus.bready, 1)
        ctx.set(dut.bus.rready, 1)
        answers = 0
        for _ in range(cycles):
            answers += ctx.get(getattr(dut.bus, answer))
            await ctx.tick()
        return answers

    async def writes(ctx, dut, axi):
        ctx.set(dut.bus.awaddr, axi.offsets["HOLD_CYCLES"])
        ctx.set(dut.bus.wstrb, 15)
        assert await stream(ctx, dut, ("awvalid", "wvalid"), "bvalid", 62) == 20

    async def reads(ctx, dut, axi):
        assert await stream(ctx, dut, ("arvalid",), "rvalid", 124) == 30

    run(writes)
    run(reads)


def test_state_and_failed_key_are_read():
    async def body(ctx, dut, axi):
        ctx.set(dut.state, {"idle": 1, "quiesced": 1, "event_number": 0xDEADBEEF, "step_number": 77})
        assert await axi.get(axi.offsets["STATUS"]) == 0b0101
        ctx.set(dut.state.event_open, 1)
        assert await axi.get(axi.offsets["STATUS"]) == 0b0111
        assert await axi.get(axi.offsets["EVENT_NUMBER"]) == 0xDEADBEEF
        assert await axi.get(axi.offsets["STEP_NUMBER"]) == 77
        ctx.set(dut.faults, {"transfer_error": 1, "layer": 5, "expert": 23})
        await ctx.tick()
        ctx.set(dut.faults, {"layer": 1, "expert": 2})
        assert await axi.get(axi.offsets["FAILED_KEY"]) == 5 << 16 | 23

    run(body)


def test_interrupt_is_raised_masked_and_cleared():
    async def body(ctx, dut, axi):
        status, enable = axi.offsets["IRQ_STATUS"], axi.offsets["IRQ_ENABLE"]
        for cause in FAULTS:
            bit = field_table(CONFIG)[cause].lsb
            await axi.put(enable, 0)
            ctx.set(dut.faults[cause], 1)
            assert not ctx.get(dut.irq)
            await ctx.tick()
            ctx.set(dut.faults[cause], 0)
            assert not ctx.get(dut.irq)
            await axi.put(enable, 1 << bit)
            assert ctx.get(dut.irq)
            await axi.put(status, 0b1111111 & ~(1 << bit))
            assert ctx.get(dut.irq), "another cause's clear must not clear this one"
            assert await axi.get(status) == 1 << bit
            await axi.put(status, 1 << bit)
            assert not ctx.get(dut.irq)
        await axi.put(enable, 0b00010)
        ctx.set(dut.faults.route_fault, 1)
        await ctx.tick()
        assert ctx.get(dut.irq), "one cycle after the cause"
        await axi.put(status, 0b00010)
        assert ctx.get(dut.irq), "a cause in the cycle of its clearing wins"

    run(body)


@pytest.mark.parametrize("segments", [1, 2])
def test_what_moves_experts_is_told_until_it_takes_effect(segments):
    values = {"EXPERT_BEATS": (1, 0), "SEGMENT_BEATS": (1, 1 << 31), "SEGMENT_CONTROL": (1, 2)}

    async def apply(ctx, dut):
        ctx.set(dut.apply, 1)
        await ctx.tick()
        ctx.set(dut.apply, 0)

    async def body(ctx, dut, axi):
        names = [name for name in ADDRESSING if name in axi.offsets]
        assert len(names) == (4 if segments == 1 else 8)
        for name in names:
            good, bad = values.get(name, (4096, 1))
            assert (await axi.write(axi.offsets[name], bad))[0] == SLVERR
            assert not ctx.get(dut.readdressed)
            await axi.put(axi.offsets[name], good)
            await axi.put(axi.offsets["N_SLOTS"], 1)
            assert ctx.get(dut.readdressed), name
            await apply(ctx, dut)
            assert not ctx.get(dut.readdressed)
        for name in axi.offsets.keys() - {*ADDRESSING, "TABLE_DATA", "WEIGHT_DATA"}:
            await axi.write(axi.offsets[name], 0)
            assert not ctx.get(dut.readdressed), name

    run(body, CONFIG.replace(segments=segments))


def test_a_rejected_write_clears_no_interrupt():
    async def body(ctx, dut, axi):
        status = axi.offsets["IRQ_STATUS"]
        await axi.put(axi.offsets["IRQ_ENABLE"], 0b00010)
        ctx.set(dut.faults.route_fault, 1)
        await ctx.tick()
        ctx.set(dut.faults.route_fault, 0)
        assert (await axi.write(status, 1 << 31 | 0b00010))[0] == SLVERR
        assert ctx.get(dut.irq)
        assert await axi.get(status) == 0b00010 | 1 << field_table(CONFIG)["config_error"].lsb
        await axi.put(status, 0b11111)
        assert not ctx.get(dut.irq)
        assert await axi.get(status) == 0

    run(body)


def test_commands_carry_kind_and_key_until_done():
    async def body(ctx, dut, axi):
        for kind in Command:
            *key, (address, word) = command_writes(CONFIG, kind.name.lower(), layer=4, expert=19)
            for write in key:
                await axi.put(*write)
            await axi.put(address, word)
            assert await axi.get(address) == 0, "self-clearing"
            assert await axi.get(axi.offsets["STATUS"]) == 0b1000
            seen = [ctx.get(getattr(dut.command, name)) for name in ("valid", "kind", "layer", "expert")]
            assert seen == [1, kind, 4, 19]
            await axi.put(axi.offsets["COMMAND_KEY"], 0)
            assert ctx.get(dut.command.layer) == 4, "the key of a command under way must not change"
            assert (await axi.write(address, word))[0] == SLVERR, "busy"
            ctx.set(dut.command.done, 1)
            await ctx.tick()
            ctx.set(dut.command.done, 0)
            assert not ctx.get(dut.command.valid)
            assert await axi.get(axi.offsets["IRQ_STATUS"]) == 0b11000
            await axi.put(axi.offsets["IRQ_STATUS"], 0b11000)
        assert (await axi.write(axi.offsets["COMMAND"], 0b11))[0] == SLVERR, "two at once"
        assert (await axi.write(axi.offsets["COMMAND"], 1 << 8))[0] == SLVERR
        await axi.put(axi.offsets["COMMAND"], 0)
        assert not ctx.get(dut.command.valid)

    run(body)


def test_top_k_is_looked_up_in_the_same_cycle():
    rng = seeded()

    async def body(ctx, dut, axi):
        top_k = [rng.randint(1, CONFIG.max_top_k) for _ in range(CONFIG.max_layers)]
        for layer in range(CONFIG.max_layers):
            ctx.set(dut.topk_layer, layer)
            assert ctx.get(dut.topk_value) == CONFIG.max_top_k
        for write in top_k_writes(CONFIG, top_k):
            await axi.put(*write)
        for layer in range(CONFIG.max_layers):
            ctx.set(dut.topk_layer, layer)
            assert ctx.get(dut.topk_value) == CONFIG.max_top_k, "written values wait for a step's first event"
        ctx.set(dut.apply, 1)
        await ctx.tick()
        ctx.set(dut.apply, 0)
        for layer in rng.sample(range(CONFIG.max_layers), CONFIG.max_layers):
            ctx.set(dut.topk_layer, layer)
            assert ctx.get(dut.topk_value) == top_k[layer] == await axi.get(axi.offsets["TOP_K"] + 4 * layer)

    run(body)


class Table:
    """A predictor's table behind a TableSignature, ready now and then, answering two cycles after a read."""

    def __init__(self, index, rng):
        self.index, self.rng, self.entries, self.accesses = index, rng, {}, 0

    def process(self, dut):
        async def testbench(ctx):
            await self._run(ctx, dut)

        return testbench

    async def _run(self, ctx, dut):
        port = dut.tables[self.index]
        pipeline = [None, None]
        while True:
            ctx.set(port.ready, self.rng.random() < 0.5)
            at = tuple(ctx.get(getattr(port, name)) for name in ("layer", "row", "entry"))
            reads, writes, ready = ctx.get(port.read), ctx.get(port.write), ctx.get(port.ready)
            value = ctx.get(port.expert), ctx.get(port.confidence)
            assert not (reads and writes)
            await ctx.tick()
            if writes and ready:
                self.entries[at] = value
            self.accesses += ready and (reads or writes)
            pipeline = [pipeline[1], self.entries.get(at, (0, 0)) if reads and ready else None]
            expert, confidence = pipeline[0] or (
                self.rng.randrange(CONFIG.max_experts),
                self.rng.randrange(4),
            )
            ctx.set(port.read_expert, expert)
            ctx.set(port.read_confidence, confidence)


def test_tables_are_loaded_and_paged_in_order():
    rng = seeded()
    tables = [Table(index, rng) for index in range(len(CONFIG.predictors))]

    async def body(ctx, dut, axi):
        for write in settings_writes(CONFIG, {"n_layers": 3, "n_experts": 5}):
            await axi.put(*write)
        keys = [(layer, row, entry) for layer in range(3) for row in range(5) for entry in range(CONFIG.max_top_k)]
        wanted = {}
        for index in range(len(tables)):
            wanted[index] = {key: (rng.randrange(CONFIG.max_experts), rng.randrange(4)) for key in keys}
            rows = [(0, 0, wanted[index].values())]
            for write in table_writes(CONFIG, index, rows):
                await axi.put(*write)
        assert [table.entries for table in tables] == [wanted[0], wanted[1]]
        assert await axi.get(axi.offsets["TABLE_ADDRESS"]) == 0, "wrapped"
        start = rng.randrange(len(keys))
        layer, row, entry = keys[start]
        await axi.put(axi.offsets["TABLE_ADDRESS"], layer << 20 | row << 8 | entry)
        for key in keys[start:] + keys[:start]:
            expert, confidence = wanted[1][key]
            assert await axi.get(axi.offsets["TABLE_DATA"]) == confidence << 16 | expert, key
        before = [table.accesses for table in tables]
        for word, strobe in ((CONFIG.max_experts, 15), (1 << 18, 15), (3, 0b0111)):
            assert (await axi.write(axi.offsets["TABLE_DATA"], word, strobe=strobe))[0] == SLVERR
        assert before == [table.accesses for table in tables]

    run(body, processes=[table.process for table in tables])


def test_table_access_waits_for_ready_and_then_takes_no_longer_than_another():
    async def body(ctx, dut, axi):
        port = dut.tables[0]
        ctx.set(port.ready, 1)
        assert (await axi.read(axi.offsets["TABLE_DATA"]))[2] == RegisterBank.read_latency
        assert (await axi.write(axi.offsets["TABLE_DATA"], 0))[1] == RegisterBank.write_latency

    async def late(ctx, dut, axi):
        ctx.set(dut.bus.araddr, axi.offsets["TABLE_DATA"])
        ctx.set(dut.bus.arvalid, 1)
        await ctx.tick()
        ctx.set(dut.bus.arvalid, 0)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.bus.rvalid)
            assert not ctx.get(dut.tables[0].read)
        ctx.set(dut.tables[0].ready, 1)
        assert ctx.get(dut.tables[0].read)
        for _ in range(2):
            await ctx.tick()
            assert not ctx.get(dut.bus.rvalid)
        await ctx.tick()
        assert ctx.get(dut.bus.rvalid)

    run(body)
    run(late)


def test_unit_without_predictors_rejects_table_accesses():
    async def body(ctx, dut, axi):
        assert (await axi.read(axi.offsets["TABLE_DATA"]))[:2] == (SLVERR, 0)
        assert (await axi.write(axi.offsets["TABLE_DATA"], 0))[0] == SLVERR
        assert (await axi.write(axi.offsets["PREDICTION"], 1))[0] == SLVERR
        assert await axi.get(axi.offsets["TOP_K"]) == CONFIG.max_top_k

    run(body, CONFIG.replace(predictors=(), max_layers=1))


def test_counters_are_read_through_the_window():
    async def body(ctx, dut, axi):
        control = axi.offsets["COUNTER_CONTROL"]
        values = {name: 0x1_0000_0000 * index + 3 * index for name, index in COUNTER_INDEX.items()}
        names = list(COUNTERS)
        answers = []

        for name in names:
            address = counter_offset(CONFIG, name)
            ctx.set(dut.bus.araddr, address)
            ctx.set(dut.counters.value, 0xBAD)
            for half in (0, 4):
                ctx.set(dut.bus.araddr, address + half)
                ctx.set(dut.bus.arvalid, 1)
                await ctx.tick()
                ctx.set(dut.bus.arvalid, 0)
                for _ in range(RegisterBank.read_latency - 1):
                    index = ctx.get(dut.counters.index)
                    await ctx.tick().repeat(CounterFile.latency)
                    ctx.set(dut.counters.value, values[names[index]] if index < len(names) else 0xBAD)
                ctx.set(dut.counters.value, 0xBAD)
                assert ctx.get(dut.bus.rvalid)
                answers.append(ctx.get(dut.bus.rdata))
                ctx.set(dut.bus.rready, 1)
                await ctx.tick()
                ctx.set(dut.bus.rready, 0)
            assert answers[-1] << 32 | answers[-2] == values[name]
        for word, strobes in ((1, (1, 0)), (2, (0, 1)), (3, (1, 1))):
            ctx.set(dut.bus.awaddr, control)
            ctx.set(dut.bus.wdata, word)
            ctx.set(dut.bus.wstrb, 15)
            ctx.set(dut.bus.awvalid, 1)
            ctx.set(dut.bus.wvalid, 1)
            await ctx.tick()
            ctx.set(dut.bus.awvalid, 0)
            ctx.set(dut.bus.wvalid, 0)
            assert (ctx.get(dut.counters.snapshot), ctx.get(dut.counters.clear)) == strobes
            await ctx.tick()
            assert (ctx.get(dut.counters.snapshot), ctx.get(dut.counters.clear)) == (0, 0)
            await ctx.tick()
            assert (ctx.get(dut.bus.bvalid), ctx.get(dut.bus.bresp)) == (1, OKAY)
            ctx.set(dut.bus.bready, 1)
            await ctx.tick()
            ctx.set(dut.bus.bready, 0)
        assert (await axi.write(control, 4))[0] == SLVERR

    run(body)


def test_a_read_in_the_cycle_of_a_snapshots_answer_finds_the_snapshot():
    async def body(ctx, dut, axi):
        offsets = register_offsets(CONFIG)
        for signal, value in (
            (dut.bus.awaddr, offsets["COUNTER_CONTROL"]), (dut.bus.wdata, 1), (dut.bus.wstrb, 15), (dut.bus.awvalid, 1),
            (dut.bus.wvalid, 1), (dut.bus.bready, 1), (dut.bus.rready, 1), (dut.bus.araddr, offsets["COUNTER"]),
        ):  # fmt: skip
            ctx.set(signal, value)
        await ctx.tick()
        ctx.set(dut.bus.awvalid, 0)
        ctx.set(dut.bus.wvalid, 0)
        assert ctx.get(dut.counters.snapshot)
        cycle = 0
        while not ctx.get(dut.bus.bvalid):
            await ctx.tick()
            cycle += 1
        ctx.set(dut.bus.arvalid, 1)
        await ctx.tick()
        ctx.set(dut.bus.arvalid, 0)
        assert cycle + 1 >= CounterFile.snapshot_latency, "the counter is looked up one cycle after AR"
        for _ in range(RegisterBank.read_latency - 1):
            assert not ctx.get(dut.bus.rvalid), "n - 1"
            await ctx.tick()
        assert ctx.get(dut.bus.rvalid), "n"

    run(body)


def test_helpers_reject_what_the_unit_would():
    cases = [
        ({"n_slots": 13}, "n_slots = 13: must be 1 to 12"),
        ({"base": 4097}, "base = 4097: must be a multiple of 4096"),
        ({"layers": 1}, "layers: is no setting; there are abort_policy"),
    ]
    for settings, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            list(settings_writes(CONFIG, settings))
    with pytest.raises(ValueError, match="layer 6 is beyond max_layers = 6"):
        list(top_k_writes(CONFIG, [1] * 7))
    with pytest.raises(TypeError, match="config must be a UnitConfig, not 3"):
        RegisterBank(config=3)
