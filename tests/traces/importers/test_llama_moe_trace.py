import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, DECODE, PREFILL
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace

# A prompt of two tokens, the last layer for the second alone, then two decoded tokens; k = 2.
ROWS = [(0, 5), (0, 2), (0, 3), (0, 1), (3, 7), (3, 0), (0, 4), (0, 6), (3, 2), (3, 3), (0, 1), (0, 0), (3, 6), (3, 5)]


def read(tmp_path, rows, header="layer,expert\n", **options):
    (tmp_path / "t.csv").write_text(header + "".join(f"{layer},{expert}\n" for layer, expert in rows))
    return import_trace(tmp_path / "t.csv", None, ImportOptions(n_experts=8, **options))


@pytest.mark.parametrize("header", ["layer,expert\n", ""])
def test_tokens_follow_from_the_layers(tmp_path, header):
    trace = read(tmp_path, ROWS, header)
    assert trace.meta.layers == (0, 3)
    assert trace.phase.tolist() == [PREFILL, PREFILL, DECODE, DECODE]
    assert trace.experts.tolist() == [
        [[5, 2], [ABSENT, ABSENT]],
        [[3, 1], [7, 0]],
        [[4, 6], [2, 3]],
        [[1, 0], [6, 5]],
    ]


def test_top_k_can_be_stated_where_nothing_was_decoded(tmp_path):
    rows = [(layer, expert) for layer in (0, 1) for expert in (1, 2, 3, 4)]
    assert len(read(tmp_path, rows)) == 1
    assert len(read(tmp_path, rows, top_k=2)) == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:-1], r"runs of \[2, 4\] rows|must be multiples of top-k 1|runs of"),
        (ROWS[:-2], "a pass without layer 3: must have all layers"),
        ([*ROWS[:2], *ROWS[4:]], None),
        ([(0, 1), (0, 2), (1, 1), (2, 3), (2, 4), (0, 1), (1, 2), (2, 3)], "layer 1: 1 rows: must be 2 as in its pass"),
        ([(0, 1), (70000, 2)], "layer 0..70000: must be 0..65535"),
    ],
)
def test_what_cannot_be_a_pass_is_named(tmp_path, rows, message):
    if message is None:
        assert len(read(tmp_path, rows)) == 3
        return
    with pytest.raises(UserError, match=message):
        read(tmp_path, rows, top_k=2 if len(rows) > 8 else 1)


def test_what_is_no_number_is_named(tmp_path):
    with pytest.raises(UserError, match=r"t\.csv: from line 1 on: .* must be 2 numbers a line"):
        read(tmp_path, [*ROWS, ("x", 1)])
