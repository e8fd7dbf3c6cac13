"""What surrounds the emitted unit: a third party's memory and bus master, processing elements, the golden model."""

from collections import Counter, deque

from axi_agents import ReadSlave, Receiver, Registers, Sender, WriteSlave
from cocotb.triggers import ClockCycles
from moefetch.hw.page_channel import TABLES
from moefetch.hw.records import Fill, Filter, GrantStatus, Issue, Kind, Record
from moefetch.hw.register_access import register_offsets
from moefetch.hw.replay_pattern import pattern, pattern_bytes
from moefetch.hw.segment_layout import Segment, expert_pieces, segment_words
from unit_scenes import CONFIG
from unit_tables import TableMemory

SILENCE = 10_000  # cycles without a record after which a unit hangs


class Memory:
    """Holds the pattern in the experts' bytes; slow now and then, with errors on chosen words.

    A `bad` expert (layer, expert) always fails. Others fail up to `retries` times in a row: the unit must survive it.
    """

    def __init__(self, dut, rng, scene, settings):
        self._dut, self._rng, self._scene, self._settings = dut, rng, scene, settings
        self.bad = set()
        self.strays = []
        self.tables = TableMemory(rng, scene, settings) if CONFIG.pages_tables else None
        self.segments = SegmentTable(rng, scene, settings) if CONFIG.segments > 1 else None
        self._failures = {}
        keys = [(layer, expert) for layer in range(settings["n_layers"]) for expert in range(settings["n_experts"])]
        self.words = {key: self._words_of(*key) for key in keys}
        self._known = {address for words in self.words.values() for address in words}
        for key in keys:
            if self.segments is not None and key[0] == self.segments.wrong_layer:
                self.bad.add(key)
            elif rng.random() < scene.bad:
                self.bad.add(key)
                self._failures[rng.choice(self.words[key])] = 1 << 30
            else:
                self.disturb(*key)

    def _words_of(self, layer, expert):
        """Return the addresses of an expert's words, in the order of its slot."""
        settings, step = self._settings, CONFIG.bus_bytes
        if self.segments is not None:
            pieces = expert_pieces(self.segments.layers[layer], expert)
        else:
            first = settings["base"] + layer * settings["layer_stride"] + expert * settings["expert_stride"]
            pieces = [(first, step * settings["expert_beats"])]
        return [address + offset for address, length in pieces for offset in range(0, length, step)]

    def disturb(self, layer, expert):
        """Let an expert that is not on its way fail now and then when it is fetched next."""
        words, retries = self.words[layer, expert], self._settings["retries"]
        left = any(self._failures.get(address) for address in words)
        if retries and not left and self._rng.random() < self._scene.transient:
            self._failures[self._rng.choice(words)] = self._rng.randint(1, retries)

    async def read(self, address, length):
        """Return bytes, or raise for an error response."""
        if self._rng.random() < self._scene.slow:
            await ClockCycles(self._dut.clk, self._rng.randint(*self._scene.latency))
        if self.tables is not None and address in self.tables:
            return self.tables.read(address, length)
        if self._failures.get(address, 0) > 0:
            self._failures[address] -= 1
            raise OSError("injected")
        if address not in self._known:
            self.strays.append(hex(address))
        return pattern_bytes(address, length)


class SegmentTable:
    """Random segments for every layer, whose order is not that of their addresses.

    Those of `wrong_layer`, if the scene has one, do not add up to an expert.
    """

    def __init__(self, rng, scene, settings):
        self.wrong_layer = rng.randrange(settings["n_layers"]) if scene.wrong_layer else None
        places = rng.sample(range(64), settings["n_layers"] * CONFIG.segments)
        self.layers = []
        for layer in range(settings["n_layers"]):
            beats = settings["expert_beats"]
            cuts = sorted(rng.randint(0, beats) for _ in range(CONFIG.segments - 1))
            lengths = [end - start for start, end in zip([0, *cuts], [*cuts, beats], strict=True)]
            if layer == self.wrong_layer:
                lengths[rng.randrange(CONFIG.segments)] += rng.choice((-1, 1)) if min(lengths) else 1
            self.layers.append([self._segment(rng, places.pop(), length) for length in lengths])

    def _segment(self, rng, place, beats):
        """Return a segment in a region of its own: its experts side by side, or with gaps; rarely at a line."""
        step = CONFIG.bus_bytes
        base = place << 58 | rng.randrange(1 << 30) * step
        return Segment(base, step * (beats + rng.choice((0, 0, 1, rng.randrange(1 << 20)))), step * beats)

    def writes(self):
        """Yield the register writes that load the table, those of the wrong layer too."""
        offsets = register_offsets(CONFIG)
        for layer, segments in enumerate(self.layers):
            for index, segment in enumerate(segments):
                yield offsets["SEGMENT_ADDRESS"], layer << 16 | index
                for word, value in enumerate(segment_words(CONFIG, segment)):
                    yield offsets["SEGMENT_BASE"] + 4 * word, value


class Element:
    """A processing element: reads every word of each expert it is given, in some order, and then thinks a while.

    If the unit maps grants the last word is read last, as a bank is free from then on.
    """

    def __init__(self, dut, index, world):
        self._world, self._rng = world, world.rng
        self._port = {name: getattr(dut, f"read_{index}_{name}") for name in ("valid", "ready", "slot", "beat", "data")}
        self._port["valid"].value = 0
        self.grants = deque()
        self._beats = deque()
        self._offered = self._expected = None
        self._wait = 0
        self.words = self.conflicts = 0

    @property
    def bank(self):
        """The bank that it reads in this cycle, None if it reads nothing."""
        return None if self._offered is None else self.grants[0]["slot"] % CONFIG.banks

    def give(self, grant):
        """Take another grant."""
        self.grants.append(grant)
        if len(self.grants) == 1:
            self._begin()

    def _begin(self):
        beats = list(range(self._world.settings["expert_beats"]))
        last = [beats.pop()] if CONFIG.mapping_window else []
        if self._rng.random() < 0.5:
            self._rng.shuffle(beats)
        self._beats.extend(beats + last)
        self._wait = self._rng.randint(*self._world.scene.compute)

    def step(self):
        """Check the word that was read, ask for the next; return a grant whose expert is done with."""
        port = self._port
        if self._expected is not None:
            assert int(port["data"].value) == self._expected, f"a wrong word of {self.grants[0]}"
            self._expected = None
            self.words += 1
        if self._offered is not None:
            if port["ready"].value == 1:
                grant = self.grants[0]
                words = self._world.memory.words[grant["layer"], grant["expert"]]
                self._expected = pattern(words[self._offered])
                self._offered = None
                port["valid"].value = 0
            else:
                self.conflicts += 1
        if self._offered is None and self._beats and self._rng.random() >= self._world.scene.gap:
            self._offered = self._beats.popleft()
            port["slot"].value = self.grants[0]["slot"]
            port["beat"].value = self._offered
            port["valid"].value = 1
        return self._finished()

    def _finished(self):
        if not self.grants or self._beats or self._offered is not None or self._expected is not None:
            return None
        if self._wait:
            self._wait -= 1
            return None
        done = self.grants.popleft()
        if self.grants:
            self._begin()
        return done


class World:
    """Steps everything at each rising edge and checks each record, grant, word and burst as it comes.

    `seen` counts records by kind, and by (kind, outcome), also grants that went before an older one (`overtakes`) and
    reads in a bank that another element reads (`meets`). Once `unchecked` is a list, records go there instead.
    """

    def __init__(self, dut, rng, scene, settings, model):
        self.dut, self.rng, self.scene, self.settings, self.model = dut, rng, scene, settings, model
        self.memory = Memory(dut, rng, scene, settings)
        self.slave = ReadSlave(dut, "m_axi", self.memory, rng, pause=scene.stall, check_burst=self._check_burst)
        self.writes = None
        if CONFIG.pages_tables:
            self.writes = WriteSlave(
                dut, "m_axi", self.memory.tables, rng, pause=scene.stall, check_burst=self._check_write
            )
        self.registers = Registers(dut, "s_axil", rng, pause=scene.stall)
        self.route = Sender(dut, "route", rng, scene.gap)
        self.hint = Sender(dut, "hint", rng, scene.gap)
        self.release = Sender(dut, "release", rng, scene.gap)
        self.grant = Receiver(dut, "grant", ("layer", "expert", "slot", "status"), rng, scene.stall)
        self.elements = [Element(dut, index, self) for index in range(CONFIG.n_pe)]
        self.seen = Counter()
        self.cycle = self.last_record = self.granted = self.errors = 0
        self.failed_key = (0, 0)
        self.layer = None
        self.skips = 0
        self.recent = deque(maxlen=2)
        self.quiesced = False
        self.unchecked: list[Record] | None = None

    def step(self):
        """Handle one cycle."""
        self.cycle += 1
        assert self.cycle - self.last_record < SILENCE, "the unit hangs"
        if self.dut.record_valid.value == 1:
            self.last_record = self.cycle
            self._take_record(Record.decode(int(self.dut.record.value)))
        grant = self.grant.step()
        if grant is not None:
            self._take_grant(grant)
        self._compare_banks()
        for element in self.elements:
            done = element.step()
            if done is not None:
                self._give_back(done)
        for port in (self.route, self.hint, self.release):
            port.step()

    def _take_record(self, record):
        if self.unchecked is not None:
            self.unchecked.append(record)
            return
        self.model.check(record, self.cycle)
        self.seen[record.kind, record.outcome] += 1
        self.seen[record.kind] += 1
        if record.kind == Kind.CLOSE:
            follows = self.layer is None or record.layer == (self.layer + 1) % self.settings["n_layers"]
            self.skips += not (follows or (record.outcome and record.layer == 0))
            self.layer = record.layer
        if record.kind == Kind.FILL and record.outcome == Fill.FAILED:
            self.failed_key = (record.layer, record.expert)
        if record.kind == Kind.ISSUE and record.source == 0 and record.outcome <= Issue.OWN_RELEASED:
            self.seen["demand"] += 1
        if record.kind == Kind.ISSUE and record.outcome <= Issue.OWN_RELEASED:
            self.seen["issued in layer", record.layer] += 1
        if self.quiesced:
            assert not (record.kind == Kind.ISSUE and record.source == 1), "a prefetch is issued while quiesced"
            assert record.kind != Kind.CANDIDATE or record.outcome == Filter.EXPIRED

    def _compare_banks(self):
        """Require that no two elements read one bank, if the unit maps its grants."""
        banks = [element.bank for element in self.elements if element.bank is not None]
        meets = len(banks) - len(set(banks))
        assert not (meets and CONFIG.mapping_window), f"two elements read one bank: {banks}"
        self.seen["meets"] += meets

    def _take_grant(self, grant):
        key = grant["layer"], grant["expert"]
        if CONFIG.mapping_window:
            self.seen["overtakes"] += tuple(grant.values()) not in list(self.model.expected_grants)[:1]
        self.model.check_grant(*grant.values())
        failed = grant["status"] == GrantStatus.ERROR
        known = key in self.memory.bad
        assert failed == known or (failed and "bus_timeout" in self.settings), f"{grant}: bad are {self.memory.bad}"
        self.granted += 1
        if failed:
            self.errors += 1
            self._give_back(grant)
        else:
            self.recent.append(key)
            self.memory.disturb(*key)
            self.rng.choice(self.elements).give(grant)

    def _give_back(self, grant):
        """Release in some order."""
        self.release.queue.insert(self.rng.randint(0, len(self.release.queue)), grant)

    def _check_burst(self, request):
        settings = self.settings
        if int(request.arid) == TABLES:
            self._check_attributes("ar", request)
            self.memory.tables.begin(int(request.araddr), int(request.arlen) + 1)
            return
        stream = "demand" if int(request.arid) else "prefetch"
        found = [int(getattr(request, f"ar{name}")) for name in ("qos", "cache", "prot", "burst", "lock", "size")]
        expected = [settings[f"qos_{stream}"], settings["cache"], settings["prot"], 1, 0, 2]
        assert found == expected and int(request.arlen) < settings["burst_beats"], f"{request}: expected {expected}"

    def _check_write(self, request):
        assert int(request.awid) == TABLES
        self._check_attributes("aw", request)
        self.memory.tables.begin(int(request.awaddr), int(request.awlen) + 1)

    def _check_attributes(self, channel, request):
        """Require what a table burst must have: no priority, the rest as for experts."""
        settings = self.settings
        found = [int(getattr(request, channel + name)) for name in ("qos", "cache", "prot", "burst", "lock", "size")]
        assert found == [0, settings["cache"], settings["prot"], 1, 0, 2], f"{request}"
        assert int(getattr(request, f"{channel}len")) < settings["burst_beats"]
