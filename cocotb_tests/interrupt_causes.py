"""What makes a unit set each cause of an interrupt, beside a third party's memory that fails, is silent, then serves.

What the unit tells of itself meanwhile is compared too.
"""

import os
import random

from axi_agents import ReadSlave, Receiver, Sender
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiResp
from moefetch.hw.records import GrantStatus
from moefetch.hw.register_access import command_writes, settings_writes
from registers_port import CONFIG, OFFSETS

LAST_LAYER = CONFIG.max_layers - 1
EXPERT = 5
SETTINGS = {"hints": 1, "budget": CONFIG.max_experts, "expert_beats": 16}


class InterruptCauses:
    """Has a method for each cause, of its name, which sets it and returns the causes that are set then.

    They are called once each, in the order of the causes' bits; `start` goes before.
    """

    def __init__(self, dut, port):
        self._dut, self._port = dut, port
        self._rng = random.Random(1)
        self._fails = True
        self._slave = ReadSlave(dut, "m_axi", self, self._rng)
        self._n_events = 0

    async def read(self, address, length):
        """Return bytes of memory, or raise for an error response."""
        if self._fails:
            raise OSError("injected")
        return bytes(length)

    async def start(self):
        """Program the unit."""
        await self._port.write(settings_writes(CONFIG, SETTINGS))

    async def transfer_error(self):
        """Ask for an expert that memory refuses."""
        await self._port.expect(failed_layer=0, failed_expert=0)
        assert await self._event(LAST_LAYER) == GrantStatus.ERROR
        await self._port.expect(failed_layer=LAST_LAYER, failed_expert=EXPERT)
        return {"transfer_error"}

    async def route_fault(self):
        """Release what was never granted."""
        await self._send("release", [{"layer": 0, "expert": 0, "slot": 0, "status": 0}])
        return {"route_fault"}

    async def queue_overflow(self):
        """Hint more than the queue holds, for the two events that come; memory takes no address from now on."""
        self._slave.ar_channel.pause = True
        hints = [
            {"layer": layer, "expert": expert, "score": 9, "last": expert == CONFIG.max_experts - 1}
            for layer in (0, 1)
            for expert in range(CONFIG.max_experts)
        ]
        await self._send("hint", hints)
        await ClockCycles(self._dut.clk, 20)
        return {"queue_overflow"}

    async def command_done(self):
        """Empty the queue, so that the prefetches under way are the last."""
        await self._port.write(command_writes(CONFIG, "flush"))
        return {"command_done"}

    async def config_error(self):
        """Write what is out of range."""
        assert await self._port.response(OFFSETS["N_LAYERS"], bytes(4)) == AxiResp.SLVERR
        return {"config_error"}

    async def transfer_timeout(self):
        """Give up the prefetches under way; each is a transfer that fails. Then memory is well again."""
        port = self._port
        await port.expect(overdue=0)
        await port.write(settings_writes(CONFIG, {"bus_timeout": 30}))
        while not await port.field("overdue"):
            pass
        await port.expect(overdue=1, idle=0)
        await port.write(settings_writes(CONFIG, {"bus_timeout": 0}))
        self._fails = self._slave.ar_channel.pause = False
        await self._until_idle()
        await port.expect(overdue=0)
        return {"transfer_timeout", "transfer_error"}

    async def layer_order(self):
        """Begin a step, and leave a layer out in it."""
        await self._port.expect(step_number=0)
        for layer in (0, 2):
            assert await self._event(layer) == GrantStatus.MISS
        await self._port.expect(step_number=1)
        return {"layer_order"}

    async def parity_error(self):
        """Turn a bit of a table's first row over, which reads as empty until it is written anew."""
        port, entry = self._port, 3 | 2 << 16
        name = next(name for name in os.environ["UNIT_MEMORIES"].split() if "__table__rows" in name)
        rows = getattr(self._dut, name.split(":")[0])
        address, data = OFFSETS["TABLE_ADDRESS"], OFFSETS["TABLE_DATA"]
        await port.write([(address, 0), (data, entry)])
        await FallingEdge(self._dut.clk)
        rows[0].value = int(rows[0].value) ^ 1
        await port.write([(address, 0)])
        assert await port.read(data) == 0
        await port.write([(address, 0), (data, entry), (address, 0)])
        assert await port.read(data) == entry
        return {"parity_error"}

    async def _event(self, layer):
        """Ask for one expert in an event of its own, give it back, and return its grant's status."""
        port = self._port
        await port.expect(idle=1, event_open=0)
        beat = {"layer": layer, "expert": EXPERT, "score": 9, "token_last": 1, "last": 1, "sequence_start": 0}
        await self._send("route", [beat])
        grants, grant = Receiver(self._dut, "grant", ("layer", "expert", "slot", "status"), self._rng, 0), None
        while grant is None:
            await RisingEdge(self._dut.clk)
            grant = grants.step()
        assert (grant["layer"], grant["expert"]) == (layer, EXPERT)
        await port.expect(idle=0, event_open=1)
        await self._send("release", [grant])
        await self._until_idle()
        await port.expect(idle=1, event_open=0, event_number=self._n_events)
        self._n_events += 1
        return grant["status"]

    async def _send(self, name, payloads):
        sender = Sender(self._dut, name, self._rng, 0)
        sender.queue.extend(payloads)
        while not sender.is_empty():
            await RisingEdge(self._dut.clk)
            sender.step()

    async def _until_idle(self):
        while not await self._port.field("idle"):
            pass
