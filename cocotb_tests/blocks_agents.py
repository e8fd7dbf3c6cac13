"""What the single blocks' tests drive them with: the parts that keep a state of their own."""

import json
import os
import random
from pathlib import Path

import cocotb
from axi_agents import Receiver, Sender
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from moefetch.hw.config import UnitConfig
from moefetch.hw.register_map import Access, register_map
from moefetch.hw.settings import settings_layout
from moefetch.sim.golden.event import RouterBeat

PERIOD_NS = 10
CONFIG = UnitConfig.model_validate_json(os.environ["BLOCKS_CONFIG"])
SEEDS = [int(seed) for seed in os.environ["BLOCKS_SEEDS"].split()]
PORTS = json.loads(Path(os.environ["BLOCKS_SIDECAR"]).read_text())["ports"]
N_LAYERS, N_EXPERTS = 3, 11


async def start(dut, name, seed):
    """Reset with all inputs at 0; return the random numbers of this test."""
    dut._log.info("%s, seed %d", name, seed)
    for port in PORTS:
        if port["direction"] == "input" and port["name"] != "clk":
            getattr(dut, port["name"]).value = 0
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    return random.Random(f"{name} {seed}")


class SettingsModel:
    """Words of the registers that are plain storage, and the rules that a write must keep."""

    def __init__(self):
        self.words, self._fields = {}, {}
        for register in register_map(CONFIG):
            if register.fields[0].access is not Access.READ_WRITE or register.name == "TABLE_DATA":
                continue
            for index in range(register.count * register.words):
                address, low = register.offset + 4 * index, 32 * (index % register.words)
                self.words[address] = register.reset >> low & 0xFFFFFFFF
                self._fields[address] = [(field, field.lsb - low) for field in register.fields]

    def is_legal(self, address, word):
        """Return whether the word is one that its register may hold."""
        unused = word
        for field, lsb in self._fields[address]:
            mask = (1 << field.width) - 1
            unused &= ~(mask << lsb if lsb >= 0 else mask >> -lsb)
            whole = lsb >= 0 and lsb + field.width <= 32
            if whole and not field.minimum <= word >> lsb & mask <= field.maximum:
                return False
        return unused == 0

    def random_word(self, rng, address):
        """Return a legal word, or now and then one that may not be."""
        if rng.random() < 0.2:
            return rng.getrandbits(32) >> rng.choice((0, 16, 24, 28))
        word = 0
        for field, lsb in self._fields[address]:
            value = rng.choice((field.minimum, field.maximum, rng.randint(field.minimum, field.maximum)))
            word |= value << lsb if lsb >= 0 else value >> -lsb
        return word & 0xFFFFFFFF

    def settings(self):
        """Return each setting's value."""
        values = {}
        for register in register_map(CONFIG):
            word = self.words.get(register.offset, 0) | self.words.get(register.offset + 4, 0) << 32
            for field in register.fields:
                values[field.name] = (word >> field.lsb & ((1 << field.width) - 1)) * field.unit
        return {name: values[name] for name in settings_layout(CONFIG).members}


def settings_now(dut):
    """Return the settings on the register bank's port."""
    word, layout = int(dut.registers_settings.value), settings_layout(CONFIG)
    return {name: word >> layout[name].offset & ((1 << layout[name].width) - 1) for name in layout.members}


def random_event(rng):
    """Return an event's router beats, of which some break a rule."""
    layer, beats = rng.randrange(N_LAYERS), []
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        token = rng.sample(range(N_EXPERTS), rng.randint(1, CONFIG.max_top_k + 1))
        for expert in token:
            wrong = rng.random()
            beat = RouterBeat(layer, expert, rng.randrange(256), False, False, rng.random() < 0.2)
            if wrong < 0.08:
                beat = beat._replace(expert=rng.randrange(1 << CONFIG.expert_bits))
            elif wrong < 0.16:
                beat = beat._replace(layer=rng.randrange(1 << CONFIG.layer_bits))
            beats.append(beat)
        beats[-1] = beats[-1]._replace(token_last=rng.random() < 0.9)
    return [*beats[:-1], beats[-1]._replace(last=True)]


class Intake:
    """Steps the intake's streams, and notes what it says of faults and of the time to take settings over."""

    def __init__(self, dut, rng, top_k):
        self.dut = dut
        self.written, self.active = top_k, top_k
        self.route = Sender(dut, "intake_route", rng, 0.2)
        fields = ("event", "layer", "expert", "score", "sequence_start", "member", "last")
        self.event = Receiver(dut, "intake_event", fields, rng, 0.3)
        self.beats, self.faults, self.waits = [], 0, 0

    async def step(self):
        """Pass one cycle."""
        await RisingEdge(self.dut.clk)
        if self.dut.intake_apply.value == 1:
            self.active = list(self.written)
        self.faults += self.dut.intake_fault.value == 1
        self.waits += self.dut.intake_predictor_wait.value == 1
        self.route.step()
        beat = self.event.step()
        if beat is not None:
            self.beats.append(beat)


class PredictorBench:
    """Steps the predictor's streams; `named` has the candidates by target event."""

    def __init__(self, dut, rng):
        self.dut = dut
        self.event = Sender(dut, "predictor_event", rng, 0.2)
        self.fields = ("target", "layer", "expert", "score", "source", "last")
        self.candidate = Receiver(dut, "predictor_candidate", self.fields, rng, 0.3)
        self.named = {}

    async def step(self):
        """Pass one cycle."""
        await RisingEdge(self.dut.clk)
        self.event.step()
        candidate = self.candidate.step()
        if candidate is not None:
            self.named.setdefault(candidate["target"], []).append(tuple(candidate.values()))

    async def send(self, event):
        """Send an event's beats, and end it; a beat without a member comes last where there is none."""
        beats = [(expert, 1) for expert in event.members] or [(0, 0)]
        for place, (expert, member) in enumerate(beats):
            self.event.queue.append({
                "event": event.event, "layer": event.layer, "expert": expert, "score": 0,
                "sequence_start": event.sequence_start, "member": member, "last": place == len(beats) - 1,
            })  # fmt: skip
        while not self.event.is_empty():
            await self.step()
        self.dut.predictor_event_end.value = 1
        await self.step()
        self.dut.predictor_event_end.value = 0

    async def settle(self):
        """Wait until nothing is left to name or to learn."""
        for _ in range(3):
            await self.step()
        while self.dut.predictor_busy.value == 1:
            await self.step()

    async def access(self, layer, row, entry, value=None):
        """Write an entry (expert, confidence), or read it."""
        dut = self.dut
        dut.predictor_table_layer.value, dut.predictor_table_row.value = layer, row
        dut.predictor_table_entry.value = entry
        if value is not None:
            dut.predictor_table_expert.value, dut.predictor_table_confidence.value = value
        enable = dut.predictor_table_read if value is None else dut.predictor_table_write
        enable.value = 1
        await self.step()
        while dut.predictor_table_ready.value != 1:
            await self.step()
        enable.value = 0
        await self.step()
        await self.step()
        return int(dut.predictor_table_read_expert.value), int(dut.predictor_table_read_confidence.value)
