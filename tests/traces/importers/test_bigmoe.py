import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, DECODE, PREFILL
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_trace

HEADER = """\
# route_trace v1
# model=/data/my models/Tiny-Q4.gguf arch=tiny n_layer=4 n_expert=8 n_expert_used=2
# layer=1 expert_bytes=100 dense_bytes=7
# layer=3 expert_bytes=200 dense_bytes=7
turn,phase,step,layer,slot,expert,weight,residency,expert_bytes
"""
# A prompt of two tokens, layer by layer, the last layer only for the second; then two decode tokens.
ROWS = """\
0,0,0,1,0,5,0.75,0,100
0,0,0,1,1,2,0.25,0,100
0,0,1,1,0,3,0.5,0,100
0,0,1,1,1,1,0.5,0,100
0,0,1,3,0,7,0.6,0,200
0,0,1,3,1,0,0.4,0,200
0,1,2,1,0,4,0.7,0,100
0,1,2,1,1,6,0.3,1,0
0,1,2,3,0,2,0.9,0,200
0,1,2,3,1,3,0.1,0,200
0,1,3,1,0,1,0.8,0,100
0,1,3,1,1,0,0.2,0,100
0,1,3,3,0,6,0.6,0,200
0,1,3,3,1,5,0.4,0,200
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "t.csv").write_text(HEADER + ROWS)
    return tmp_path / "t.csv"


def test_prompt_and_decode_rows(path):
    trace = import_trace(path, None, ImportOptions(licence="MIT"))
    assert (trace.meta.model, trace.meta.licence) == ("Tiny-Q4", "MIT")
    assert (trace.meta.layers, trace.meta.n_experts, trace.meta.top_k) == ((1, 3), 8, 2)
    assert trace.meta.provenance["expert_bytes"] == [100, 200]
    assert trace.phase.tolist() == [PREFILL, PREFILL, DECODE, DECODE]
    assert trace.position.tolist() == [0, 1, 2, 3]
    assert trace.experts.tolist() == [
        [[5, 2], [ABSENT, ABSENT]],
        [[3, 1], [7, 0]],
        [[4, 6], [2, 3]],
        [[1, 0], [6, 5]],
    ]
    assert trace.scores[0].tolist() == [[0.75, 0.25], [0, 0]]


def test_turns_are_sequences(path):
    path.write_text(HEADER + ROWS + ROWS.replace("0,", "1,", 1).replace("\n0,", "\n1,"))
    trace = import_trace(path, None, ImportOptions())
    assert trace.sequence.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert trace.experts[4:].tolist() == trace.experts[:4].tolist()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n_expert=8 ", "", r"t\.csv: header: must start with '# route_trace v1' and"),
        ("turn,phase", "turn,fase", r"t\.csv: line 5: must be the column names"),
        (ROWS, "", "no rows after the header"),
        ("0,1,2,1,0,4,0.7,0,100\n", "0,1,2,1,0,4,0.7\n", "from line 6 on: .* must be 9 numbers a line"),
        ("0,1,2,1,0,4,", "0,1,2,1,0,x,", "invalid value 'x'"),
        ("0,1,2,1,0,4,", "0,1,2,1,0,8,", r"t\.csv: line 12: expert 8: must be 0\.\.7"),
        ("0,1,2,1,1,6,", "0,1,2,1,2,6,", r"t\.csv: line 13: slot 2: must be 0\.\.1"),
        ("0,1,2,1,0,4,", "0,-1,2,1,0,4,", "line 12: phase -1"),
        ("0,1,2,1,1,6,", "0,1,2,1,0,6,", "line 13: turn 0, step 2, layer 1, slot 0 comes a second time"),
        ("0,1,2,1,1,6,", "0,1,2,1,1,4,", r"duplicate expert \(1\); first: sequence 0, token 2, layer 0"),
        ("0,1,3,3,1,5,0.4,0,200\n", "", r"turn 0, step 3, layer 3: 1 of 2 experts: must have them all"),
        ("0,1,3,3,0,6,0.6,0,200\n0,1,3,3,1,5,0.4,0,200\n", "", "turn 0, step 3, layer 3: 0 of 2 experts"),
        ("0,0,0,1,0,5,0.75,0,100\n0,0,0,1,1,2,0.25,0,100\n", "0,0,0,3,0,5,1,0,9\n", "step 0, layer 1: 0 of 2"),
    ],
)
def test_what_is_wrong_is_named(path, old, new, message):
    text = HEADER + ROWS
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message) as caught:
        import_trace(path, "bigmoe", ImportOptions())
    assert "\n" not in str(caught.value)


def test_a_file_cut_inside_a_token_is_refused(path):
    text = HEADER + ROWS
    whole_tokens = {text.index("\n0,1,2,1,0") + 1, text.index("\n0,1,3,1,0") + 1}
    for size in range(len("# route_trace v1"), len(text)):
        path.write_text(text[:size])
        if size in whole_tokens:
            assert len(import_trace(path, None, ImportOptions())) < 4
        else:
            with pytest.raises(UserError, match=r"t\.csv: "):
                import_trace(path, None, ImportOptions())


def test_the_published_files(published):
    trace = import_trace(published / "original" / "bigmoe" / "qwen.route.csv", None, ImportOptions())
    assert trace.meta.model == "Qwen3-30B-A3B-Q4_K_M"
    assert (trace.meta.n_layers, trace.meta.n_experts, trace.meta.top_k) == (48, 128, 6)
    assert ((trace.phase == PREFILL).sum(), (trace.phase == DECODE).sum()) == (28, 128)
    assert trace.meta.provenance["expert_bytes"][:7] == [3059712] * 6 + [2654208]
