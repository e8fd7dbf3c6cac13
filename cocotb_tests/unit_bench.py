"""cocotb tests of the emitted unit: random scenes against a third party's AXI models, beside the golden model.

Every record of the commit log, grant, counter and interrupt cause is checked, and every word of every granted expert.
"""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiResp
from moefetch.hw.counter_names import broken_laws, counters_of, with_aliases
from moefetch.hw.records import Fill, Kind, Sweep
from moefetch.hw.register_access import (
    command_writes,
    counter_offset,
    field_table,
    register_offsets,
    settings_writes,
    top_k_writes,
)
from moefetch.sim.golden.candidates import HintBeat
from moefetch.sim.golden.event import RouterBeat
from moefetch.sim.golden.unit_model import UnitModel
from moefetch.sim.lockstep import golden_predictor, golden_settings
from moefetch.sim.replay_result import ReplayJob
from unit_scenes import CONFIG, SCENES, SETTINGS, TOP_K
from unit_tables import TABLE_PORT, LoadedTables, golden_rows
from unit_world import World

PERIOD_NS = 10
LONGEST = 4  # times a scene's length: so long its outcomes are waited for
SEEDS = [int(seed) for seed in os.environ["UNIT_SEEDS"].split()]
OFFSETS, FIELDS = register_offsets(CONFIG), field_table(CONFIG)
TRANSFER_ERROR, ROUTE_FAULT, QUEUE_OVERFLOW, COMMAND_DONE, CONFIG_ERROR, TRANSFER_TIMEOUT, LAYER_ORDER = (
    1 << bit for bit in range(7)
)


class Bench:
    """Plays one scene."""

    def __init__(self, dut, name, seed):
        self.dut, self.scene = dut, SCENES[name]
        self.rng = rng = random.Random(f"{name} {seed}")
        dut._log.info("scene %s, seed %d", name, seed)
        index = CONFIG.predictors.index(self.scene.predictor) + 1 if self.scene.predictor else 0
        settings = SETTINGS | {"predictor": index} | self.scene.settings
        self.settings, self.top_k = settings, TOP_K[: settings["n_layers"]]
        self.loaded = loaded = LoadedTables(rng, settings)
        job = ReplayJob(
            name=name, policy="", events=[], workload=None, unit=CONFIG, predictor=self.scene.predictor,
            settings=settings, top_k=self.top_k, profile=loaded.profile, weight_profile=loaded.weights,
        )  # fmt: skip
        self.golden = golden_predictor(job)
        self.model = UnitModel(golden_settings(job), self.golden)
        self.world = World(dut, rng, self.scene, settings, self.model)
        self.registers = self.world.registers
        self.layers, self.events = self._script()
        self.causes = self.expected_causes = self.hint_faults = self.cut = 0
        self.n_sent = 0
        self.pinned: list[tuple[int, int]] = []
        self.over = False

    def _script(self):
        """Return the layer and the tokens' experts of each event, a few more than the longest scene plays."""
        rng, n_layers = self.rng, self.settings["n_layers"]
        layers, events = [0], []
        while len(layers) < LONGEST * self.scene.n_events + 4:
            layers.append((layers[-1] + rng.choice((1, 1, 1, 1, 1, 1, 1, 2))) % n_layers)
        for number, layer in enumerate(layers):
            size = min(self.top_k[layer] + rng.choice((0, 0, 1)), self.settings["n_experts"])
            tokens = [rng.sample(range(self.settings["n_experts"]), size) for _ in range(rng.choice((1, 1, 2, 4)))]
            again = number >= n_layers and rng.random() < self.scene.repeat
            events.append(events[number - n_layers] if again else tokens)
        return layers, events

    async def play(self):
        """Run the scene and check what is left to check at its end."""
        dut = self.dut
        cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
        dut.rst.value = 1
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)
        await self._program()
        cocotb.start_soon(self._step())
        interrupts = cocotb.start_soon(self._serve_interrupts())
        commands = cocotb.start_soon(self._give_commands())
        await self._send_events()
        self.over = True
        await commands
        await self._settle()
        interrupts.cancel()
        await self._check_end()
        if CONFIG.pages_tables:
            await self._check_tables()
        await self._check_invalidations()

    async def _step(self):
        while True:
            await RisingEdge(self.dut.clk)
            self.world.step()

    async def _program(self):
        registers = self.registers
        await registers.write(top_k_writes(CONFIG, self.top_k))
        if CONFIG.pages_tables:
            await self._check_disabled_tables()
        await registers.write(settings_writes(CONFIG, self.settings))  # tables are loaded where TABLE_BASE says
        await registers.write(self.loaded.writes())
        if CONFIG.pages_tables:
            while not await self._field("idle"):
                pass
            self.loading = self._table_traffic()
        if CONFIG.segments > 1:
            await registers.write(self.world.memory.segments.writes())
        await registers.write([(OFFSETS["IRQ_ENABLE"], 255 if CONFIG.parity else 127), (OFFSETS["COUNTER_CONTROL"], 2)])

    # What comes in

    async def _send_events(self):
        rng, world = self.rng, self.world
        for number in range(LONGEST * self.scene.n_events):
            if number >= self.scene.n_events and not self._unseen():
                break
            beats = self._beats(number)
            self.model.offer_event(beats)
            self.n_sent += 1
            cut = bool(self.scene.cut) and rng.random() < self.scene.cut
            sent = [*beats[:-1], beats[-1]._replace(last=not cut)]
            world.route.queue.extend(beat._asdict() for beat in sent)
            await self._until(world.route.is_empty)
            if cut:
                self.cut += 1
                await self._until(lambda closed=number + 1: world.seen[Kind.CLOSE] == closed)
            self._hint(number)
            if rng.random() >= self.scene.rush:
                await self._until(lambda sent=number + 1: world.seen[Kind.END] == sent)
                await ClockCycles(self.dut.clk, rng.randint(*self.scene.attention))

    def _unseen(self):
        """Return the outcomes that the scene must have and that did not come yet."""
        return [sign for sign in self.scene.must if not self.world.seen[sign]]

    def _beats(self, number):
        """Return router beats; a wrong one may break any rule, but the first event must begin the first step."""
        rng, layer = self.rng, self.layers[number]
        start = number == 0 or (layer == 0 and rng.random() < 0.2)
        beats = [
            RouterBeat(layer, expert, rng.randrange(256), place == len(token) - 1, False, start)
            for token in self.events[number]
            for place, expert in enumerate(token)
        ]
        for place, beat in enumerate(beats):
            if number and rng.random() < self.scene.faults:
                name, bits = rng.choice((("layer", CONFIG.layer_bits), ("expert", CONFIG.expert_bits)))
                beats[place] = beat._replace(**{name: rng.randrange(1 << bits)})
        return [*beats[:-1], beats[-1]._replace(last=True)]

    def _hint(self, number):
        """Queue hints for some of the next events; without hints the port must swallow them."""
        rng = self.rng
        for ahead in range(1, rng.choice((1, 2, 3, 4))):
            layer, coming = self.layers[number + ahead], {e for token in self.events[number + ahead] for e in token}
            right, wrong, n_experts = self.scene.right, self.scene.wrong, self.settings["n_experts"]
            named = [e for e in range(n_experts) if rng.random() < (right if e in coming else wrong)]
            if rng.random() < self.scene.faults:
                named.append((1 << CONFIG.expert_bits) - 1)
                self.hint_faults += named[-1] >= n_experts
            rng.shuffle(named)
            hints = [HintBeat(layer, e, rng.randrange(256), place == len(named) - 1) for place, e in enumerate(named)]
            self.model.offer_hints(hints)
            self.world.hint.queue.extend(hint._asdict() for hint in hints)

    async def _give_commands(self):
        rng, registers = self.rng, self.registers
        kinds = ("flush", "invalidate_all", "pin_key", "unpin_key", "quiesce", "resume", "wrong write", "snapshot")
        while self.scene.commands and not self.over:
            await ClockCycles(self.dut.clk, rng.randrange(2 * self.scene.commands))
            kind = rng.choice(kinds)
            if kind == "wrong write":
                assert await registers.response(OFFSETS["N_LAYERS"], bytes(4)) == AxiResp.SLVERR
                self.expected_causes |= CONFIG_ERROR
            elif kind == "snapshot":
                assert not (broken := broken_laws(await self._counters())), broken
            elif kind == "pin_key" and len(self.pinned) < 2 and self.world.recent:
                self.pinned.append(rng.choice(self.world.recent))
                await self._command(kind, *self.pinned[-1])
            elif kind == "unpin_key" and self.pinned:
                await self._command(kind, *self.pinned.pop(0))
            elif kind not in ("pin_key", "unpin_key"):
                await self._command(kind)
        if self.scene.commands:
            await self._command("resume")

    async def _command(self, kind, layer=0, expert=0):
        """Give a command, tell the golden model, and wait until the unit has done it."""
        model, world = self.model, self.world
        self.expected_causes |= COMMAND_DONE
        if kind == "flush":
            model.offer_flush()
        elif kind == "invalidate_all":
            model.offer_invalidate()
        elif kind == "pin_key":
            model.offer_pin(layer, expert)
        elif kind == "unpin_key":
            model.offer_unpin(layer, expert)
        model.may_be_quiesced |= kind == "quiesce"
        world.quiesced &= kind != "resume"
        await self.registers.write(command_writes(CONFIG, kind, layer=layer, expert=expert))
        while await self._field("command_busy"):
            pass
        world.quiesced |= kind == "quiesce"
        model.may_be_quiesced &= kind != "resume"
        assert await self._field("quiesced") == world.quiesced

    async def _serve_interrupts(self):
        """Note and clear the causes of each interrupt."""
        while True:
            while self.dut.irq.value != 1:
                await RisingEdge(self.dut.clk)
            causes = await self.registers.read(OFFSETS["IRQ_STATUS"])
            assert causes, "an interrupt without a cause"
            self.causes |= causes
            await self.registers.write([(OFFSETS["IRQ_STATUS"], causes)])

    # How it ends

    async def _until(self, holds):
        while not holds():
            await RisingEdge(self.dut.clk)

    async def _field(self, name):
        place = FIELDS[name]
        return await self.registers.read(place.offset) >> place.lsb & ((1 << place.width) - 1)

    async def _counters(self):
        await self.registers.write([(OFFSETS["COUNTER_CONTROL"], 1)])
        return {name: await self.registers.read(counter_offset(CONFIG, name), 8) for name in counters_of(CONFIG)}

    async def _settle(self):
        """Wait until the unit is idle and has nothing to become busy with."""
        world = self.world
        await self._until(lambda: world.seen[Kind.END] == self.n_sent and world.hint.is_empty())
        quiet = 0
        while quiet < 4:
            await ClockCycles(self.dut.clk, 60)
            quiet = quiet + 1 if await self._field("idle") else 0

    async def _check_end(self):
        world, scene, model = self.world, self.scene, self.model
        counters = await self._counters()
        expected, found = model.finish(), with_aliases(counters)
        assert {name: found[name] for name in expected} == expected
        assert not (broken := broken_laws(found)), broken
        others = {
            "events": self.n_sent, "route_faults": model.faults + self.cut, "error_grants": world.errors,
            "hint_faults": self.hint_faults if self.settings["hints"] else 0, "demand_issued": world.seen["demand"],
            "bank_conflicts": sum(element.conflicts for element in world.elements), "bursts": world.slave.bursts,
            "layer_skips": world.skips,
        }  # fmt: skip
        if CONFIG.segments > 1:
            others["segment_faults"] = world.seen["issued in layer", world.memory.segments.wrong_layer]
            assert others["segment_faults"] or not scene.wrong_layer
        assert {name: counters[name] for name in others} == others
        assert (counters["bus_timeouts"] > 0) == ("bus_timeout" in scene.settings) and counters["protocol_errors"] == 0
        assert sum(counters[f"{kind}_beats"] for kind in ("demand", "prefetch", "discarded")) == world.slave.beats
        assert counters["retries"] or not scene.transient
        assert sum(element.words for element in world.elements) == self.settings["expert_beats"] * (
            world.granted - world.errors
        )
        assert not world.memory.strays, "words were fetched that belong to no expert"
        assert await self._field("event_number") == self.n_sent - 1
        assert (await self._field("failed_layer"), await self._field("failed_expert")) == world.failed_key
        for cause, holds in (
            (TRANSFER_ERROR, world.seen[Kind.FILL, Fill.FAILED]), (ROUTE_FAULT, model.faults + self.cut),
            (QUEUE_OVERFLOW, counters["overflow"]), (TRANSFER_TIMEOUT, counters["bus_timeouts"]),
            (LAYER_ORDER, world.skips),
        ):  # fmt: skip
            self.expected_causes |= cause if holds else 0
        assert (self.causes, self.dut.irq.value) == (self.expected_causes, 0)
        assert not self._unseen(), f"the scene has none of {self._unseen()}"
        assert model.faults > 0 or not scene.faults
        assert self.cut > 0 or not scene.cut

    async def _check_disabled_tables(self):
        """Before they are enabled there is no table to access, and memory is left alone."""
        data = OFFSETS[TABLE_PORT]
        answers = [await self.registers.response(data, bytes(4))]
        answers.append((await self.registers.master.read(data, 4)).resp)
        assert answers == [AxiResp.SLVERR, AxiResp.SLVERR]
        self.expected_causes |= CONFIG_ERROR

    def _table_traffic(self):
        """Return what the memory has seen of the tables."""
        world = self.world
        return {
            "table_read_beats": world.slave.table_beats, "table_written_beats": world.writes.beats,
            "table_errors": world.memory.tables.n_failed,
        }  # fmt: skip

    async def _check_tables(self):
        """Compare tables with the golden model's, by register and in memory once quiesced, and what was counted."""
        rng, registers, world = self.rng, self.registers, self.world
        tables, expected = world.memory.tables, golden_rows(self.golden)
        for place in rng.sample(sorted(expected), min(4, len(expected))):
            assert await self.loaded.read(registers, *place) == expected[place]
        await registers.write(command_writes(CONFIG, "quiesce"))
        while await self._field("command_busy") or not await self._field("idle"):
            pass
        assert {place: tables.row(*place) for place in expected} == expected
        counters = await self._counters()
        assert not (broken := broken_laws(counters)), broken
        traffic = {name: count - self.loading[name] for name, count in self._table_traffic().items()}
        assert {name: counters[name] for name in traffic} == traffic, "counted since the tables were loaded"
        assert counters["table_lost"] == 0 and counters["table_ahead"]
        if not CONFIG.weight_ways:  # with cached rows table_wait also counts an event behind a waiting prediction
            assert counters["predictor_wait"] >= counters["table_wait"]
        assert tables.n_failed or not self.scene.transient
        await registers.write(command_writes(CONFIG, "resume"))

    async def _check_invalidations(self):
        """Free a layer, an expert and then all; the golden model knows only the last."""
        world = self.world
        (layer, expert), other = world.recent[-1], world.recent[0]
        sweeps = []
        for kind, key in (("layer", (layer, 0)), ("key", other), ("all", (0, 0))):
            world.unchecked = []
            await self.registers.write(command_writes(CONFIG, f"invalidate_{kind}", layer=key[0], expert=key[1]))
            while await self._field("command_busy"):
                pass
            assert all(record[:2] == (Kind.FREE, Sweep.INVALIDATE) for record in world.unchecked)
            slots = [record.slot for record in world.unchecked]
            assert slots == sorted(slots) and len(world.unchecked) <= self.settings["n_slots"]
            sweeps.append([(record.layer, record.expert) for record in world.unchecked])
        assert {freed for freed, _ in sweeps[0]} <= {layer}
        assert sweeps[1] in ([], [other])
        assert layer not in {freed for freed, _ in sweeps[2]} and other not in sweeps[2]
        keys = [key for sweep in sweeps for key in sweep]
        assert len(set(keys)) == len(keys) <= self.settings["n_slots"]
        if not self.settings["hints"] and self.scene.predictor is None:
            assert (layer, expert) in sweeps[0] and other in sweeps[0] + sweeps[1], "both were granted last"
        assert not (broken := broken_laws(await self._counters())), broken


@cocotb.test()
@cocotb.parametrize(name=list(SCENES), seed=SEEDS)
async def scene(dut, name, seed):
    await Bench(dut, name, seed).play()
