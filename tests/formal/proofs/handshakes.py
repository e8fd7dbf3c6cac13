"""Which ports of the whole unit depend on which others within a cycle; no `valid` or payload waits for a `ready`."""

import time
from dataclasses import dataclass
from pathlib import Path

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.prefetch_unit import PrefetchUnit

from ..engine import WORK, Result
from ..paths import combinational_inputs
from ..seeding import Seed, seeded


def allowed_inputs(n_pe: int) -> dict[str, set[str]]:
    """Return the outputs that may depend on an input in the same cycle, each with its inputs; all are `ready`."""
    allowed = {"route_ready": {"route_valid", "route_layer"}, "hint_ready": {"release_valid"}}
    for reader in range(n_pe):
        before = {f"read_{other}_{name}" for other in range(reader) for name in ("valid", "slot")}
        allowed[f"read_{reader}_ready"] = before | {f"read_{reader}_slot"}
    return allowed


@dataclass(frozen=True)
class PathProof:
    """The netlist of a preset has no other path from an input to an output than those allowed."""

    name: str
    claim: str
    preset: str
    seeds: tuple[Seed, ...] = ()
    quick: bool = False
    method = "netlist"
    depth = reach = 0
    step_seeds = ()

    def prove(self, work: Path = WORK, solver: str = "") -> Result:
        """Follow every output back to flip-flops, memories and inputs."""
        started = time.monotonic()
        config = UNIT_PRESETS[self.preset]
        allowed = allowed_inputs(config.n_pe)
        for output, inputs in combinational_inputs(PrefetchUnit(config=config)).items():
            wrong = inputs - allowed.get(output, set())
            if wrong:
                return Result(False, time.monotonic() - started, 0, f"{output} depends on {', '.join(sorted(wrong))}")
        return Result(True, time.monotonic() - started)

    def search(self, seed: Seed, work: Path = WORK, solver: str = "") -> Result:
        """Follow them with a bug put in."""
        with seeded(seed):
            return self.prove()


CLAIM = "no valid, payload or AXI output of the unit depends on an input in the same cycle"
SEEDS = (
    Seed(
        "grant-waits-for-ready",
        "hw.prefetch_core",
        "out.valid.eq(grants.valid)",
        "out.valid.eq(grants.valid & out.ready)",
    ),
    Seed(
        "awready-waits-for-b",
        "hw.axi_lite",
        "bus.awready.eq(~address_held)",
        "bus.awready.eq(~address_held & bus.bready)",
    ),
)
PROOFS = [
    PathProof("handshakes-tiny", f"{CLAIM} (preset tiny)", "tiny", SEEDS),
    PathProof("handshakes-default", f"{CLAIM} (preset default)", "default", SEEDS[:1]),
]
