"""The clock that a testbench of one component runs under."""

from amaranth.sim import Simulator


def run_clocked(dut, testbench):
    """Run `testbench(ctx, dut)` to its end."""
    sim = Simulator(dut)
    sim.add_clock(1e-6)

    async def run(ctx):
        await testbench(ctx, dut)

    sim.add_testbench(run)
    sim.run()
