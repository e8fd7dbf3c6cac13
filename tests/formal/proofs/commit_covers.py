"""What the commit port can come to from reset: each kind of grant, victims, and misses that wait."""

from amaranth.hdl import Cat
from moefetch.hw.records import GrantStatus, Issue, Kind

from ..cover import Cover
from . import commit_port, commit_progress


def _records(harness):
    """Return a condition: the commit log says that a record of this kind and outcome is made."""
    commit = harness.top.commit

    def made(kind, outcome):
        return commit.record_valid & (commit.record.kind == kind) & (commit.record.outcome == outcome)

    return made


def port_states(m, harness, probe):
    """Return what the directory's claims speak of."""
    commit, made = harness.top.commit, _records(harness)
    granted = {
        f"granted-{status.name.lower()}": commit.grant.valid & (commit.grant.payload.status == status)
        for status in GrantStatus
    }
    return granted | {
        "candidate-queued": commit.queue.insert,
        "event-ended": commit.directory.end_event & (commit.intake.n_members != 0),
        "prefetch-evicts": made(Kind.ISSUE, Issue.EVICT) & (commit.record.source == 1),
        "demand-aborts-prefetch": made(Kind.ISSUE, Issue.ABORT),
        "aborted-transfer-drained": commit.record_valid & (commit.record.kind == Kind.DRAIN),
    }


def progress_states(m, harness, probe):
    """Return the ways in which a miss waits."""
    commit, flags = harness.top.commit, harness.flags
    waits = commit.blocked & (harness.n_missed != 0)
    return {
        "waits-for-transfer": waits & harness.moving.any(),
        "waits-for-release": waits & ~harness.moving.any() & Cat(f.pinned & ~f.released for f in flags).any(),
    }


COVERS = [
    Cover(commit_port.PROOFS[0], depth=24, states=port_states),
    Cover(commit_progress.PROOFS[0], depth=26, states=progress_states),
]
