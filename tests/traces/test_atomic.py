import pytest
from moefetch.traces.atomic import check_output, not_among, replacing, replacing_folder
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


def test_an_output_is_checked_without_being_made(tmp_path):
    check_output(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"does not exist: create it first"):
        check_output(tmp_path / "absent" / "out")
    with pytest.raises(UserError, match=r"cannot be written: File name too long"):
        check_output(tmp_path / ("a" * 255))


def test_an_output_must_be_none_of_the_sources(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert not_among(tmp_path / "b", [tmp_path / "a"]) == tmp_path / "b"
    with pytest.raises(UserError, match=r"link: is the source"):
        not_among(tmp_path / "link", [tmp_path / "absent", tmp_path / "a"])


def fill(folder, text):
    with replacing_folder(folder) as temporary:
        (temporary / "file").write_text(text)


def test_a_folder_takes_the_place_of_an_older_one_whole(tmp_path):
    fill(tmp_path / "deep" / "out", "old")
    (tmp_path / "deep" / "out" / "more").write_text("")
    fill(tmp_path / "deep" / "out", "new")
    (out,) = (tmp_path / "deep").iterdir()
    assert [(p.name, p.read_text()) for p in out.iterdir()] == [("file", "new")]


def test_after_an_exception_the_old_folder_stays(tmp_path):
    fill(tmp_path / "out", "old")
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "out") as temporary:
        (temporary / "file").write_text("half")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["out"] and (tmp_path / "out" / "file").read_text() == "old"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"out: cannot be written: "):
        fill(tmp_path / "file" / "out", "")
