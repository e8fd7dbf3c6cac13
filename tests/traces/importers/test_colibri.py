import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, DECODE, PREFILL
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace

# A prompt of two tokens, then three decoded ones; layer 9, a head for further tokens, runs in some passes alone.
LINES = """\
0 0 3 5:0.7500 2:0.2500
0 1 3 3:0.6000 1:0.4000
1 0 4 7:1.0000
1 1 4 0:0.5000 6:0.5000
2 0 3 4:0.7000 6:0.3000
3 0 4 2:0.9000 3:0.1000
4 0 9 1:0.9000 0:0.1000
5 0 3 1:0.8000 0:0.2000
6 0 4 6:0.6000 5:0.4000
7 0 3 2:0.8000 0:0.2000
8 0 4 4:0.6000 5:0.4000
"""


def read(tmp_path, text):
    (tmp_path / "route.txt").write_text(text)
    return import_trace(tmp_path / "route.txt", None, ImportOptions(n_experts=8))


def test_calls_of_growing_layers_are_a_pass(tmp_path):
    trace = read(tmp_path, LINES)
    assert trace.meta.layers == (3, 4, 9)
    assert trace.phase.tolist() == [PREFILL, PREFILL, DECODE, DECODE, DECODE]
    assert trace.experts[0].tolist() == [[5, 2], [7, ABSENT], [ABSENT, ABSENT]]
    assert trace.experts[2].tolist() == [[4, 6], [2, 3], [1, 0]]
    assert trace.scores[0].tolist() == [[0.75, 0.25], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 1 4 0:0.5000 6:0.5000\n", "", "a pass of 2 rows without layer 4 in row 1"),
        ("6 0 4 6:0.6000 5:0.4000\n", "", "a pass of 1 rows without layer 4"),
        ("8 0 4", "8 4", r"line 11: .* must be '<call> <row> <layer> <expert>:<gate> \.\.'"),
        ("8 0 4", "4 0 4", "call 4, row 0, layer 4: comes out of order"),
        ("1 1 4 0", "1 0 4 0", "call 1, row 0, layer 4: comes out of order: must come once"),
        ("8 0 4", "8 9999999 4", "row 9999999: must be below"),
        ("4:0.6000", "4:0.6e.", r"line 11: could not convert"),
        (LINES[-24:], "8 0 4 4:0.6000 5:0.40", "ends inside line 11"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, message):
    assert old in LINES
    with pytest.raises(UserError, match=message):
        read(tmp_path, LINES.replace(old, new))


def test_a_last_pass_without_a_layer_that_all_others_have_is_cut_off(tmp_path):
    with pytest.raises(UserError, match="the last pass ends before layer 4: the file is truncated"):
        read(tmp_path, "".join(line for line in LINES.splitlines(True)[:-1] if " 9 " not in line))
