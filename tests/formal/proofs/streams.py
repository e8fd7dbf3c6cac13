"""Streams keep their rule: what is offered and not taken stays, unchanged, but where a docstring says otherwise."""

from functools import partial

from amaranth.hdl import Cat, Signal
from moefetch.hw.axi_lite import AxiLiteSlave
from moefetch.hw.candidates import CandidateMerge
from moefetch.hw.event import EventIntake
from moefetch.predictor_rtl.ranking import Ranking
from moefetch.predictor_rtl.selection import Selection
from moefetch.predictor_rtl.st_moe import StMoePredictor
from moefetch.predictor_rtl.st_moe_paper import StMoePaperPredictor

from ..cover import Cover
from ..engine import Proof
from ..harness import Harness, assume, check, implies, past, small, stays
from ..seeding import Seed

CONFIG = small(max_layers=2, max_experts=4, max_top_k=2)


class EventHarness(Harness):
    """The intake's events to the predictors; its members differ, and are as many as its header says.

    Nothing is assumed of the router: beats may be faulty in every way.
    """

    def __init__(self):
        super().__init__(EventIntake(config=CONFIG))

    def properties(self, m, probe):
        intake, event = self.dut, self.dut.event
        stays(m, event.valid, event.ready, event.payload, "event")
        stays(m, intake.closed, intake.event_end, Cat(intake.number, intake.layer, intake.n_members), "header")
        members = probe["_in_event"]
        check(
            m,
            intake.n_members == sum(members[expert] for expert in range(CONFIG.max_experts)),
            implies(intake.closed, ~intake.route.ready),
            implies(probe["push"], probe["offer"]),
        )


class RankingHarness(Harness):
    """Ranked experts; `valid` falls without a transfer only after `cancel`, and scores descend."""

    def __init__(self):
        super().__init__(Ranking(config=CONFIG))

    def properties(self, m, probe):
        ranking, ranked = self.dut, self.dut.ranked
        assume(m, implies(ranking.start, ~ranking.busy))
        stays(m, ranked.valid, ranked.ready, ranked.payload, "ranked", unless=ranking.cancel)


class SelectionHarness(Harness):
    """Selected experts; the same rule as of the ranking."""

    def __init__(self):
        super().__init__(Selection(config=CONFIG.model_copy(update={"predictors": ("weights",)})))

    def properties(self, m, probe):
        dut = self.dut
        stays(m, dut.ranked.valid, dut.ranked.ready, dut.ranked.payload, "ranked", unless=dut.cancel)


class PredictorHarness(Harness):
    """A predictor's candidates; only a new event's first beat withdraws one."""

    def __init__(self, predictor=StMoePredictor):
        super().__init__(predictor(config=CONFIG))

    def properties(self, m, probe):
        dut, offered = self.dut, self.dut.candidate
        accepted = dut.event.valid & dut.event.ready
        stays(m, offered.valid, offered.ready, offered.payload, "candidate", unless=accepted)

    def strengthen(self, m, probe):
        """A ranking starts only after a new event has ended the one before."""
        collects, waits = probe.state("fsm", "COLLECT", "PREDICT"), self.dut._waiting
        check(m, implies(collects | waits, ~self.dut._ranking.busy), implies(collects, ~waits))


class MergeHarness(Harness):
    """Merged candidates: none vanishes while its source is heard and no event closes.

    Assumed: a predictor's offer stays, and the current event goes on as `closing` says.
    """

    def __init__(self):
        super().__init__(CandidateMerge(config=CONFIG))

    def properties(self, m, probe):
        merge, predicted, candidate = self.dut, self.dut.predicted, self.dut.candidate
        waits = past(m, predicted.valid & ~predicted.ready, "predicted_waits")
        assume(m, implies(waits, predicted.valid))
        steady = Cat(merge.current, merge.started, merge.hints_enable, merge.predictor_enable)
        now, closed = Cat(merge.current, merge.started), past(m, merge.closing, "closed_before")
        changes = closed | (Cat(past(m, steady, "steady_before")) != steady)
        assume(m, closed | (past(m, now, "now_before") == now))
        offered = past(m, candidate.valid & ~candidate.ready, "candidate_offered")
        check(m, implies(offered & ~changes, candidate.valid))
        taken = candidate.valid & candidate.ready
        from_hint = taken & (candidate.payload.source == 1)
        check(m, implies(from_hint, merge.hints_enable), implies(taken & ~from_hint, merge.predictor_enable))
        check(m, implies(predicted.ready & predicted.valid & merge.predictor_enable, taken & ~from_hint))


class AxiLiteHarness(Harness):
    """AXI4-Lite answers stay, and there is never one more than was asked for.

    Assumed: the register bank is done with a request only while there is one.
    """

    def __init__(self):
        super().__init__(AxiLiteSlave())

    def properties(self, m, probe):
        slave, bus = self.dut, self.dut.bus
        stays(m, bus.bvalid, bus.bready, bus.bresp, "b")
        stays(m, bus.rvalid, bus.rready, Cat(bus.rdata, bus.rresp), "r")
        stays(m, slave.write.valid, slave.write.done, Cat(slave.write.address, slave.write.data), "write")
        stays(m, slave.read.valid, slave.read.done, slave.read.address, "read")

    def strengthen(self, m, probe):
        """A write is asked for exactly while both of its halves are held and no answer waits."""
        held = probe["address_held"] & probe["data_held"]
        check(m, self.dut.write.valid == (held & ~self.dut.write.ended & ~self.dut.bus.bvalid))


def predictor_states(m, harness, probe):
    """Return how a predictor's offer ends, and how a second one begins."""
    dut, candidate = harness.dut, harness.dut.candidate
    offered, events = candidate.valid, Signal(2)
    begins = probe["_do_first"]
    with m.If(begins & (events != 2)):
        m.d.sync += events.eq(events + 1)
    return {
        "offered": offered,
        "taken": offered & candidate.ready,
        "stalled-twice": past(m, offered & ~candidate.ready, "stalled") & offered & ~candidate.ready,
        "last-of-several": offered & candidate.payload.last & past(m, offered & candidate.ready, "one_before"),
        "withdrawn": offered & ~candidate.ready & begins,
        "offered-after-second-event": offered & (events == 2) & dut.enable,
    }


TAKEN_UNASKED = Seed(
    "taken-unasked", "predictor_rtl.st_moe", "ranking.ranked.ready.eq(candidate.ready)", "ranking.ranked.ready.eq(1)"
)
PROOFS = [
    Proof(
        name="stream-event",
        claim="event stream and header stay; members differ and are counted; nothing is taken while closed",
        harness=EventHarness,
        depth=2,
        seeds=(
            Seed(
                "merge-not-seen",
                "hw.event",
                "self._contributes & ~self._in_event.bit_select(beat.expert, 1)",
                "self._contributes & 1",
            ),
            Seed(
                "open-while-closed", "hw.event", "can_take.eq(~self.closed & ~self.apply)", "can_take.eq(~self.apply)"
            ),
        ),
        quick=True,
    ),
    Proof(
        name="stream-ranking",
        claim="ranked experts stay until taken or cancelled",
        harness=RankingHarness,
        depth=2,
        seeds=(
            Seed("held-overwritten", "predictor_rtl.ranking", "found & (~self._held | self.ranked.ready)", "found & 1"),
        ),
        quick=True,
    ),
    Proof(
        name="stream-selection",
        claim="selected experts (predictor weights) stay until taken or cancelled",
        harness=SelectionHarness,
        depth=2,
        seeds=(
            Seed(
                "not-waited-for", "predictor_rtl.selection", "with m.If(self.ranked.ready):", "with m.If(~self.start):"
            ),
        ),
        quick=True,
    ),
    Proof(
        name="stream-st-moe",
        claim="candidates of st_moe stay until taken or a new event begins",
        harness=PredictorHarness,
        depth=2,
        seeds=(TAKEN_UNASKED,),
        step_seeds=(
            Seed("not-cancelled", "predictor_rtl.st_moe", "ranking.cancel.eq(self._do_first)", "ranking.cancel.eq(0)"),
        ),
    ),
    Proof(
        name="stream-st-moe-paper",
        claim="the same of st_moe_paper, which holds them back",
        harness=partial(PredictorHarness, StMoePaperPredictor),
        depth=2,
        seeds=(TAKEN_UNASKED,),
        step_seeds=(Seed("still-waiting", "predictor_rtl.st_moe", "& ~released & ~self._do_first)", "& ~released)"),),
    ),
    Proof(
        name="stream-merge",
        claim="merged candidates stay while no event closes; each predicted one that is taken is passed on",
        harness=MergeHarness,
        depth=2,
        seeds=(Seed("taken-behind-hint", "hw.candidates", "(candidate.ready & ~hint_leads)", "candidate.ready"),),
        quick=True,
    ),
    Proof(
        name="stream-axi-lite",
        claim="AXI4-Lite: B and R stay until taken, register requests until done",
        harness=AxiLiteHarness,
        depth=2,
        seeds=(
            Seed(
                "answer-replaced",
                "hw.axi_lite",
                "ends | write.ended | (bus.bvalid & ~bus.bready)",
                "ends | write.ended",
            ),
        ),
        quick=True,
    ),
]
BY_NAME = {proof.name: proof for proof in PROOFS}
COVERS = [
    Cover(BY_NAME["stream-st-moe"], depth=16, states=predictor_states),
    Cover(BY_NAME["stream-st-moe-paper"], depth=16, states=predictor_states),
]
