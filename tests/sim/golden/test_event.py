"""Does the intake make the event that the rules say, and count each faulty beat?"""

import pytest
from moefetch.sim.golden.event import RouterBeat, collect_event


def collect(tokens, layer=1, top_k=(4, 2, 4), last=True):
    """Collect an event of layer 1 (top-2) with 8 experts; an entry is an expert or (layer, expert)."""
    beats = []
    for token in tokens:
        for expert in token:
            where, what = expert if isinstance(expert, tuple) else (layer, expert)
            beats.append(RouterBeat(where, what))
        beats[-1] = beats[-1]._replace(token_last=True)
    beats[-1] = beats[-1]._replace(last=last)
    return collect_event(beats, 3, 8, top_k)


def test_one_token_keeps_router_order():
    assert collect([[5, 3]])[:2] == (1, (5, 3))


def test_a_token_contributes_its_first_top_k():
    event = collect([[5, 3, 7], [2, 5, 1]])
    assert (event.members, event.faults) == ((5, 3, 2), 0)


def test_an_expert_of_an_earlier_token_merges():
    event = collect([[5, 3], [3, 1]])
    assert (event.members, event.faults) == ((5, 3, 1), 0)


def test_a_duplicate_within_a_token_is_a_fault_even_if_merged():
    assert collect([[5, 5]])[1:] == ((5,), False, 1)
    assert collect([[5, 3], [3, 3]])[1:] == ((5, 3), False, 1)


def test_out_of_range_and_other_layers_are_faults_that_take_no_place():
    event = collect([[8, 3, 4], [(2, 6), 1], [(3, 0)]])
    assert (event.members, event.faults) == ((3, 4, 1), 3)


def test_beats_beyond_top_k_are_checked_for_faults():
    event = collect([[3, 4, 8, 3, 5]])
    assert (event.members, event.faults) == ((3, 4), 2)


def test_an_event_of_faults_has_no_members():
    assert collect([[(9, 0), (9, 1)]])[:2] == (0, ())
    assert collect([[8], [9]]).faults == 2


@pytest.mark.parametrize("start", [False, True])
def test_sequence_start_is_the_first_beats(start):
    beats = [RouterBeat(0, 1, sequence_start=start), RouterBeat(0, 2, sequence_start=not start, last=True)]
    assert collect_event(beats, 3, 8, (4, 4, 4)).sequence_start == start


def test_last_must_be_on_the_last_beat():
    with pytest.raises(ValueError, match="last beat"):
        collect([[5, 3]], last=False)
