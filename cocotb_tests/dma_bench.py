"""cocotb tests of the emitted DMA controller against cocotbext-axi's read slave, a third party's.

Random back-pressure on every channel, random latencies, SLVERR and DECERR; every byte of every slot is checked, and
a slot without a transfer must keep what it held. All of ours is driven and sampled at the falling edge.
"""

import os
import random

import cocotb
from axi_agents import ReadSlave
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from moefetch.hw.config import UnitConfig

PERIOD_NS = 10
CONFIG = UnitConfig.model_validate_json(os.environ["DMA_CONFIG"])
HIGH_BASE = 0xFEDC_BA98_0000_0000
MEMORY = random.Random(7).randbytes(1 << 18)
GUARD = 0x5A
SETTINGS = {
    "outstanding": 4,
    "burst_beats": 8,
    "retries": 3,
    "qos_demand": 12,
    "qos_prefetch": 3,
    "cache": 11,
    "prot": 5,
    "timeout": 0,
}


def pack_pieces(pieces):
    """Return the bits of a descriptor's field `more`."""
    beat_bits = CONFIG.slot_beats.bit_length()
    packed = 0
    for index, (offset, beats) in enumerate(pieces):
        packed |= (HIGH_BASE + offset | beats << 64) << index * (64 + beat_bits)
    return packed


class Memory:
    """The slave's target: random bytes above HIGH_BASE, slow now and then, with errors on chosen words."""

    def __init__(self, dut, rng, slowness):
        self.dut, self.rng, self.slowness = dut, rng, slowness
        self.failures: dict[int, int] = {}

    async def read(self, address, length):
        if self.rng.random() < self.slowness:
            await ClockCycles(self.dut.clk, self.rng.randrange(1, 12))
        if self.failures.get(address, 0) > 0:
            self.failures[address] -= 1
            raise OSError("injected")
        offset = address - HIGH_BASE
        assert 0 <= offset <= len(MEMORY) - length, f"read of 0x{address:X}, which nobody asked for"
        return MEMORY[offset : offset + length]


class Bench:
    """Feeds descriptors and pulses, takes statuses, keeps the slots' bytes."""

    def __init__(self, dut, seed, *, pause=0.0, slowness=0.0, disturb=0.0):
        self.dut, self.rng = dut, random.Random(seed)
        self.pause, self.disturb = pause, disturb
        self.memory = Memory(dut, random.Random(seed + 1), slowness)
        self.slave = ReadSlave(dut, "axi", self.memory, random.Random(seed + 2), pause=pause)
        self.guard = bytes([GUARD]) * CONFIG.slot_bytes
        self.slots = [bytearray(self.guard) for _ in range(CONFIG.slots)]
        self.running: dict[int, list[tuple[int, int]]] = {}
        self.aborted: set[int] = set()
        self.queues: dict[str, list] = {"demand": [], "prefetch": []}
        self.statuses: list[tuple[int, int, int]] = []

    async def start(self, **settings):
        dut = self.dut
        cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
        for name in ("demand_valid", "prefetch_valid", "promote", "abort", "status_ready"):
            getattr(dut, name).value = 0
        for name, value in (SETTINGS | settings).items():
            getattr(dut, name).value = value
        dut.rst.value = 1
        await ClockCycles(dut.clk, 4)
        await FallingEdge(dut.clk)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)

    def add(self, stream, slot, offset, beats):
        """Queue a descriptor; `offset` is into MEMORY."""
        self.queues[stream].append((slot, [(offset, beats)]))

    async def drain(self, transfers, most_cycles=60_000):
        """Run until so many transfers have ended; the slot of a queued one must be free by then."""
        for _ in range(most_cycles):
            await FallingEdge(self.dut.clk)
            self._step()
            if len(self.statuses) >= transfers:
                break
        else:
            raise AssertionError(f"{len(self.statuses)} of {transfers} transfers ended in {most_cycles} cycles")
        for _ in range(20):
            await FallingEdge(self.dut.clk)
            self._step()
        assert self.dut.idle.value == 1
        assert len(self.statuses) == transfers
        await RisingEdge(self.dut.clk)

    def _step(self):
        dut = self.dut
        assert dut.axi_rready.value == 1
        assert dut.protocol_error.value == 0
        if dut.axi_arvalid.value == 1:
            self._check_address()
        if dut.sink_valid.value == 1:
            slot, beat = int(dut.sink_slot.value), int(dut.sink_beat.value)
            assert slot in self.running, f"a word for slot {slot}, which has no transfer"
            word = int(dut.sink_data.value).to_bytes(CONFIG.bus_bytes, "little")
            self.slots[slot][beat * CONFIG.bus_bytes : (beat + 1) * CONFIG.bus_bytes] = word
        self._take_status()
        self._pulse()
        for stream in self.queues:
            self._offer(stream)

    def _check_address(self):
        dut = self.dut
        demand = int(dut.axi_arid.value)
        found = [int(getattr(dut, f"axi_{name}").value) for name in ("arqos", "arcache", "arprot", "arburst", "arlock")]
        assert found == [
            SETTINGS["qos_demand" if demand else "qos_prefetch"],
            SETTINGS["cache"],
            SETTINGS["prot"],
            1,
            0,
        ]
        assert 1 << int(dut.axi_arsize.value) == CONFIG.bus_bytes
        assert int(dut.axi_arlen.value) < int(dut.burst_beats.value)

    def _take_status(self):
        dut = self.dut
        ready = self.rng.random() >= self.pause
        dut.status_ready.value = int(ready)
        if not (ready and dut.status_valid.value == 1):
            return
        slot, fill, drained = (int(getattr(dut, f"status_{name}").value) for name in ("slot", "fill", "drained"))
        pieces = self.running.pop(slot)
        assert drained == (slot in self.aborted)
        self.aborted.discard(slot)
        expected = b"".join(MEMORY[offset : offset + beats * CONFIG.bus_bytes] for offset, beats in pieces)
        length = len(expected)
        if not drained and not fill:
            assert self.slots[slot][:length] == expected
        assert self.slots[slot][length:] == self.guard[length:], "bytes beyond the transfer were written"
        self.slots[slot][:] = self.guard
        self.statuses.append((slot, fill, drained))

    def _pulse(self):
        dut = self.dut
        dut.promote.value = 0
        dut.abort.value = 0
        if self.running and self.rng.random() < self.disturb:
            slot = self.rng.choice(sorted(self.running))
            if self.rng.random() < 0.4:
                self.aborted.add(slot)
                dut.abort.value = slot << 1 | 1
            else:
                dut.promote.value = slot << 1 | 1

    def _offer(self, stream):
        dut, queue = self.dut, self.queues[stream]
        offered = bool(queue) and queue[0][0] not in self.running
        getattr(dut, f"{stream}_valid").value = int(offered)
        if not offered:
            return
        slot, pieces = queue[0]
        getattr(dut, f"{stream}_address").value = HIGH_BASE + pieces[0][0]
        getattr(dut, f"{stream}_beats").value = sum(beats for _, beats in pieces)
        getattr(dut, f"{stream}_slot").value = slot
        if CONFIG.segments > 1:
            getattr(dut, f"{stream}_piece_beats").value = pieces[0][1]
            getattr(dut, f"{stream}_more").value = pack_pieces(pieces[1:])
            getattr(dut, f"{stream}_refused").value = 0
        if getattr(dut, f"{stream}_ready").value == 1:
            queue.pop(0)
            self.running[slot] = pieces

    def add_random(self, transfers, *, error_rate=0.0, failures=1):
        """Queue random transfers; each slot belongs to one stream, since the streams are not ordered."""
        for number in range(transfers):
            stream = ("demand", "prefetch")[number % 2]
            slot = self.rng.randrange(CONFIG.slots // 2) * 2 + number % 2
            beats = self.rng.randrange(1, CONFIG.slot_beats + 1)
            offset = self.rng.randrange(len(MEMORY) // 4096 - 2) * 4096
            offset += self.rng.choice([0, 0, 4096 - 3 * CONFIG.bus_bytes])
            pieces = [(offset, beats)] if CONFIG.segments == 1 else self._cut(beats)
            self.queues[stream].append((slot, pieces))
            if self.rng.random() < error_rate:
                offset, beats = pieces[-1]
                word = self.rng.randrange(beats)
                self.memory.failures[HIGH_BASE + offset + word * CONFIG.bus_bytes] = failures

    def _cut(self, beats):
        """Return pieces of as many beats together, each anywhere in MEMORY."""
        cuts = sorted(self.rng.sample(range(1, beats), min(beats - 1, self.rng.randrange(CONFIG.segments))))
        lengths = [end - start for start, end in zip([0, *cuts], [*cuts, beats], strict=True)]
        step = CONFIG.bus_bytes
        return [(step * self.rng.randrange((len(MEMORY) - CONFIG.slot_bytes) // step), length) for length in lengths]


@cocotb.test()
async def lengths_and_offsets_around_a_line(dut):
    bench = Bench(dut, 1)
    await bench.start(burst_beats=256)
    cases = [
        (4096 * (1 + beats % 5) + offset * CONFIG.bus_bytes, beats)
        for offset in range(-3, 3)
        for beats in (1, 2, 3, 4, CONFIG.slot_beats - 1, CONFIG.slot_beats)
    ]
    for number, (offset, beats) in enumerate(cases):
        bench.add("demand", number % CONFIG.slots, offset, beats)
    await bench.drain(len(cases))
    assert all(status[1:] == (0, 0) for status in bench.statuses)


@cocotb.test()
@cocotb.parametrize(seed=[11, 12], burst_beats=[1, 7, 16])
async def back_pressure_and_latency(dut, seed, burst_beats):
    bench = Bench(dut, seed, pause=0.4, slowness=0.05)
    await bench.start(burst_beats=burst_beats)
    bench.add_random(20)
    await bench.drain(20)
    assert all(status[1:] == (0, 0) for status in bench.statuses)


@cocotb.test()
@cocotb.parametrize(seed=[21, 22])
async def errors_are_survived(dut, seed):
    bench = Bench(dut, seed, pause=0.2, slowness=0.02)
    await bench.start(retries=15)  # transfers may overlap, and then meet each other's errors too
    bench.add_random(24, error_rate=0.7, failures=2)
    await bench.drain(24)
    assert all(status[1:] == (0, 0) for status in bench.statuses)
    assert not any(bench.memory.failures.values())


@cocotb.test()
async def errors_that_stay_fail_their_transfer_only(dut):
    bench = Bench(dut, 31, pause=0.2)
    await bench.start()
    bench.add("demand", 0, 4096, CONFIG.slot_beats)
    bench.add("prefetch", 1, 65536, CONFIG.slot_beats)
    bench.add("demand", 2, 32768, CONFIG.slot_beats)
    bench.add("prefetch", 3, 131072, CONFIG.slot_beats)
    bench.memory.failures[HIGH_BASE + 4096 + 20 * CONFIG.bus_bytes] = 1000
    bench.memory.failures[HIGH_BASE + 131072 + 5 * CONFIG.bus_bytes] = 1000
    await bench.drain(4)
    assert {slot: (fill, drained) for slot, fill, drained in bench.statuses} == {
        0: (1, 0), 1: (0, 0), 2: (0, 0), 3: (1, 0),
    }  # fmt: skip
    assert sorted(1000 - left for left in bench.memory.failures.values()) == [4, 4]


@cocotb.test()
@cocotb.parametrize(seed=[41, 42, 43])
async def aborts_and_promotes(dut, seed):
    bench = Bench(dut, seed, pause=0.3, slowness=0.03, disturb=0.02)
    await bench.start(outstanding=3)
    bench.add_random(40, error_rate=0.2, failures=5)
    await bench.drain(40)
    assert any(drained for _, _, drained in bench.statuses)
    assert any(not drained for _, _, drained in bench.statuses)
