"""Do the summaries hold what was found, a dash where there is nothing?"""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim.shootout_summary import gap_table, hardware_table, recall_table

from .shootout_fixtures import made_replays, made_shootout


def lines(text):
    return text.splitlines()


def test_recall_bits_and_cycles():
    found = lines(recall_table([made_shootout("a"), made_shootout("b")]))
    assert found[0] == "| predictor | recall, a | recall, b | table kbit, m | cycles to the k-th candidate |"
    assert found[2:] == ["| hints | 0.800 | 0.800 | 0 | - |", "| weights | 0.500 | 0.500 | 12 | 23 |"]


def test_gaps_are_least_to_most_over_traces_and_platforms_by_their_room():
    replays = [
        made_replays("a", "wide", room=9.0), made_replays("a", "slow"), made_replays("b", "slow", weights=110),
    ]  # fmt: skip
    found = lines(gap_table(replays))
    assert found[0] == "| share of the gap closed | `slow` | `wide` |"
    assert found[2:] == [
        "| ST-MoE, ranked | 20% | 20% |",
        "| weights | -20% to 80% | 80% |",
        "| weights, above 120 | 90% | 90% |",
        "| oracle | 100% | 100% |",
    ]


def test_hardware_is_what_was_measured():
    unit = UNIT_PRESETS["default"].replace(predictors=("weights",), weight_lanes=16)
    document = {
        "predictor": "weights", "config": unit.model_dump(mode="json"), "luts": 1234, "mhz": 95.5,
        "cells": {"DP16KD": 7, "TRELLIS_FF": 55}, "memories_in_flip_flops": 0,
    }  # fmt: skip
    assert lines(hardware_table({"weights-16": document}))[2] == (
        f"| `weights`, 16 lanes | {8 * 4 + 13 + 5 * 7 + 3} | 1,234 | 55 | 7 | 0 | 95.5 |"
    )
