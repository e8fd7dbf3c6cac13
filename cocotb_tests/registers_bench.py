"""cocotb test of every field of every register of the emitted unit, through a third party's AXI4-Lite master."""

import cocotb
from cocotbext.axi import AxiBus, AxiRam, AxiResp
from interrupt_causes import InterruptCauses
from moefetch.hw.counter_names import broken_laws, counters_of
from moefetch.hw.register_access import counter_offset, segment_writes, settings_writes
from moefetch.hw.register_map import WORD_BYTES, Access
from moefetch.hw.segment_layout import Segment, segment_words
from registers_port import CONFIG, FIELDS, MET, OFFSETS, REGISTERS, elements, start

WINDOW_BYTES = 4096
SEGMENTS = ("SEGMENT_BASE", "SEGMENT_STRIDE", "SEGMENT_BEATS")
WINDOWS = ("TABLE_DATA", "WEIGHT_DATA", *SEGMENTS)
"""Tables lie behind them, and accesses move their addresses on, so they have tests of their own."""
CLOSED_WINDOWS = (*(["TABLE_DATA"] if CONFIG.table_window else []), *(["WEIGHT_DATA"] if CONFIG.weight_ways else []))
"""Those that are rejected until tables are in use."""
CONSTANT = ("ID", "VERSION", "DIGEST_ID", *(name for name in REGISTERS if name.startswith("CAPABILITY")))
TABLES = [index for index, name in enumerate(CONFIG.predictors) if name != "weights"]
"""The predictors that have correlation tables."""


def is_storage(register):
    return register.fields[0].access is Access.READ_WRITE and register.name not in WINDOWS


def values_of(field):
    """Return values that set and clear each bit of a field, all of them legal."""
    span = range(field.minimum, field.maximum + 1)
    bits = [field.minimum, field.maximum, *(1 << bit for bit in range(field.width))]
    mask = (1 << field.width) - 1
    return [value for value in dict.fromkeys([*bits, mask // 3, mask // 3 * 2, field.reset]) if value in span]


async def use_tables(dut, port):
    """Put a third party's memory behind a unit whose tables lie there, and have it use them."""
    if CONFIG.pages_tables:
        AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=1 << 16)
        await port.write(settings_writes(CONFIG, {"table_base": 0x3000, "table_enable": 1}))


@cocotb.test()
async def reset_values(dut):
    port = await start(dut)
    for register, address in elements():
        if register.name in CLOSED_WINDOWS:
            assert (await port.master.read(address, WORD_BYTES)).resp == AxiResp.SLVERR, register.name
            continue
        word = await port.read(address, register.stride)
        expected = 0 if register.name in WINDOWS else register.reset
        assert word == expected, f"{register.name}: {word:#x}"
        if register.name in (*CONSTANT, "STATUS", "EVENT_NUMBER"):
            for field in register.fields:
                value = word >> field.lsb & ((1 << field.width) - 1)
                capacity = getattr(CONFIG, field.name, None)
                assert value == capacity or not isinstance(capacity, int), f"{field.name}: {value}, not {capacity}"
                MET[field.name].add(value)
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
                assert await port.put(register, address, held[address]) == [AxiResp.OKAY] * register.words
                word = await port.read(address, register.stride)
                assert word == held[address], f"{register.name}.{field.name} = {value}: {word:#x}"
                MET[field.name].add(value)
            for value in {field.minimum - 1, field.maximum + 1}:
                if not 0 <= value < 1 << field.width:
                    continue
                wrong = held[address] & ~mask | value << field.lsb
                assert AxiResp.SLVERR in await port.put(register, address, wrong), f"{field.name} = {value}"
    for register, address in elements():
        if is_storage(register):
            word = await port.read(address, register.stride)
            assert word == held[address], f"{register.name} at 0x{address:03X} was changed by another: {word:#x}"


@cocotb.test()
async def every_table_field(dut):
    """Each takes its values at each place of each correlation table; without a table there is nothing but zeros."""
    port = await start(dut)
    await use_tables(dut, port)
    data, corners = OFFSETS["TABLE_DATA"], [(0, 0, 0), (CONFIG.max_layers - 1, CONFIG.max_experts - 1, 0)]
    corners += [(1, 2, CONFIG.max_top_k - 1)]
    fields = REGISTERS["TABLE_DATA"].fields

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
                    expected = value << field.lsb if predictor in TABLES else 0
                    assert await port.read(data) == expected, f"{field.name} = {value} at {place}"
                    written[predictor, place] = expected
                    MET[field.name].add(expected >> field.lsb)
    for (predictor, place), word in written.items():
        await port.write([(OFFSETS["TABLE_SELECT"], predictor)])
        await move_to(*place)
        assert await port.read(data) == word, f"table {predictor} at {place}"


@cocotb.test(skip=not CONFIG.has_weights)
async def every_weight_field(dut):
    """Each weight of a group takes its values, at each place, and leaves the other three alone."""
    port = await start(dut)
    await use_tables(dut, port)
    data, rules, written = OFFSETS["WEIGHT_DATA"], CONFIG.weight_rules, {}
    last = sum(field.maximum << field.lsb for field in REGISTERS["WEIGHT_ADDRESS"].fields)

    async def move_to(place):
        await port.write([(OFFSETS["WEIGHT_ADDRESS"], place)])

    weights = [rules.lowest, -1, *(1 << bit for bit in range(CONFIG.weight_bits - 1)), 0, rules.highest]
    for place in (0, last):
        word = bytearray(4)
        for index in range(4):
            for weight in weights:
                word[index] = weight & 0xFF
                written[place] = int.from_bytes(word, "little")
                await move_to(place)
                await port.write([(data, written[place])])
                await move_to(place)
                assert await port.read(data) == written[place], f"weight {index} = {weight} at 0x{place:08X}"
                MET["weight_data"].add(written[place])
    for place, word in written.items():
        await move_to(place)
        assert await port.read(data) == word, f"weights at 0x{place:08X}"


@cocotb.test(skip=CONFIG.segments == 1)
async def every_segment_field(dut):
    """Each takes its values at each place, illegal ones are rejected, and the address moves on after the last word."""
    port = await start(dut)
    places = [(0, 0), (CONFIG.max_layers - 1, CONFIG.segments - 1)]
    registers = [REGISTERS[name] for name in SEGMENTS]

    async def move_to(layer, index):
        await port.write([(OFFSETS["SEGMENT_ADDRESS"], layer << FIELDS["segment_layer"].lsb | index)])

    for place in places:
        for register in registers:
            (field,) = register.fields
            for value in values_of(field):
                word = value << field.lsb
                await move_to(*place)
                assert await port.put(register, register.offset, word) == [AxiResp.OKAY] * register.words
                await move_to(*place)
                assert await port.read(register.offset, register.stride) == word, f"{register.name}, {place}"
                MET[field.name].add(value)
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
    """What is written to one is rejected and changes nothing."""
    port = await start(dut)
    for register, address in elements():
        if register.fields[0].access is Access.READ:
            before = await port.read(address, register.stride)
            answers = await port.put(register, address, before ^ ((1 << register.width) - 1))
            assert answers == [AxiResp.SLVERR] * register.words, register.name
            assert await port.read(address, register.stride) == before


@cocotb.test()
async def every_command(dut):
    """A command's bit is taken and reads as 0; STATUS tells of it."""
    port = await start(dut)
    for register, address in elements():
        for field in register.fields:
            if field.access is not Access.PULSE:
                continue
            await port.write([(address, 1 << field.lsb)])
            if field.name.startswith("invalidate"):  # goes over all slots, which takes longer than an access
                await port.expect(command_busy=1)
            while await port.field("command_busy"):
                pass
            await port.expect(command_busy=0, quiesced=int(field.name == "quiesce"))
            assert await port.read(address) == 0, field.name
            MET[field.name] |= {1, 0}
    assert await port.read(OFFSETS["IRQ_STATUS"]) == 1 << FIELDS["command_done"].lsb


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_cause(dut):
    """What it names sets a cause, and nothing else does; enabled it raises `irq`; a 1 written to it clears it alone."""
    port = await start(dut)
    provoke = InterruptCauses(dut, port)
    status, enable = OFFSETS["IRQ_STATUS"], OFFSETS["IRQ_ENABLE"]
    bits = {field.name: 1 << field.lsb for field in REGISTERS["IRQ_STATUS"].fields}
    await provoke.start()
    for name in bits:
        assert await port.read(status) == 0, f"before {name}"
        causes = await getattr(provoke, name)()
        left = sum(bits[cause] for cause in causes)
        assert name in causes and await port.read(status) == left, name
        await port.write([(status, sum(bits.values()) - left), (enable, sum(bits.values()) - left)])
        assert dut.irq.value == 0, f"{name} is not enabled"
        for cause in sorted(causes):
            assert await port.read(status) == left, name
            await port.write([(enable, bits[cause])])
            assert dut.irq.value == 1, cause
            await port.write([(status, bits[cause])])
            assert dut.irq.value == 0, cause
            left -= bits[cause]
        MET[name] |= {1, 0}
    assert await port.read(status) == 0
    await port.write([(OFFSETS["COUNTER_CONTROL"], 1)])
    counters = {name: await port.read(counter_offset(CONFIG, name), 8) for name in counters_of(CONFIG)}
    assert not (broken := broken_laws(counters)), broken
    once = ["route_faults", "bus_timeouts", "layer_skips", "error_grants"] + ["parity_errors"] * CONFIG.parity
    assert [counters[name] for name in ("events", "demand", "miss", *once)] == [3, 3, 3, *(1 for _ in once)]
    assert counters["overflow"] and counters["flushed"] and counters["failed"]
    MET["counter"] |= set(counters.values())


@cocotb.test()
async def every_address_without_a_register(dut):
    port = await start(dut)
    mapped = {address + offset for register, address in elements() for offset in range(0, register.stride, WORD_BYTES)}
    empty = sorted(set(range(0, WINDOW_BYTES, WORD_BYTES)) - mapped)

    async def write():
        for address in empty:
            assert await port.response(address, bytes(4)) == AxiResp.SLVERR, f"write to 0x{address:03X}"

    writing = cocotb.start_soon(write())
    for address in empty:
        assert (await port.master.read(address, WORD_BYTES)).resp == AxiResp.SLVERR, f"read of 0x{address:03X}"
    await writing


@cocotb.test()
async def every_field_was_met(dut):
    """Those that can change, at two values at least."""
    for register in REGISTERS.values():
        fixed = register.name in CONSTANT or (register.name == "TABLE_DATA" and not TABLES)
        for field in register.fields:
            values = 1 if fixed or field.minimum == field.maximum else 2
            assert len(MET[field.name]) >= values, f"{register.name}.{field.name} was found to be {MET[field.name]}"
