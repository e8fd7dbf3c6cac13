"""cocotbext-axi's agents as the benches use them, with random pauses on every channel, and handshakes of our own."""

import logging
import random
from collections import deque
from itertools import repeat

from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiReadBus,
    AxiResp,
    AxiSlaveRead,
    AxiSlaveWrite,
    AxiWriteBus,
)
from moefetch.hw.page_channel import TABLES


def coins(rng, chance):
    """Return an endless iterator of booleans, true with this probability."""
    if not chance:
        return repeat(False)
    rng = random.Random(rng.random())
    return (rng.random() < chance for _ in repeat(None))


class ReadSlave(AxiSlaveRead):
    """cocotbext-axi's slave over `memory.read`; half of its error responses are made DECERR, which it never gives.

    `bursts` and `beats` count what was asked for and sent, `table_beats` what was sent for tables; `check_burst(ar)`
    sees every request.
    """

    def __init__(self, dut, prefix, memory, rng, *, pause=0.0, check_burst=lambda ar: None):
        super().__init__(AxiReadBus.from_prefix(dut, prefix), dut.clk, dut.rst, target=memory)
        self.log.setLevel(logging.ERROR)
        self.ar_channel.queue_occupancy_limit = 8
        self.bursts = self.beats = self.table_beats = 0
        for channel, chance in ((self.ar_channel, pause), (self.r_channel, pause / 2)):
            channel.log.setLevel(logging.ERROR)
            if pause:
                channel.set_pause_generator(coins(rng, chance))
        send, receive = self.r_channel.send, self.ar_channel.recv

        async def send_response(beat):
            if beat.rresp == AxiResp.SLVERR and rng.random() < 0.5:
                beat.rresp = AxiResp.DECERR
            if int(beat.rid) == TABLES:
                self.table_beats += 1
            else:
                self.beats += 1
            await send(beat)

        async def receive_request():
            request = await receive()
            self.bursts += int(request.arid) != TABLES
            check_burst(request)
            return request

        self.r_channel.send, self.ar_channel.recv = send_response, receive_request


class WriteSlave(AxiSlaveWrite):
    """cocotbext-axi's slave over `memory.write`; half of its error responses are made DECERR.

    `beats` counts the words written; `check_burst(aw)` sees every request.
    """

    def __init__(self, dut, prefix, memory, rng, *, pause=0.0, check_burst=lambda aw: None):
        super().__init__(AxiWriteBus.from_prefix(dut, prefix), dut.clk, dut.rst, target=memory)
        self.log.setLevel(logging.ERROR)
        self.beats = 0
        for channel in (self.aw_channel, self.w_channel, self.b_channel):
            channel.log.setLevel(logging.ERROR)
            if pause:
                channel.set_pause_generator(coins(rng, pause))
        answer, take, receive = self.b_channel.send, self.w_channel.recv, self.aw_channel.recv

        async def send_response(response):
            if response.bresp == AxiResp.SLVERR and rng.random() < 0.5:
                response.bresp = AxiResp.DECERR
            await answer(response)

        async def receive_word():
            word = await take()
            self.beats += 1
            return word

        async def receive_request():
            request = await receive()
            check_burst(request)
            return request

        self.b_channel.send, self.w_channel.recv, self.aw_channel.recv = send_response, receive_word, receive_request


class Registers:
    """AXI4-Lite accesses by cocotbext-axi's master, with random pauses on all five channels."""

    def __init__(self, dut, prefix, rng, *, pause=0.0):
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, prefix), dut.clk, dut.rst)
        write, read = self.master.write_if, self.master.read_if
        for part in (write, read, write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
            part.log.setLevel(logging.ERROR)
            if pause and part not in (write, read):
                part.set_pause_generator(coins(rng, pause))

    async def response(self, address, data):
        """Write bytes and return the response."""
        return (await self.master.write(address, data)).resp

    async def write(self, writes):
        """Make these (address, word) writes, none of which may be rejected."""
        for address, word in writes:
            answer = await self.response(address, word.to_bytes(4, "little"))
            assert answer == AxiResp.OKAY, f"write of 0x{word:08X} to 0x{address:03X}: {answer.name}"

    async def read(self, address, length=4):
        """Return what is read, as a number."""
        answer = await self.master.read(address, length)
        assert answer.resp == AxiResp.OKAY, f"read of 0x{address:03X}: {answer.resp.name}"
        return int.from_bytes(answer.data, "little")


class Sender:
    """Offers payloads (dictionaries) on stream port `name`, with random gaps; call `step` at every rising edge."""

    def __init__(self, dut, name, rng, gap):
        self._dut, self._name, self._rng, self.gap = dut, name, rng, gap
        self._valid, self._ready = getattr(dut, f"{name}_valid"), getattr(dut, f"{name}_ready")
        self._valid.value = 0
        self.queue = deque()
        self.offered = None

    def step(self):
        """Take note of a transfer at this edge and return its payload, if there was one; make the next offer."""
        taken = None
        if self.offered is not None and self._ready.value == 1:
            taken, self.offered = self.offered, None
            self._valid.value = 0
        if self.offered is None and self.queue and self._rng.random() >= self.gap:
            self.offered = self.queue.popleft()
            for field, value in self.offered.items():
                getattr(self._dut, f"{self._name}_{field}").value = int(value)
            self._valid.value = 1
        return taken

    def is_empty(self):
        """Return whether all was taken."""
        return self.offered is None and not self.queue


class Receiver:
    """Takes payloads from stream port `name`, not ready now and then; call `step` at every rising edge."""

    def __init__(self, dut, name, fields, rng, stall):
        self._rng, self.stall = rng, stall
        self._valid, self._ready = getattr(dut, f"{name}_valid"), getattr(dut, f"{name}_ready")
        self._fields = {field: getattr(dut, f"{name}_{field}") for field in fields}
        self._ready.value = 0
        self._is_ready = False

    def step(self):
        """Return the payload of a transfer at this edge as a dictionary, None without one."""
        taken = None
        if self._is_ready and self._valid.value == 1:
            taken = {field: int(handle.value) for field, handle in self._fields.items()}
        ready = self._rng.random() >= self.stall
        if ready != self._is_ready:
            self._is_ready = ready
            self._ready.value = int(ready)
        return taken
