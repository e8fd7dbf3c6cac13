"""Does the scoreboard follow the unit's rules on cases worked by hand, and refuse what breaks them?"""

import pytest
from moefetch.hw.records import (
    AbortPolicy,
    Class,
    Expiry,
    Fill,
    Filter,
    GrantStatus,
    Issue,
    Kind,
    Record,
    Source,
    Sweep,
)
from moefetch.sim.golden.candidates import HintBeat
from moefetch.sim.golden.event import RouterBeat
from moefetch.sim.golden.mismatch import Mismatch
from moefetch.sim.golden.settings import UnitSettings
from moefetch.sim.golden.unit_model import UnitModel
from moefetch.sim.predictors.interface import Candidate

N_LAYERS = 4


class Scripted:
    """Names for the next event what it was told, as (expert, score), in this order."""

    def __init__(self, named):
        self.named = named

    def step(self, event):
        target, layer = event.event + 1, (event.layer + 1) % N_LAYERS
        return [
            Candidate(target, layer, expert, score, Source.PREDICTOR, False)
            for expert, score in self.named.get(event.event, ())
        ]


class Bench:
    """Writes records in few words, for a ring of 4 layers, and lets the model check them at once."""

    def __init__(self, named=None, **changes):
        settings = dict(
            n_layers=N_LAYERS, n_experts=8, n_slots=4, top_k=(4,) * N_LAYERS, queue_depth=4, horizon=2,
            budget=8, hints=True,
        )  # fmt: skip
        self.model = UnitModel(UnitSettings(**settings | changes), Scripted(named or {}))
        self.number = -1
        self.cycle = 0

    @property
    def layer(self):
        return self.number % N_LAYERS

    def check(self, kind, outcome=0, **fields):
        self.cycle += 10
        self.model.check(Record(kind, outcome, **fields), self.cycle)

    def close(self, *found, hints=()):
        """Close the next event, with members given as (expert, class, slot)."""
        self.number += 1
        experts = [expert for expert, *_ in found] or [8]
        beats = [RouterBeat(self.layer, expert, last=expert == experts[-1]) for expert in experts]
        self.model.offer_event(beats)
        self.model.offer_hints(HintBeat(*hint) for hint in hints)
        self.check(Kind.CLOSE, layer=self.layer, expert=len(found), deadline=self.number)
        for expert, outcome, slot in found:
            self.check(Kind.CLASSIFY, outcome, layer=self.layer, expert=expert, slot=slot)

    def named(self, expert, score, outcome, slot=0, source=Source.PREDICTOR, ahead=1):
        layer = (self.layer + ahead) % N_LAYERS
        deadline = self.number + ahead
        self.check(
            Kind.CANDIDATE, outcome,
            layer=layer, expert=expert, slot=slot, score=score, source=source, deadline=deadline,
        )  # fmt: skip

    def expire(self, expert, score, outcome):
        fields = dict(score=score, source=Source.PREDICTOR, deadline=self.number)
        self.check(Kind.EXPIRE, outcome, layer=self.layer, expert=expert, **fields)

    def miss(self, expert, outcome, slot=0):
        self.check(Kind.ISSUE, outcome, layer=self.layer, expert=expert, slot=slot, deadline=self.number)

    def prefetch(self, expert, outcome, slot=0, ahead=1):
        layer, deadline = (self.layer + ahead) % N_LAYERS, self.number + ahead
        self.check(Kind.ISSUE, outcome, layer=layer, expert=expert, slot=slot, source=1, deadline=deadline)

    def fill(self, expert, slot, outcome=Fill.DONE, layer=None):
        layer = self.layer if layer is None else layer
        self.check(Kind.FILL, outcome, layer=layer, expert=expert, slot=slot)

    def release(self, expert, slot, status):
        self.check(Kind.RELEASE, status, expert=expert, slot=slot)

    def end(self):
        self.check(Kind.END, deadline=self.number)

    def fetch(self, *experts_and_slots):
        """Let these experts miss, in this order, find free slots and be used."""
        self.close(*((expert, Class.MISS, 0) for expert, _ in experts_and_slots))
        for expert, slot in experts_and_slots:
            self.miss(expert, Issue.FREE, slot)
            self.fill(expert, slot)
            self.release(expert, slot, GrantStatus.MISS)
        self.end()

    def predict(self, slot=0, hints=()):
        """Pass an event with one member, whose fetch fails, so that `slot` (the first free) is free again."""
        self.close((7, Class.MISS, 0), hints=hints)
        self.miss(7, Issue.FREE, slot)
        self.fill(7, slot, Fill.FAILED)
        self.release(7, slot, GrantStatus.ERROR)
        self.end()

    def refuses(self, field, act, *arguments, **fields):
        with pytest.raises(Mismatch) as caught:
            act(*arguments, **fields)
        assert caught.value.field == field

    def grants(self):
        return [tuple(grant) for grant in self.model.expected_grants]


def test_misses_are_fetched_granted_and_released():
    bench = Bench()
    bench.close((3, Class.MISS, 0), (1, Class.MISS, 0))
    bench.miss(3, Issue.FREE, 0)
    bench.miss(1, Issue.FREE, 1)
    bench.fill(1, 1)
    bench.fill(3, 0)
    bench.release(3, 0, GrantStatus.MISS)
    bench.release(1, 1, GrantStatus.MISS)
    bench.end()
    assert bench.grants() == [(0, 1, 1, GrantStatus.MISS), (0, 3, 0, GrantStatus.MISS)]
    bench.model.check_grant(0, 1, 1, GrantStatus.MISS)
    bench.refuses("end of log", bench.model.finish)
    bench.refuses("grant", bench.model.check_grant, 0, 3, 1, GrantStatus.MISS)
    bench.refuses("grant", bench.model.check_grant, 0, 3, 0, GrantStatus.MISS)  # already taken
    assert (bench.model.finish()["demand"], bench.model.counters()["miss"]) == (2, 2)


def prefetched(**changes):
    """Return a bench where event 0 has ended and experts 5, 6 of layer 1 lie in slots 1, 2, unused."""
    bench = Bench({0: [(5, 9), (6, 8)]}, **changes)
    bench.close((0, Class.MISS, 0))
    bench.named(5, 9, Filter.QUEUED)
    bench.named(6, 8, Filter.QUEUED)
    bench.miss(0, Issue.FREE, 0)
    bench.prefetch(5, Issue.FREE, 1)
    bench.prefetch(6, Issue.FREE, 2)
    bench.fill(0, 0)
    bench.fill(5, 1, layer=1)
    return bench


def test_on_target_late_later_use_and_reuse():
    bench = prefetched()
    bench.fill(6, 2, layer=1)
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.close((5, Class.HIT_ON_TARGET, 1))
    bench.release(5, 1, GrantStatus.HIT)
    bench.end()
    for _ in range(3):
        bench.close()
        bench.end()
    bench.close((5, Class.HIT_REUSE, 1), (6, Class.HIT_LATER_USE, 2))
    for expert, slot in ((5, 1), (6, 2)):
        bench.release(expert, slot, GrantStatus.HIT)
    bench.end()
    counters = bench.model.finish()
    wanted = dict(demand=4, hit=3, miss=1, hit_prefetch=2, timely=2, on_target=1, later_use=1, hit_reuse=1)
    assert wanted.items() <= counters.items()
    report = bench.model.report()
    assert report["sources"]["predictor"]["accuracy"] == 1.0
    assert report["layers"][1]["timely"] == 2
    slack = report["slack_cycles"]
    assert (slack["count"], slack["min"]) == (2, 50)  # fill of 5, fill of 6, release, end, close, classify


def test_late_prefetch_is_granted_as_late():
    bench = prefetched()
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.close((6, Class.LATE, 2))
    bench.fill(6, 2)
    bench.release(6, 2, GrantStatus.LATE)
    bench.end()
    counters = bench.model.finish()
    assert (counters["late"], counters["issued"], counters["open"]) == (1, 2, 1)


def test_failed_transfers_give_error_grants_and_free_slots():
    bench = prefetched()
    bench.fill(6, 2, Fill.FAILED, layer=1)
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.close((6, Class.MISS, 0), (7, Class.MISS, 0))
    bench.miss(6, Issue.FREE, 2)
    bench.fill(6, 2, Fill.FAILED)
    bench.miss(7, Issue.FREE, 2)  # the failed slot is free at once, its error grant still out
    bench.fill(7, 2)
    bench.release(7, 2, GrantStatus.MISS)
    bench.release(6, 2, GrantStatus.ERROR)
    bench.end()
    assert bench.grants()[-2:] == [(1, 6, 2, GrantStatus.ERROR), (1, 7, 2, GrantStatus.MISS)]
    assert bench.model.finish()["failed"] == 1


def test_an_error_release_counts_a_tick_but_touches_no_slot():
    bench = Bench(n_slots=2)
    bench.close((0, Class.MISS, 0), (1, Class.MISS, 0), (2, Class.MISS, 0))
    bench.miss(0, Issue.FREE, 0)
    bench.fill(0, 0, Fill.FAILED)
    bench.miss(1, Issue.FREE, 0)
    bench.miss(2, Issue.FREE, 1)
    bench.fill(2, 1)
    bench.fill(1, 0)
    bench.release(1, 0, GrantStatus.MISS)
    bench.release(2, 1, GrantStatus.MISS)
    bench.release(0, 0, GrantStatus.ERROR)  # slot 0 stays the older
    bench.end()
    bench.close((4, Class.MISS, 0))
    bench.miss(4, Issue.EVICT, 0)


def test_promoted_and_expired_in_queue_order():
    bench = Bench({0: [(5, 7), (6, 9), (4, 9)]})
    bench.predict()
    for expert, score in ((5, 7), (6, 9), (4, 9)):
        bench.named(expert, score, Filter.QUEUED)
    bench.close((6, Class.MISS, 0))
    bench.expire(4, 9, Expiry.EXPIRED)
    bench.expire(6, 9, Expiry.PROMOTED)
    bench.refuses("kind", bench.miss, 6, Issue.FREE, 0)


def test_budget_counts_what_was_queued_for_a_target():
    bench = Bench({0: [(0, 9), (1, 8), (2, 7)], 1: [(0, 9)]}, budget=2, queue_depth=1)
    bench.predict()
    bench.named(0, 9, Filter.QUEUED)
    bench.named(1, 8, Filter.OVERFLOW)
    bench.prefetch(0, Issue.FREE, 0)
    bench.named(2, 7, Filter.QUEUED)
    bench.close((6, Class.MISS, 0))
    bench.expire(2, 7, Expiry.EXPIRED)
    bench.named(0, 9, Filter.QUEUED)  # another target
    assert bench.model.counters()["overflow"] == 1


def test_over_budget_in_queue_resident_and_in_flight():
    named = {0: [(0, 9), (0, 8), (1, 7), (2, 6), (1, 5)], 4: [(1, 9)]}
    bench = Bench(named, budget=2)
    bench.predict()
    bench.named(0, 9, Filter.QUEUED)
    bench.named(0, 8, Filter.IN_QUEUE)
    bench.named(1, 7, Filter.QUEUED)
    bench.named(2, 6, Filter.OVER_BUDGET)
    bench.prefetch(0, Issue.FREE, 0)
    bench.prefetch(1, Issue.FREE, 1)
    bench.named(1, 5, Filter.IN_FLIGHT, slot=1)
    bench.fill(1, 1, layer=1)
    for _ in range(3):
        bench.close()
        bench.end()
    bench.predict(slot=2)
    bench.named(1, 9, Filter.RESIDENT, slot=1)
    bench.close((1, Class.HIT_ON_TARGET, 1))  # stamped anew for event 5


def test_overflow_drops_the_farthest_of_both_sources():
    bench = Bench({0: [(0, 9), (1, 8)]}, queue_depth=1)
    bench.predict(hints=[(2, 5, 200)])
    bench.named(5, 200, Filter.QUEUED, source=Source.HINT, ahead=2)
    bench.named(0, 9, Filter.QUEUED_DROPPING)
    bench.named(1, 8, Filter.OVERFLOW)
    counters = bench.model.finish()
    assert (counters["overflow"], counters["queued_open"], counters["generated"]) == (2, 1, 3)
    sources = bench.model.report()["sources"]
    assert (sources["hint"]["overflow"], sources["predictor"]["overflow"]) == (1, 1)


def test_hints_aim_at_the_next_event_of_their_layer():
    bench = Bench()
    bench.close(hints=[(1, 5, 9), (3, 5, 9), (0, 5, 9)])
    bench.end()
    bench.named(5, 9, Filter.QUEUED, source=Source.HINT)
    bench.named(5, 9, Filter.EXPIRED, source=Source.HINT, ahead=3)  # beyond the horizon of 2
    bench.named(5, 9, Filter.EXPIRED, source=Source.HINT, ahead=4)  # the layer itself: a full ring
    bench.refuses("order", bench.named, 5, 9, Filter.QUEUED, source=Source.HINT)


def test_a_hint_for_a_passed_event_is_expired():
    bench = Bench()
    bench.close(hints=[(1, 5, 9)])
    bench.end()
    bench.close()
    bench.end()
    bench.named(5, 9, Filter.EXPIRED, source=Source.HINT, ahead=0)


def test_a_list_may_be_cut_short_but_not_have_holes():
    named = {0: [(0, 9), (1, 8), (2, 7)], 1: [(3, 9)]}
    bench = Bench(named)
    bench.predict()
    bench.named(0, 9, Filter.QUEUED)
    bench.refuses("expert", bench.named, 2, 8, Filter.QUEUED)
    bench = Bench(named)
    bench.predict()
    bench.predict()
    bench.named(0, 9, Filter.EXPIRED, ahead=0)  # was on its way when event 1 closed
    bench.named(3, 9, Filter.QUEUED)
    bench.refuses("order", bench.named, 1, 8, Filter.EXPIRED, ahead=0)


def test_quiesced_candidates_expire():
    bench = Bench({0: [(0, 9), (1, 8)]})
    bench.predict()
    bench.model.may_be_quiesced = True
    bench.named(0, 9, Filter.EXPIRED)
    bench.model.may_be_quiesced = False
    bench.refuses("outcome", bench.named, 1, 8, Filter.EXPIRED)


def test_no_prefetch_is_issued_while_a_miss_is_queued():
    bench = Bench({0: [(5, 9)]})
    bench.close((0, Class.MISS, 0))
    bench.named(5, 9, Filter.QUEUED)
    bench.refuses("layer", bench.prefetch, 5, Issue.FREE, 0)


def test_a_miss_takes_own_released_slots_oldest_first_else_waits():
    bench = Bench(n_slots=2)
    bench.close(*((expert, Class.MISS, 0) for expert in (3, 2, 1, 0)))
    bench.miss(3, Issue.FREE, 0)
    bench.miss(2, Issue.FREE, 1)
    bench.miss(1, Issue.WAIT)
    bench.refuses("order", bench.miss, 1, Issue.WAIT)
    bench.fill(2, 1)
    bench.miss(1, Issue.WAIT)
    bench.fill(3, 0)
    bench.release(2, 1, GrantStatus.MISS)
    bench.release(3, 0, GrantStatus.MISS)
    bench.miss(1, Issue.OWN_RELEASED, 1)
    bench.miss(0, Issue.OWN_RELEASED, 0)
    for expert, slot in ((0, 0), (1, 1)):
        bench.fill(expert, slot)
        bench.release(expert, slot, GrantStatus.MISS)
    bench.end()
    assert bench.model.finish()["useless"] == 0


def test_a_miss_aborts_the_farthest_prefetch_and_waits_for_its_drain():
    bench = Bench({0: [(5, 9)]}, n_slots=2)
    bench.predict(hints=[(2, 6, 9)])
    bench.named(5, 9, Filter.QUEUED)
    bench.named(6, 9, Filter.QUEUED, source=Source.HINT, ahead=2)
    bench.prefetch(5, Issue.FREE, 0)
    bench.prefetch(6, Issue.FREE, 1, ahead=2)
    bench.close((4, Class.MISS, 0))
    bench.miss(4, Issue.ABORT, 1)
    bench.refuses("order", bench.miss, 4, Issue.FREE, 1)
    bench.refuses("slot", bench.fill, 6, 1, layer=2)
    bench.check(Kind.DRAIN, slot=1)
    bench.miss(4, Issue.FREE, 1)
    assert bench.model.report()["sources"]["hint"]["aborted"] == 1


def test_prefetch_evicts_old_then_coming_not_nearer_ones():
    bench = prefetched(n_slots=3)
    bench.fill(6, 2, layer=1)
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.model.offer_hints([HintBeat(2, 1, 9), HintBeat(2, 2, 8)])
    bench.named(1, 9, Filter.QUEUED, source=Source.HINT, ahead=2)
    bench.named(2, 8, Filter.QUEUED, source=Source.HINT, ahead=2)
    bench.prefetch(1, Issue.EVICT, 0, ahead=2)
    bench.prefetch(2, Issue.NO_VICTIM, ahead=2)  # slots 1 and 2 are for event 1, nearer than 2
    counters = bench.model.finish()
    assert (counters["no_victim"], counters["issued"], counters["useless"]) == (1, 3, 0)


def test_event_end_sweep_goes_over_slots_in_order():
    bench = prefetched(evict_at_event_end=True)
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.check(Kind.FREE, Sweep.EVENT_END, layer=0, expert=0, slot=0)  # 5 and 6 are for a coming event
    bench.close()
    bench.end()
    bench.check(Kind.FREE, Sweep.EVENT_END, layer=1, expert=5, slot=1)
    bench.check(Kind.ABORT, Sweep.EVENT_END, layer=1, expert=6, slot=2)
    bench.check(Kind.DRAIN, slot=2)
    counters = bench.model.finish()
    assert (counters["useless"], counters["aborted"], counters["open"]) == (1, 1, 0)


def test_the_sweep_leaves_nothing_out():
    bench = prefetched(evict_at_event_end=True)
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.refuses("end of log", bench.model.finish)
    bench.refuses("kind", bench.close)


def wrong(bench):
    bench.check(Kind.ABORT, Sweep.WRONG, layer=1, expert=6, slot=2)


def test_policy_aborts_the_undemanded_request_at_its_close():
    bench = prefetched(abort_policy=AbortPolicy.HALF)
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.close((5, Class.HIT_ON_TARGET, 1))
    wrong(bench)
    bench.refuses("order", wrong, bench)
    bench.check(Kind.DRAIN, slot=2)
    bench.release(5, 1, GrantStatus.HIT)
    bench.end()
    assert bench.model.finish()["aborted"] == 1


@pytest.mark.parametrize("member", [None, 6, 7])
def test_no_policy_abort_when_never_demanded_or_too_late(member):
    bench = prefetched(abort_policy=AbortPolicy.NEVER if member is None else AbortPolicy.ALWAYS)
    if member == 7:
        bench.refuses("order", wrong, bench)  # not at a close
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.close((6, Class.LATE, 2) if member == 6 else (7, Class.MISS, 0))
    if member == 7:
        bench.miss(7, Issue.FREE, 3)
    bench.refuses("order", wrong, bench)


def test_policy_abort_may_precede_the_end_of_an_empty_event():
    bench = prefetched(abort_policy=AbortPolicy.ALWAYS)
    bench.release(0, 0, GrantStatus.MISS)
    bench.end()
    bench.close()
    wrong(bench)
    bench.end()


def test_sticky_slots_stay_until_unpinned():
    bench = Bench(n_slots=2, evict_at_event_end=False)
    bench.fetch((0, 0), (1, 1))
    bench.model.offer_pin(0, 0)
    bench.check(Kind.PIN, Sweep.PIN, layer=0, expert=0, slot=0)
    bench.close((4, Class.MISS, 0), (5, Class.MISS, 0))
    bench.miss(4, Issue.EVICT, 1)
    bench.miss(5, Issue.WAIT)
    bench.model.offer_unpin(0, 0)
    bench.check(Kind.PIN, Sweep.UNPIN, layer=0, expert=0, slot=0)
    bench.fill(4, 1)
    bench.miss(5, Issue.EVICT, 0)


@pytest.mark.parametrize("ends", [Sweep.PIN, Sweep.UNPIN])
def test_a_pin_or_its_end_lets_a_waiting_miss_search_again(ends):
    bench = Bench(n_slots=1)
    bench.fetch((0, 0))
    bench.model.offer_pin(0, 0)
    bench.check(Kind.PIN, Sweep.PIN, layer=0, expert=0, slot=0)
    bench.close((4, Class.MISS, 0))
    bench.miss(4, Issue.WAIT)
    offer = bench.model.offer_pin if ends == Sweep.PIN else bench.model.offer_unpin
    offer(0, 0)
    bench.check(Kind.PIN, ends, layer=0, expert=0, slot=0)
    bench.miss(4, *((Issue.WAIT,) if ends == Sweep.PIN else (Issue.EVICT, 0)))


def test_commands_that_nobody_gave_are_refused():
    bench = Bench()
    bench.fetch((0, 0))
    bench.refuses("order", bench.check, Kind.PIN, Sweep.PIN, layer=0, expert=0, slot=0)
    bench.refuses("order", bench.check, Kind.FLUSH)
    bench.refuses("order", bench.check, Kind.FREE, Sweep.INVALIDATE, layer=0, expert=0, slot=0)


def test_flush_and_invalidate():
    bench = Bench({1: [(5, 9), (6, 8)]})
    bench.fetch((0, 0), (1, 1))
    bench.close((7, Class.MISS, 0))
    bench.miss(7, Issue.FREE, 2)
    bench.named(5, 9, Filter.QUEUED)
    bench.named(6, 8, Filter.QUEUED)
    bench.prefetch(5, Issue.FREE, 3)
    bench.model.offer_flush()
    bench.check(Kind.FLUSH, expert=1)
    bench.model.offer_invalidate()
    bench.check(Kind.FREE, Sweep.INVALIDATE, layer=0, expert=0, slot=0)
    bench.check(Kind.FREE, Sweep.INVALIDATE, layer=0, expert=1, slot=1)
    bench.check(Kind.ABORT, Sweep.INVALIDATE, layer=2, expert=5, slot=3)
    bench.fill(7, 2)  # the open event's slot stays
    bench.check(Kind.DRAIN, slot=3)
    bench.release(7, 2, GrantStatus.MISS)
    bench.end()
    counters = bench.model.finish()
    assert (counters["flushed"], counters["aborted"], counters["useless"]) == (1, 1, 0)


@pytest.mark.parametrize("kind", [Kind.CLASSIFY, Kind.EXPIRE, Kind.END, Kind.ISSUE, Kind.FREE, Kind.ABORT])
def test_records_that_nothing_calls_for_are_refused(kind):
    bench = Bench()
    bench.refuses("order", bench.check, kind)
    bench.close((0, Class.MISS, 0))
    bench.miss(0, Issue.FREE, 0)
    bench.refuses("order", bench.check, kind)


def test_impossible_records_are_refused():
    bench = Bench()
    bench.fetch((0, 0))
    bench.refuses("order", bench.check, Kind.RELEASE, GrantStatus.MISS, expert=0)
    bench.refuses("slot", bench.fill, 0, 0)
    bench.refuses("slot", bench.check, Kind.DRAIN, slot=4)
    bench.refuses("kind", bench.check, 13)
    bench.refuses("order", bench.check, Kind.CLOSE)
    bench.close((1, Class.MISS, 0))
    bench.refuses("expert", bench.release, 1, 0, GrantStatus.MISS)
    bench.model.offer_event([RouterBeat(2, 0, last=True)])
    bench.refuses("order", bench.check, Kind.CLOSE, layer=2, expert=1, deadline=2)


def test_faults_are_counted_when_the_event_closes():
    bench = Bench()
    bench.close()
    assert bench.model.faults == 1


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [("n_slots", 0, "n_slots = 0"), ("budget", -1, "budget = -1"), ("top_k", (2,), "4 numbers")],
)
def test_settings_name_field_and_rule(field, value, rule):
    with pytest.raises(ValueError, match=rule):
        Bench(**{field: value})
