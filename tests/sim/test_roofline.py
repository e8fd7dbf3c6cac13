"""Does the roofline count Belady's loads, and the link's time for them?"""

from moefetch.sim.event_columns import EventColumns
from moefetch.sim.replay_events import ReplayEvent, RouterBeat
from moefetch.sim.roofline import belady_loads, link_cycles

from .test_jobs import plan_of


def events_of(*sets):
    return EventColumns.of(
        ReplayEvent(layer, layer == 0, False, tuple(RouterBeat(e, 1, True) for e in experts), ())
        for layer, experts in sets
    )


def test_loads_of_a_trace_counted_by_hand():
    events = events_of((0, (0, 1)), (1, (0,)), (0, (0, 2)), (1, (0,)), (0, (1, 1)))
    assert belady_loads(events, 8, 3).tolist() == [2, 1, 1, 0, 1]
    assert belady_loads(events, 8, 4).tolist() == [2, 1, 1, 0, 0]
    assert belady_loads(events, 8, 2).tolist() == [2, 1, 1, 1, 1]


def test_slots_that_do_not_hold_an_event_give_none():
    assert belady_loads(events_of((0, (0, 1, 2))), 8, 2) is None


def test_background_traffic_takes_its_part_of_the_link(tmp_path):
    workload = plan_of(tmp_path).workload
    assert link_cycles(3, workload) == 3 * workload.expert_beats * workload.cycles_per_beat
    busy = workload.model_copy(update={"background_period": 100, "background_length": 20})
    assert link_cycles(4, busy) == 5 * workload.transfer_cycles
