"""Does the choice of the next burst keep the order?"""

import random

from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.dma_burst import transfer_count
from moefetch.hw.dma_choice import DEMAND, PREFETCH, BurstChoice

TINY = UNIT_PRESETS["tiny"]


def expected(state):
    """Return which burst goes, or is dropped, and whether it is demanded, by a plain reading of the order."""

    def demanded(burst):
        return bool(state["demanded"] >> burst["transfer"] & 1)

    repeated = state["repeated"]
    if state["repeats"]:
        if not state["repeated_valid"]:
            return None
        if state["stopped"] >> repeated["transfer"] & 1:
            return "drop", None, None
        return ("repeat", repeated, demanded(repeated)) if state["go"] else None
    active = [bool(state["active"] >> which & 1) for which in range(2)]
    order = [
        (PREFETCH, active[PREFETCH] and state["promoted"]),
        (DEMAND, active[DEMAND]),
        (PREFETCH, active[PREFETCH]),
    ]
    first = next((which for which, wanted in order if wanted), None)
    if first is None or not state["go"] or not state["ready"] >> first & 1:
        return None
    return ("prefetch", "demand")[first], state["bursts"][first], first == DEMAND or state["promoted"]


def random_state(rng):
    transfers = transfer_count(TINY)

    def burst():
        return {
            "transfer": rng.randrange(transfers), "slot": rng.randrange(3), "word": rng.getrandbits(20),
            "first": rng.randrange(4), "length": rng.randrange(4),
        }  # fmt: skip

    active, repeats = rng.randrange(4), rng.random() < 0.4
    return {
        "go": rng.random() < 0.8, "repeats": repeats, "repeated_valid": repeats and rng.random() < 0.8,
        "repeated": burst(), "active": active, "ready": active & rng.randrange(4), "bursts": [burst(), burst()],
        "promoted": rng.random() < 0.5, "demanded": rng.getrandbits(transfers), "stopped": rng.getrandbits(transfers),
    }  # fmt: skip


def test_random_offers():
    print("seed 1")
    rng = random.Random(1)
    dut = BurstChoice(config=TINY)
    seen = set()

    async def bench(ctx):
        for _ in range(4000):
            state = random_state(rng)
            for name, value in state.items():
                ctx.set(getattr(dut, name), value)
            await ctx.delay(1e-9)
            choice = {
                name: bool(ctx.get(dut.choice[name])) for name in ("repeat", "drop", "prefetch", "demand", "valid")
            }
            what, burst, demanded = expected(state) or (None, None, None)
            seen.add(what)
            assert choice == {name: name == what for name in ("repeat", "drop", "prefetch", "demand")} | {
                "valid": burst is not None
            }
            if burst:
                assert {name: ctx.get(dut.burst[name]) for name in burst} == burst
                assert bool(ctx.get(dut.choice.demanded)) == demanded

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {"repeat", "drop", "prefetch", "demand", None}
