import shutil

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import DECODE, PREFILL
from moefetch.traces.importers.table import import_trace

from .fixtures import OPTIONS, prompted, write_sglang_recorder

torch = pytest.importorskip("torch", reason="torch writes the recorder's file")


def record(ids, positions, lengths=None, mode=2):
    topk = torch.from_numpy(np.ascontiguousarray(ids.astype(np.int32).transpose(1, 0, 2)))
    fields = {"input_ids": [9] * len(positions), "positions": positions, "forward_mode": mode}
    return fields | {"extend_seq_lens": lengths, "topk_ids_of_layer": topk}


def read(tmp_path, records, **more):
    torch.save({"records": records, **more}, tmp_path / "a.pt")
    return import_trace(tmp_path / "a.pt", None, OPTIONS)


def test_a_prompt_in_pieces_two_in_a_pass_and_an_early_end(tmp_path, make_trace):
    ids = make_trace(lengths=(30,)).experts
    trace = read(
        tmp_path,
        [
            record(ids[:4], [0, 1, 2, 3], [4], 1),
            record(ids[4:6], [4, 5], [2], 1),  # goes on with the prompt before
            record(ids[6:13], [0, 1, 2, 0, 1, 2, 3], [3, 4], 1),  # two prompts
            record(ids[13:16], [6, 3, 4]),
            record(ids[16:18], [7, 5]),  # the second one has ended
            record(ids[18:18], [], None, 4),
            record(ids[18:19], [8]),
        ],
    )
    found = {number: trace.select(trace.sequence == number) for number in range(3)}
    rows = {0: [*range(6), 13, 16, 18], 1: [6, 7, 8, 14], 2: [9, 10, 11, 12, 15, 17]}
    for number, part in found.items():
        np.testing.assert_array_equal(part.experts, ids[rows[number]])
        assert part.position.tolist() == list(range(len(part)))
    assert found[2].phase.tolist() == [PREFILL] * 4 + [DECODE] * 2


def test_ranks_that_repeat_each_other_are_left_out(tmp_path, make_trace):
    path = write_sglang_recorder(tmp_path, prompted(make_trace()))
    shutil.copy(path, tmp_path / "rank1.pt")
    trace = import_trace(tmp_path, None, OPTIONS)
    assert len(trace) == 32
    assert "files_of_repeated_ranks" not in import_trace(path, None, OPTIONS).meta.provenance


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[0].pop("topk_ids_of_layer"), "record with the mode per_token, not per_pass"),
        (lambda r: r[1].pop("positions"), "record 1: no positions"),
        (lambda r: r[1].update(forward_mode=5), "record 1: forward_mode 5: must be extend, decode or idle"),
        (lambda r: r[1].update(positions=[6, 7]), "1 input_ids, 2 positions: must be 1 each"),
        (lambda r: r[1].update(input_ids=["x"]), "must be whole numbers"),
        (lambda r: r[0].update(extend_seq_lens=["6"]), "extend_seq_lens: must be a list of whole numbers"),
        (
            lambda r: r[0].update(input_ids=[1 << 40] * 6),
            r"token int64 9\.\.1099511627776|token int64 .*: must be whole",
        ),
        (lambda r: r[0].update(extend_seq_lens=[5]), "extend_seq_lens with the sum 5: must be 6"),
        (lambda r: r[1].update(topk_ids_of_layer=torch.zeros(2, 1, 3)), "must be as in the first record"),
        (lambda r: r[1]["topk_ids_of_layer"].fill_(99), "expert id 99: must be below 16 physical experts"),
        (lambda r: r.clear(), "no record holds a token's experts"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, make_trace, change, message):
    ids = make_trace(lengths=(8,)).experts
    records = [record(ids[:6], list(range(6)), [6], 1), record(ids[6:7], [6])]
    change(records)
    with pytest.raises(UserError, match=message):
        read(tmp_path, records, last_physical_to_logical_map=torch.arange(16).repeat(4, 1))
