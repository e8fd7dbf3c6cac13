"""Does `moefetch predict` print the figures of the study, and one line for a mistake?"""

import json
from pathlib import Path

import numpy as np
import pytest
from moefetch.cli.main import app
from moefetch.traces.format import Trace, TraceMeta
from moefetch.traces.writer import write_trace
from typer.testing import CliRunner

TRACES = Path(__file__).parents[3] / "shared" / "traces"


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def small_trace(path, *, hints=False, change=None):
    """Write 40 tokens of 2 sequences, 3 layers, 8 experts, top-2; the hints are right, best first."""
    rng = np.random.default_rng(3)
    experts = np.argsort(rng.random((40, 3, 8)), axis=2)[:, :, :2].astype(np.uint16)
    if change:
        change(experts)
    hinted = experts.copy()
    hinted[:, 0] = 0xFFFF
    meta = TraceMeta("m", (0, 1, 2), 8, 2, n_hints=2 if hints else 0, hint_horizon=1 if hints else 0, licence="CC0")
    trace = Trace(
        meta,
        sequence=np.repeat(np.arange(2, dtype=np.int32), 20),
        position=np.tile(np.arange(20, dtype=np.int32), 2),
        phase=np.ones(40, np.uint8),
        token=np.full(40, -1, np.int32),
        experts=experts,
        hints=hinted if hints else None,
    )
    write_trace(path, trace)
    return path


def test_the_studys_figures_come_from_the_command():
    path = TRACES / "deepseek-v2-lite.intent.npz"
    if not path.exists():
        pytest.skip(f"the trace {path} is not there")
    result = json.loads(run(path, "--predictor", "st_moe", "--json").stdout)
    later = result["later_layers"]
    assert result["geometry"] == {"n_layers": 26, "n_experts": 64, "top_k": 6}
    assert result["tokens"] == {"profiled": 4111, "scored": 4111}
    assert round(later["set_recall"], 3) == 0.707
    assert round(later["mean_set_size"], 2) == 15.10
    assert [round(recall, 3) for recall in later["recall_at"].values()] == [0.466, 0.573, 0.643, 0.738]
    assert list(later["recall_at"]) == ["6", "9", "12", "18"]
    assert round(later["previous_token_recall"], 3) == 0.261


def test_right_hints_have_full_recall_and_say_nothing_of_layer_0(tmp_path):
    path = small_trace(tmp_path / "t.parquet", hints=True)
    result = json.loads(run(path, "--predictor", "hints", "--json").stdout)
    assert result["later_layers"]["set_recall"] == 1.0
    assert result["later_layers"]["mean_set_size"] == 2.0
    assert result["later_layers"]["recall_at"]["2"] == 1.0
    assert result["layer_0"]["set_recall"] is None
    assert result["tokens"] == {"profiled": 20, "scored": 20}


@pytest.mark.parametrize("predictor", ["st_moe", "st_moe_paper", "previous_token"])
def test_a_parquet_trace_gives_a_table_and_names_the_next_command(tmp_path, predictor):
    path = small_trace(tmp_path / "t.parquet")
    result = run(path, "--predictor", predictor)
    assert "recall of its own set" in result.stdout
    assert "profile of 20 tokens, measured on the 20 after them" in result.stdout
    assert result.stderr.startswith("next: moefetch replay")


def test_split_and_tokens_choose_the_rows(tmp_path):
    path = small_trace(tmp_path / "t.parquet")
    result = json.loads(run(path, "--tokens", 30, "--split", 0.1, "--json").stdout)
    assert result["tokens"] == {"profiled": 3, "scored": 27}
    assert result["layer_0"]["events"] == 27
    assert result["later_layers"]["demand"] == 27 * 2 * 2
    cold = json.loads(run(path, "--split", 0, "--json").stdout)
    assert cold["tokens"] == {"profiled": 0, "scored": 40}


def test_mistakes_give_one_line_with_file_value_and_rule(tmp_path):
    path = small_trace(tmp_path / "t.parquet")
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:300])
    (tmp_path / "text.txt").write_text("nothing")
    for arguments, message in (
        ((tmp_path / "absent.parquet",), "absent.parquet"),
        ((tmp_path / "cut.parquet",), "cut.parquet"),
        ((tmp_path / "text.txt",), "text.txt"),
        ((path, "--predictor", "hints"), "has no hints"),
        ((path, "--split", "1"), "--split 1.0"),
    ):
        result = run(*arguments, status=2)
        assert message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert result.stdout == ""


def test_a_layer_without_any_expert_is_named(tmp_path):
    def empty(experts):
        experts[7, 2] = 0xFFFF

    result = run(small_trace(tmp_path / "t.parquet", change=empty), status=2)
    assert "sequence 0, token 7, layer 2: no expert" in result.stderr


def test_an_unknown_predictor_lists_the_known_ones(tmp_path):
    result = run(small_trace(tmp_path / "t.parquet"), "--predictor", "oracle", status=2)
    assert "previous_token" in result.stderr
