"""cocotb tests of single blocks as emitted Verilog: random traffic against golden twins and plain dictionaries."""

import cocotb
import numpy as np
from axi_agents import Registers
from blocks_agents import (
    CONFIG,
    N_EXPERTS,
    N_LAYERS,
    SEEDS,
    Intake,
    PredictorBench,
    SettingsModel,
    random_event,
    settings_now,
    start,
)
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiResp
from moefetch.hw.commands import Command
from moefetch.hw.prefetch_queue import queue_entry_layout
from moefetch.hw.register_access import command_writes, default_settings, field_table, register_offsets
from moefetch.hw.register_map import register_map
from moefetch.sim.golden.event import collect_event
from moefetch.sim.golden.prefetch_queue import PrefetchQueue, QueueEntry
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.st_moe import StMoe
from moefetch.sim.profile import Profile


@cocotb.test()
@cocotb.parametrize(seed=SEEDS)
async def registers(dut, seed):
    rng = await start(dut, "registers", seed)
    port, model = Registers(dut, "registers_bus", rng, pause=0.3), SettingsModel()
    defaults = default_settings(CONFIG)
    assert settings_now(dut) == model.settings() == {name: defaults[name] for name in model.settings()}
    addresses = [*model.words, *rng.choices(sorted(model.words), k=100)]
    rng.shuffle(addresses)
    rejected = 0
    for address in addresses:
        word = model.random_word(rng, address)
        first = rng.choice((0, 0, 0, 1, 2, 3))
        length = rng.randint(1, 4 - first) if rng.random() < 0.3 else 4 - first
        mask = (1 << 8 * length) - 1 << 8 * first
        merged = model.words[address] & ~mask | word & mask
        legal = model.is_legal(address, merged)
        other = rng.choice([place for place in model.words if place != address])
        read = cocotb.start_soon(port.read(other))
        data = word.to_bytes(4, "little")[first : first + length]
        answer = await port.response(address + first, data)
        assert answer == (AxiResp.OKAY if legal else AxiResp.SLVERR), f"0x{address:03X} = 0x{merged:08X}: {answer.name}"
        if legal:
            model.words[address] = merged
        rejected += not legal
        assert await read == model.words[other]
        assert settings_now(dut) == model.settings()
    assert rejected > 5
    for address, word in model.words.items():
        assert await port.read(address) == word, f"register 0x{address:03X}"
    for register in register_map(CONFIG):
        if register.offset < register_offsets(CONFIG)["STATUS"]:
            assert await port.read(register.offset) == register.reset
    assert (await port.master.read(0x3F0, 4)).resp == AxiResp.SLVERR


@cocotb.test()
@cocotb.parametrize(seed=SEEDS)
async def commands(dut, seed):
    rng = await start(dut, "commands", seed)
    port, at, fields = Registers(dut, "registers_bus", rng, pause=0.3), register_offsets(CONFIG), field_table(CONFIG)
    busy = 1 << fields["command_busy"].lsb
    done = 1 << fields["command_done"].lsb
    await port.write([(at["IRQ_ENABLE"], done)])
    for kind in rng.choices(list(Command), k=8) + list(Command):
        layer, expert = rng.randrange(CONFIG.max_layers), rng.randrange(CONFIG.max_experts)
        await port.write(command_writes(CONFIG, kind.name.lower(), layer=layer, expert=expert))
        assert await port.read(at["STATUS"]) & busy
        assert await port.response(at["COMMAND"], bytes([1 << rng.randrange(8), 0, 0, 0])) == AxiResp.SLVERR
        await port.write([(at["COMMAND_KEY"], 0)])
        given = [int(getattr(dut, f"registers_command_{name}").value) for name in ("valid", "kind", "layer", "expert")]
        assert given == [1, kind, layer, expert] and dut.registers_irq.value == 0
        dut.registers_command_done.value = 1
        await ClockCycles(dut.clk, 2)
        dut.registers_command_done.value = 0
        assert not await port.read(at["STATUS"]) & busy
        assert dut.registers_irq.value == 1 and await port.read(at["IRQ_STATUS"]) & done
        await port.write([(at["IRQ_STATUS"], done)])
        assert dut.registers_irq.value == 0
    assert await port.response(at["COMMAND"], bytes([3, 0, 0, 0])) == AxiResp.SLVERR, "two commands at once"


def bank_of(place):
    """Return the bank that a (slot, beat) lies in."""
    return place[0] % CONFIG.banks


@cocotb.test()
@cocotb.parametrize(seed=SEEDS)
async def sram(dut, seed):
    rng = await start(dut, "sram", seed)
    held: dict[tuple[int, int], int] = {}
    offers, expected = [None] * CONFIG.n_pe, [None] * CONFIG.n_pe
    write, busy_bank, checked = None, None, 0
    for _ in range(1500):
        await RisingEdge(dut.clk)
        lost = 0
        for index, place in enumerate(offers):
            if expected[index] is not None:
                assert int(getattr(dut, f"sram_read_{index}_data").value) == expected[index]
                checked += 1
            expected[index] = None
            if place is None:
                continue
            taken = {busy_bank, *(bank_of(other) for other in offers[:index] if other is not None)}
            loses = bank_of(place) in taken
            assert getattr(dut, f"sram_read_{index}_ready").value == int(not loses)
            lost |= loses << index
        assert int(dut.sram_conflict.value) == lost
        for index, place in enumerate(offers):
            if place is not None and not lost >> index & 1:
                expected[index], offers[index] = held.get(place), None
        busy_bank = None
        if write is not None:
            held[write[0]], busy_bank = write[1], bank_of(write[0])
        write = offer_write(dut, rng)
        for index in range(CONFIG.n_pe):
            offers[index] = offer_read(dut, rng, index, offers[index])
    assert checked > 1000


def random_place(rng):
    """Return a (slot, beat)."""
    return rng.randrange(CONFIG.slots), rng.randrange(CONFIG.slot_beats)


def offer_write(dut, rng):
    """Offer the SRAM a word, or none; return its place and value."""
    place, word = random_place(rng), rng.getrandbits(8 * CONFIG.bus_bytes)
    valid = rng.random() < 0.4
    values = {"valid": valid, "slot": place[0], "beat": place[1], "data": word}
    for name, value in values.items():
        getattr(dut, f"sram_write_{name}").value = int(value)
    return (place, word) if valid else None


def offer_read(dut, rng, index, waiting):
    """Keep the read that waits, else offer a new one, or none; return it."""
    place = waiting or (random_place(rng) if rng.random() < 0.6 else None)
    port = f"sram_read_{index}"
    getattr(dut, f"{port}_valid").value = int(place is not None)
    if place is not None:
        getattr(dut, f"{port}_slot").value, getattr(dut, f"{port}_beat").value = place
    return place


def packed(layout, values):
    """Return the word in which a structure holds these values."""
    return sum(int(value) << layout[name].offset for name, value in values.items())


@cocotb.test()
@cocotb.parametrize(seed=SEEDS)
async def queue(dut, seed):
    rng = await start(dut, "queue", seed)
    layout = queue_entry_layout(CONFIG)
    model, current = PrefetchQueue(CONFIG.queue_depth), rng.choice((0, 250, 0xFFFF_FF00))
    entry, action, inserts = QueueEntry(current, 0, 0, 0, 0), "", False
    dut.queue_insert_entry.value = packed(layout, entry._asdict())
    dut.queue_current.value = current
    seen = {"found": 0, "full_drop_self": 0, "drop_last": 0}
    for _ in range(1500):
        await RisingEdge(dut.clk)
        check_answers(dut, model, entry, seen)
        check_queued(dut, model)
        if action == "flush":
            model.flush()
        elif action == "pop" and len(model):
            model.pop_first()
        elif action == "insert" and not model.holds(entry.layer, entry.expert):
            model.insert(entry)
        for strobe in (dut.queue_insert_valid, dut.queue_pop, dut.queue_flush):
            strobe.value = 0
        if inserts or action == "pop":
            await RisingEdge(dut.clk)  # what is inserted stays for a cycle, and what follows a pop has to wait for one
            check_queued(dut, model)
        current += rng.random() < 0.02
        target = current + rng.randint(1, CONFIG.horizon)
        entry = QueueEntry(target, rng.randrange(4), rng.randrange(4), rng.randrange(12), rng.randrange(2))
        action = rng.choices(("insert", "pop", "flush", ""), (12, 5, 0.3, 4))[0]
        dut.queue_current.value = current
        dut.queue_insert_entry.value = packed(layout, entry._asdict())
        await RisingEdge(dut.clk)  # the queue answers a cycle later
        check_queued(dut, model)
        inserts = action == "insert" or (action == "flush" and rng.random() < 0.5)
        dut.queue_insert_valid.value = int(inserts)
        dut.queue_pop.value = int(action == "pop" or (action == "flush" and rng.random() < 0.5))
        dut.queue_flush.value = int(action == "flush")
    assert min(seen.values()) > 20


def check_answers(dut, model, entry, seen):
    """Compare the queue's answers to `entry` with the model's."""
    found, full = model.holds(entry.layer, entry.expert), len(model) == CONFIG.queue_depth
    last = model.entries[-1] if model.entries else None
    rank = (entry.deadline, -entry.score, entry.expert)
    before_last = full and rank < (last.deadline, -last.score, last.expert)
    expected = {
        "found": found,
        "full_drop_self": full and not before_last and not found,
        "drop_last": full and before_last and not found,
    }
    for name, value in expected.items():
        assert getattr(dut, f"queue_{name}").value == int(value), name
        seen[name] += value


def check_queued(dut, model):
    """Compare the queue's head and level with the model's."""
    assert int(dut.queue_level.value) == len(model)
    assert dut.queue_head_valid.value == int(len(model) > 0)
    if model.entries:
        head = packed(queue_entry_layout(CONFIG), model.entries[0]._asdict())
        assert int(dut.queue_head_entry.value) == head


@cocotb.test()
@cocotb.parametrize(seed=SEEDS)
async def intake(dut, seed):
    rng = await start(dut, "intake", seed)
    port, offset = Registers(dut, "registers_bus", rng, pause=0.2), register_offsets(CONFIG)["TOP_K"]
    dut.intake_n_layers.value, dut.intake_n_experts.value = N_LAYERS, N_EXPERTS
    bench = Intake(dut, rng, [CONFIG.max_top_k] * CONFIG.max_layers)
    for number in range(60):
        if rng.random() < 0.3:
            layer, value = rng.randrange(N_LAYERS), rng.randint(1, CONFIG.max_top_k)
            await port.write([(offset + 4 * layer, value)])
            bench.written[layer] = value
        bench.event.stall = rng.choice((0.0, 0.4, 0.9))
        bench.beats, bench.faults = [], 0
        beats = random_event(rng)
        bench.route.queue.extend(beat._asdict() for beat in beats)
        while dut.intake_closed.value != 1 or not (bench.beats and bench.beats[-1]["last"]):
            await bench.step()
        await check_event(bench, beats, number)
        dut.intake_event_end.value = 1
        await bench.step()
        dut.intake_event_end.value = 0
    assert bench.active != [CONFIG.max_top_k] * CONFIG.max_layers


async def check_event(bench, beats, number):
    """Compare the closed event's header, members and beats with the golden intake's."""
    dut = bench.dut
    expected = collect_event(beats, N_LAYERS, N_EXPERTS, bench.active)
    header = [int(getattr(dut, f"intake_{name}").value) for name in ("number", "layer", "sequence_start", "n_members")]
    assert header == [number, expected.layer, expected.sequence_start, len(expected.members)]
    assert bench.faults == expected.faults
    members = []
    for index in range(len(expected.members)):
        dut.intake_member_index.value = index
        await bench.step()
        await bench.step()
        members.append((int(dut.intake_member_expert.value), int(dut.intake_member_score.value)))
    assert tuple(expert for expert, _ in members) == expected.members
    assert set(members) <= {(beat.expert, beat.score) for beat in beats}
    passed = bench.beats
    assert [(beat["expert"], beat["score"]) for beat in passed if beat["member"]] == members
    assert [beat["last"] for beat in passed] == [0] * (len(passed) - 1) + [1]
    assert all(beat["member"] for beat in passed[:-1])
    heads = {(beat["event"], beat["layer"], beat["sequence_start"]) for beat in passed}
    assert heads == {(number, expected.layer, int(expected.sequence_start))}
    for expert in range(N_EXPERTS):
        dut.intake_query_expert.value = expert
        await bench.step()
        await bench.step()
        assert dut.intake_query_member.value == int(expert in expected.members)


@cocotb.test()
@cocotb.parametrize(seed=SEEDS)
async def predictor(dut, seed):
    rng = await start(dut, "predictor", seed)
    entries, min_score = rng.choice((3, 4)), rng.choice((1, 2, 3))
    settings = {
        "n_layers": N_LAYERS, "n_experts": N_EXPERTS, "row_entries": entries, "min_score": min_score, "enable": 1,
    }  # fmt: skip
    for name, value in settings.items():
        getattr(dut, f"predictor_{name}").value = value
    bench = PredictorBench(dut, rng)
    rows = [rng.sample(range(N_EXPERTS), entries) for _ in range(N_LAYERS * N_EXPERTS)]
    profile = Profile(np.array(rows, np.uint16).reshape(N_LAYERS, N_EXPERTS, entries))
    golden = StMoe(N_LAYERS, N_EXPERTS, entries, min_score=min_score, profile=profile)
    for layer in range(N_LAYERS):
        for row, held in enumerate(golden.cct_rows(layer)):
            for entry in range(CONFIG.max_top_k):
                await bench.access(layer, row, entry, held[entry] if entry < entries else (0, 0))
    cut = 0
    layer, before, previous = 0, {}, []
    for number in range(60):
        members = rng.sample(range(N_EXPERTS), rng.choice((0, 1, entries, entries, N_EXPERTS)))
        members = before[layer] if layer in before and rng.random() < 0.5 else members
        before[layer] = members
        event = PredictorEvent(number, layer, number == 0 or rng.random() < 0.08, tuple(members))
        bench.candidate.stall = rng.choice((0.0, 0.3, 0.95))
        await bench.send(event)
        settled = rng.random() < 0.6
        expected = [tuple(candidate) for candidate in golden.step(event)]
        if settled:
            await bench.settle()
            assert bench.named.get(number + 1, []) == expected, event
        else:
            found = bench.named.get(number, [])
            assert found == previous[: len(found)], event
            cut += len(found) < len(previous)
        previous = expected
        layer = (layer + 1) % N_LAYERS if rng.random() < 0.93 else rng.randrange(N_LAYERS)
    assert cut
    await bench.settle()
    for layer in range(N_LAYERS):
        for row, held in enumerate(golden.cct_rows(layer)):
            found = [await bench.access(layer, row, entry) for entry in range(entries)]
            assert found == held, f"layer {layer}, row {row}"
