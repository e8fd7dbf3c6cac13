"""Bench of the predictors whose tables lie in memory."""

from amaranth.sim import Simulator

from .bench import Bench


class PagedBench(Bench):
    """A predictor whose pages lie in a `PageMemory`; `pulses` counts what it tells of them.

    `watchers` are processes that only look on.
    """

    def __init__(self, config, *, memory, retries=0, burst_beats=16, watchers=(), **options):
        super().__init__(config, **options)
        self.memory, self.watchers = memory, watchers
        self.pulses = {}
        self.control = {"enable": 1, "quiesced": 0, "retries": retries, "burst_beats": burst_beats}

    def run(self, testbench):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)

        async def serve(ctx):
            await self.memory.serve(ctx, self.dut.pages)

        async def main(ctx):
            ctx.set(self.dut.page_control, self.control)
            for name, value in self.settings.items():
                ctx.set(getattr(self.dut, name), value)
            await testbench(ctx)

        simulator.add_process(self._count)
        for watch in (self._count_pulses, *self.watchers):
            simulator.add_process(watch)
        simulator.add_testbench(self._collect, background=True)
        simulator.add_testbench(serve, background=True)
        simulator.add_testbench(main)
        simulator.run()

    async def _count_pulses(self, ctx):
        async for _, _, pulses in ctx.tick().sample(self.dut.page_pulses):
            for name in self.dut.page_pulses.shape().members:
                self.pulses[name] = self.pulses.get(name, 0) + pulses[name]
            assert self.pulses["table_loads"] == self.pulses["table_ahead"] + self.pulses["table_late"]
            assert self.pulses["table_errors"] == self.pulses["table_retries"] + self.pulses["table_lost"]

    async def quiesce(self, ctx):
        """Let memory have every table."""
        ctx.set(self.dut.page_control.quiesced, 1)
        await ctx.tick()
        await self.settle(ctx)
        ctx.set(self.dut.page_control.quiesced, 0)
