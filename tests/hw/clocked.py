"""The clock that a testbench of one component runs under."""

from amaranth.sim import Simulator


def run_clocked(dut, testbench, *watchers):
    """Run `testbench(ctx, dut)` to its end; `watchers(ctx)` only look on."""
    sim = Simulator(dut)
    sim.add_clock(1e-6)

    async def run(ctx):
        await testbench(ctx, dut)

    sim.add_testbench(run)
    for watch in watchers:
        sim.add_process(watch)
    sim.run()
