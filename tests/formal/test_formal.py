"""Do the quick proofs hold, does each notice its seeded bug, and does a failure say where it is?"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from .catalogue import COVERS, PROOFS
from .cover import Cover
from .engine import Proof
from .harness import Harness, check, small
from .seeding import Seed, seeded

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")


@pytest.mark.parametrize("name", [name for name, proof in PROOFS.items() if proof.quick])
def test_quick_proof(name, tmp_path):
    result = PROOFS[name].prove(tmp_path)
    assert result.holds, f"{result.where} in step {result.step}, see {result.trace}"


@pytest.mark.skipif(not shutil.which("z3", path=str(Path(sys.executable).parent)), reason="z3 is not installed")
@pytest.mark.parametrize("name", ["stream-event", "late-queue", "expert-mapping"])
def test_a_second_solver_agrees(name, tmp_path):
    assert PROOFS[name].prove(tmp_path, "z3").holds


def test_seeded_bug_is_found_with_its_place_and_trace(tmp_path):
    proof = PROOFS["dma-legalizer"]
    result = proof.search(proof.seeds[0], tmp_path)
    assert not result.holds
    assert result.step == 2
    assert "proofs/dma_legalizer.py:" in result.where
    assert result.trace.stat().st_size


def test_a_bug_beyond_the_cycles_that_a_bounded_proof_covers_is_not_noticed(tmp_path):
    proof = replace(PROOFS["dma-legalizer"], induction=False)
    assert proof.depth == proof.reach == 2
    assert proof.search(proof.seeds[0], tmp_path).holds
    assert replace(proof, depth=3).search(proof.seeds[0], tmp_path).step == 2


def test_a_bounded_proof_has_no_induction_to_break():
    with pytest.raises(ValueError, match="dma-beats: a bounded proof has no induction"):
        replace(PROOFS["dma-beats"], step_seeds=PROOFS["dma-beats"].seeds)


def test_every_cover_is_of_a_proof_of_its_name():
    assert all(cover.proof is PROOFS[name] for name, cover in COVERS.items())


def test_a_cover_tells_when_a_state_is_reached_and_which_is_not(tmp_path):
    def states(m, harness, probe):
        level = harness.dut.level
        return {"three-words": level == 3, "five-words": level == 5, "optimised-away": level != level}

    reached = Cover(PROOFS["late-queue"], depth=6, states=states).reach(tmp_path)
    assert reached.steps == {"three-words": 3, "five-words": None, "optimised-away": None}


@pytest.mark.parametrize("name", PROOFS)
def test_every_proof_has_a_seeded_bug_that_changes_the_source(name):
    proof = PROOFS[name]
    assert proof.seeds
    for seed in (*proof.seeds, *proof.step_seeds):
        with seeded(seed):
            pass


def test_seeding_a_text_that_is_not_there_fails():
    with pytest.raises(ValueError, match=r"nowhere: 0 places in hw\.event read 'no such text'"):
        with seeded(Seed("nowhere", "hw.event", "no such text", "")):
            pass


def test_seeding_ends_with_the_block():
    from moefetch.hw.dma_legalizer import BurstLegalizer

    before = BurstLegalizer._settle
    with seeded(PROOFS["dma-legalizer"].seeds[0]):
        assert BurstLegalizer._settle is not before
    assert BurstLegalizer._settle is before


def test_a_false_claim_fails_the_induction(tmp_path):
    class FalseHarness(Harness):
        def __init__(self):
            from moefetch.hw.stall_monitor import StallMonitor

            super().__init__(StallMonitor(config=small()))

        def properties(self, m, probe):
            check(m, probe["granted"] != 3)

    result = Proof("false", "the count of grants is never 3", FalseHarness, depth=1).prove(tmp_path)
    assert not result.holds
    assert result.step is None
