"""Do the quick proofs hold, does each notice its seeded bug, and does a failure say where it is?"""

import pytest

from .catalogue import PROOFS
from .engine import Proof
from .harness import Harness, check, small
from .seeding import Seed, seeded

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")


@pytest.mark.parametrize("name", [name for name, proof in PROOFS.items() if proof.quick])
def test_quick_proof(name, tmp_path):
    result = PROOFS[name].prove(tmp_path)
    assert result.holds, f"{result.where} in step {result.step}, see {result.trace}"


def test_seeded_bug_is_found_with_its_place_and_trace(tmp_path):
    proof = PROOFS["dma-legalizer"]
    result = proof.search(proof.seeds[0], tmp_path)
    assert not result.holds
    assert result.step == 2
    assert "proofs/dma_legalizer.py:" in result.where
    assert result.trace.stat().st_size


@pytest.mark.parametrize("name", PROOFS)
def test_every_proof_has_a_seeded_bug_that_changes_the_source(name):
    proof = PROOFS[name]
    assert proof.seeds
    for seed in proof.seeds:
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
