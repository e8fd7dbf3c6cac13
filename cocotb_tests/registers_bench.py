"""cocotb test of every field of every register of the emitted unit, through a third party's AXI4-Lite master."""

import os
import random

import cocotb
from axi_agents import Registers
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp
from moefetch.hw.config import UnitConfig
from moefetch.hw.register_access import field_table, register_offsets, segment_writes
from moefetch.hw.register_map import WORD_BYTES, Access, register_map
from moefetch.hw.segment_layout import Segment, segment_words

CONFIG = UnitConfig.model_validate_json(os.environ["UNIT_CONFIG"])
PERIOD_NS = 10
WINDOW_BYTES = 4096
REGISTERS = register_map(CONFIG)
OFFSETS, FIELDS = register_offsets(CONFIG), field_table(CONFIG)
TABLE_DATA = "TABLE_DATA"
SEGMENTS = ("SEGMENT_BASE", "SEGMENT_STRIDE", "SEGMENT_BEATS")
WINDOWS = (TABLE_DATA, "WEIGHT_DATA", *SEGMENTS)
"""Tables lie behind them, and accesses move their addresses on, so they have tests of their own."""


async def start(dut):
    """Reset with every input at rest; return the register port."""
    for name in ("route", "hint", "release"):
        getattr(dut, f"{name}_valid").value = 0
    for index in range(CONFIG.n_pe):
        getattr(dut, f"read_{index}_valid").value = 0
    dut.grant_ready.value = dut.m_axi_arready.value = dut.m_axi_rvalid.value = 0
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    dut.rst.value = 1
    port = Registers(dut, "s_axil", random.Random(1))
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    return port


def elements():
    """Yield each register and its byte address, of arrays each element's."""
    for register in REGISTERS:
        for index in range(register.count):
            yield register, register.offset + register.stride * index


def is_storage(register):
    return register.fields[0].access is Access.READ_WRITE and register.name not in WINDOWS


def values_of(field):
    """Return values that set and clear each bit of a field, all of them legal."""
    span = range(field.minimum, field.maximum + 1)
    bits = [field.minimum, field.maximum, *(1 << bit for bit in range(field.width))]
    mask = (1 << field.width) - 1
    return [value for value in dict.fromkeys([*bits, mask // 3, mask // 3 * 2, field.reset]) if value in span]


async def put(port, register, address, word):
    """Write a register of one or two words; return the responses."""
    return [
        await port.response(address + WORD_BYTES * index, (word >> 32 * index & 0xFFFFFFFF).to_bytes(4, "little"))
        for index in range(register.words)
    ]


@cocotb.test()
async def reset_values(dut):
    port = await start(dut)
    for register, address in elements():
        if register.fields[0].access is not Access.READ or register.name in ("ID", "VERSION", "DIGEST_ID"):
            word = await port.read(address, register.stride)
            assert word == (0 if register.name in WINDOWS else register.reset), f"{register.name}: {word:#x}"
    known = {name: await port.read(OFFSETS[name]) for name in ("ID", "DIGEST_ID")}
    assert known == {"ID": int.from_bytes(b"MOEF", "big"), "DIGEST_ID": int(CONFIG.digest[:8], 16)}


@cocotb.test()
async def every_stored_field(dut):
    """Each field takes its values and leaves its neighbours alone; one beyond its range is rejected."""
    port = await start(dut)
    held = {address: register.reset for register, address in elements() if is_storage(register)}
    for register, address in elements():
        if not is_storage(register):
            continue
        for field in register.fields:
            mask = (1 << field.width) - 1 << field.lsb
            for value in values_of(field):
                held[address] = held[address] & ~mask | value << field.lsb
                assert await put(port, register, address, held[address]) == [AxiResp.OKAY] * register.words
                word = await port.read(address, register.stride)
                assert word == held[address], f"{register.name}.{field.name} = {value}: {word:#x}"
            for value in {field.minimum - 1, field.maximum + 1}:
                if not 0 <= value < 1 << field.width:
                    continue
                wrong = held[address] & ~mask | value << field.lsb
                assert AxiResp.SLVERR in await put(port, register, address, wrong), f"{field.name} = {value}"
    for register, address in elements():
        if is_storage(register):
            word = await port.read(address, register.stride)
            assert word == held[address], f"{register.name} at 0x{address:03X} was changed by another: {word:#x}"


@cocotb.test()
async def every_table_field(dut):
    port = await start(dut)
    data, corners = OFFSETS[TABLE_DATA], [(0, 0, 0), (CONFIG.max_layers - 1, CONFIG.max_experts - 1, 0)]
    corners += [(1, 2, CONFIG.max_top_k - 1)]
    fields = next(register.fields for register in REGISTERS if register.name == TABLE_DATA)

    async def move_to(layer, row, entry):
        word = layer << FIELDS["table_layer"].lsb | row << FIELDS["table_row"].lsb | entry
        await port.write([(OFFSETS["TABLE_ADDRESS"], word)])

    written = {}
    for predictor in range(len(CONFIG.predictors)):
        await port.write([(OFFSETS["TABLE_SELECT"], predictor)])
        for place in corners:
            for field in fields:
                for value in values_of(field):
                    await move_to(*place)
                    await port.write([(data, value << field.lsb)])
                    await move_to(*place)
                    assert await port.read(data) == value << field.lsb, f"{field.name} = {value} at {place}"
                    written[predictor, place] = value << field.lsb
    for (predictor, place), word in written.items():
        await port.write([(OFFSETS["TABLE_SELECT"], predictor)])
        await move_to(*place)
        assert await port.read(data) == word, f"table {predictor} at {place}"


@cocotb.test()
async def every_segment_field(dut):
    """Each takes its values at each place, illegal ones are rejected, and the address moves on after the last word."""
    port = await start(dut)
    places = [(0, 0), (CONFIG.max_layers - 1, CONFIG.segments - 1)]
    registers = [register for register in REGISTERS if register.name in SEGMENTS]

    async def move_to(layer, index):
        await port.write([(OFFSETS["SEGMENT_ADDRESS"], layer << FIELDS["segment_layer"].lsb | index)])

    for place in places:
        for register in registers:
            (field,) = register.fields
            for value in values_of(field):
                await move_to(*place)
                assert await put(port, register, register.offset, value << field.lsb) == [AxiResp.OKAY] * register.words
                await move_to(*place)
                assert await port.read(register.offset, register.stride) == value << field.lsb, (
                    f"{register.name}, {place}"
                )
    for register in registers:
        (field,) = register.fields
        await move_to(0, 0)
        wrong = 1 if field.lsb else field.maximum + 1
        assert await port.response(register.offset, wrong.to_bytes(4, "little")) == AxiResp.SLVERR, register.name
        assert await port.response(register.offset, bytes(2)) == AxiResp.SLVERR, register.name
    parts = range(1, CONFIG.segments + 1)
    table = [
        [Segment(layer << 40 | part << 20, layer << 8 | part << 4, part << 3) for part in parts] for layer in (1, 2)
    ]
    await port.write(segment_writes(CONFIG, table))
    await move_to(0, 0)
    for segments in table:
        for segment in segments:
            found = [
                await port.read(register.offset + 4 * word) for register in registers for word in range(register.words)
            ]
            assert found == segment_words(CONFIG, segment)
    await move_to(CONFIG.max_layers - 1, CONFIG.segments - 1)
    await port.read(OFFSETS["SEGMENT_BEATS"])
    assert await port.read(OFFSETS["SEGMENT_ADDRESS"]) == 0


@cocotb.test()
async def every_read_only_field(dut):
    port = await start(dut)
    for register, address in elements():
        if register.fields[0].access is Access.READ:
            before = await port.read(address, register.stride)
            for word in (0, before ^ ((1 << register.width) - 1)):
                assert await put(port, register, address, word) == [AxiResp.SLVERR] * register.words, register.name
            assert await port.read(address, register.stride) == before
            if register.name.startswith("CAPABILITY"):
                assert before == register.reset, register.name


@cocotb.test()
async def every_command_and_cause(dut):
    """A command's bit is taken and reads as 0; a cause is set, enabled onto `irq`, and cleared by writing 1."""
    port = await start(dut)
    status, enable = OFFSETS["IRQ_STATUS"], OFFSETS["IRQ_ENABLE"]
    for register, address in elements():
        for field in register.fields:
            if field.access is Access.PULSE:
                await port.write([(address, 1 << field.lsb)])
                while await port.read(OFFSETS["STATUS"]) >> FIELDS["command_busy"].lsb & 1:
                    pass
                assert await port.read(address) == 0, field.name
    assert await port.response(OFFSETS["N_LAYERS"], bytes(4)) == AxiResp.SLVERR
    causes = 1 << FIELDS["command_done"].lsb | 1 << FIELDS["config_error"].lsb
    assert await port.read(status) == causes
    await port.write([(enable, causes)])
    assert dut.irq.value == 1
    for field in next(register.fields for register in REGISTERS if register.name == "IRQ_STATUS"):
        await port.write([(status, 1 << field.lsb)])
        causes &= ~(1 << field.lsb)
        assert await port.read(status) == causes, field.name
        assert dut.irq.value == (causes != 0)


@cocotb.test()
async def every_address_without_a_register(dut):
    port = await start(dut)
    mapped = {address + offset for register, address in elements() for offset in range(0, register.stride, WORD_BYTES)}
    for address in sorted(set(range(0, WINDOW_BYTES, WORD_BYTES)) - mapped):
        assert await port.response(address, bytes(4)) == AxiResp.SLVERR, f"write to 0x{address:03X}"
        assert (await port.master.read(address, WORD_BYTES)).resp == AxiResp.SLVERR, f"read of 0x{address:03X}"
