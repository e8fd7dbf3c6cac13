"""A replay as an FPGA's self-test: what the models expect of it, for `hw.fpga`."""

from __future__ import annotations

from ..hw.counter_names import counters_of
from ..hw.fpga.program import RESULTS, SelfTestData
from ..traces.errors import UserError
from .replay_image import replay_words
from .replay_program import commit_patience, programming, workload_inputs
from .replay_result import ReplayJob, ReplayResult

MOST = (1 << 32) - 1
"""Largest number that an instruction holds."""


def self_test_data(job: ReplayJob, expected: ReplayResult) -> SelfTestData:
    """Return the self-test of a job; `expected` is what the cycle model counted.

    Raises UserError if the replay is too long for the test's program.
    """
    grants = expected.counters["demand"]
    results = dict.fromkeys(RESULTS, 0) | {
        "replay_cycles": expected.cycles, "events": len(job.events), "granted": grants,
        "words": grants * job.settings["expert_beats"],
    }  # fmt: skip
    limit = 2 * expected.cycles + commit_patience(job, 0)
    if max(limit, *results.values(), *expected.counters.values()) > MOST:
        raise UserError(f"{job.name}: {expected.cycles} cycles are too many for a self-test: fewer --tokens")
    name = job.name.encode("ascii", "replace").decode()
    title = f"moefetch self-test: {name}, {len(job.events)} events, {job.policy}, unit {job.unit.digest}"
    return SelfTestData(
        title=title,
        config=job.unit,
        inputs=workload_inputs(job),
        trace=tuple(replay_words(job.events)),
        writes=tuple(programming(job)),
        counters={name: expected.counters[name] for name in counters_of(job.unit)},
        results=results,
        limit=limit,
    )
