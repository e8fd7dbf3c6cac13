import pytest
from moefetch.traces.atomic import replacing
from moefetch.traces.errors import UserError


def test_the_file_appears_at_the_end_alone(tmp_path):
    with replacing(tmp_path / "out") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "out").exists()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out", "new")]


def test_after_an_exception_the_old_file_stays(tmp_path):
    (tmp_path / "out").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "out") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out", "old")]


def test_an_error_of_the_system_names_the_file(tmp_path):
    with pytest.raises(UserError, match=r"out: cannot be written: No space"), replacing(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="does not exist"), replacing(tmp_path / "file" / "out"):
        pass
