"""Does every cycle go into exactly one bucket, and into that of the first waiting expert's state?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.stall_monitor import BUCKETS, StallMonitor

CONFIG = UNIT_PRESETS["tiny"]
INPUTS = ("grant_valid", "grant_ready", "classifying", "demand_busy", "blocked", "misses_queued", "bank_lost")


def bucket_of(event_open, granted, n_members, now):
    """Read the rule once more, as a person would."""
    if not event_open:
        return "outside"
    element_idle, all_granted = now["grant_ready"], granted == n_members
    if element_idle and not all_granted:
        if now["grant_valid"] or now["classifying"]:
            return "stall_grant"  # ready, or being classified
        if now.get("bank_awaited"):
            return "stall_bank"
        if now["demand_busy"]:
            return "stall_link"
        if now["misses_queued"]:
            return "stall_slot" if now["blocked"] else "stall_queue"
        return "stall_grant"  # on its way from the fill to the grant
    return "stall_bank" if now["bank_lost"] else "compute"


@pytest.mark.parametrize("mapping_window", [0, 4])
def test_random_cycles_match_the_rule(mapping_window):
    print("seed 1")
    rng = random.Random(1)
    dut = StallMonitor(config=CONFIG.replace(mapping_window=mapping_window))
    inputs = (*INPUTS, "bank_awaited") if mapping_window else INPUTS
    seen = set()

    async def bench(ctx):
        for _ in range(200):
            n_members = rng.randint(0, CONFIG.max_experts)
            granted = 0
            ctx.set(dut.n_members, n_members)
            for event_open, cycles in ((0, rng.randint(1, 4)), (1, rng.randint(1, 40))):
                ctx.set(dut.event_open, event_open)
                for _ in range(cycles):
                    now = {name: int(rng.random() < 0.4) for name in inputs}
                    if not event_open or granted == n_members:
                        now["grant_valid"] = 0
                    for name, value in now.items():
                        ctx.set(getattr(dut, name), value)
                    high = [name for name in BUCKETS if ctx.get(dut.bucket[name])]
                    assert high == [bucket_of(event_open, granted, n_members, now)]
                    seen.update(high)
                    granted += now["grant_valid"] & now["grant_ready"]
                    await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == set(BUCKETS)
