"""Does the profile count co-selections as stated, and survive being saved?"""

import random

import numpy as np
import pytest
from moefetch.sim import profile as profile_module
from moefetch.sim.profile import Profile
from moefetch.traces.errors import UserError


def starts(*flags):
    return np.array(flags, bool)


def test_rows_hold_the_most_frequent_ties_to_the_lower_id():
    experts = np.array([[[0, 1], [2, 3]], [[0, 3], [3, 1]], [[0, 2], [3, 0]]], np.uint8)
    rows = Profile.count(experts, starts(1, 0, 0), 4, 2).rows
    assert rows[0, 0].tolist() == [3, 0]  # 3 three times; 0, 1, 2 once each
    assert rows[0, 1].tolist() == [2, 3]
    # Wrap: tokens 0 -> 1 and 1 -> 2 of the same sequence.
    assert rows[1, 2].tolist() == [0, 3]
    assert rows[1, 3].tolist() == [0, 2]  # followed by {0, 3} and {0, 2}


def test_a_row_never_seen_takes_the_target_layers_most_popular():
    experts = np.array([[[0], [2]], [[0], [3]], [[0], [3]]], np.uint8)
    rows = Profile.count(experts, starts(1, 0, 0), 4, 3).rows
    assert rows[0, 1].tolist() == [3, 2, 0]


def test_the_wrap_pair_stops_at_sequence_starts():
    experts = np.array([[[0], [1]], [[2], [1]], [[3], [1]]], np.uint8)
    rows = Profile.count(experts, starts(1, 1, 0), 4, 1).rows
    assert rows[1, 1].tolist() == [3]  # 1 -> 2 crosses into another sequence


def test_absent_experts_are_left_out():
    experts = np.array([[[0, 0xFFFF], [2, 1]]], np.uint16)
    assert Profile.count(experts, starts(1), 3, 2).rows[0, 0].tolist() == [1, 2]


def test_counts_are_the_same_in_chunks(monkeypatch):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    experts = np.argsort(rng.random((50, 3, 9)), axis=2)[:, :, :4].astype(np.uint8)
    flags = rng.random(50) < 0.2
    flags[0] = True
    whole = Profile.count(experts, flags, 9, 4).rows
    for size in (1, 7, 49, 50):
        monkeypatch.setattr(profile_module, "CHUNK_TOKENS", size)
        assert (Profile.count(experts, flags, 9, 4).rows == whole).all()


def test_saved_and_loaded_is_the_same(tmp_path):
    rows = Profile(np.array([[[0, 1], [1, 0]]], np.uint16))
    rows.save(tmp_path / "p.npz")
    assert (Profile.load(tmp_path / "p.npz").rows == rows.rows).all()
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


def test_foreign_truncated_and_missing_files_are_named_in_one_line(tmp_path):
    good = tmp_path / "good.npz"
    Profile(np.array([[[0, 1], [1, 0]]], np.uint16)).save(good)
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:60])
    (tmp_path / "text.npz").write_text("not a profile")
    np.savez(tmp_path / "other.npz", experts=np.zeros(3))
    np.savez(tmp_path / "twice.npz", st_moe_rows=np.array([[[1, 1], [0, 1]]], np.uint16))
    np.savez(tmp_path / "range.npz", st_moe_rows=np.array([[[0, 2], [0, 1]]], np.uint16))
    for name in ("cut", "text", "other", "twice", "range", "absent"):
        with pytest.raises(UserError) as error:
            Profile.load(tmp_path / f"{name}.npz")
        assert f"{name}.npz" in str(error.value)
        assert "\n" not in str(error.value)


def test_an_unwritable_place_is_named_and_nothing_is_left(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        Profile(np.zeros((1, 1, 1), np.uint16)).save(tmp_path / "nowhere" / "p.npz")


def test_no_token_no_profile():
    with pytest.raises(ValueError, match="at least one token"):
        Profile.count(np.zeros((0, 2, 1), np.uint8), starts(), 4, 1)
