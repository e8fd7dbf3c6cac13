"""Is a drop written whole or not at all, and nothing else overwritten?"""

import json
from pathlib import Path

import pytest
from moefetch.hw.drop.folder import MANIFEST, MODULE, black_box, write_drop
from moefetch.hw.emit import WRAPPERS, wrapper_source
from moefetch.traces.errors import UserError


def drop_of(files):
    return files | {MANIFEST: json.dumps({"module": MODULE, "sha256": dict.fromkeys(files, "")})}


FILES = drop_of({"rtl/a.v": "module a;\n", "b.md": "# b\n"})


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_are_as_given_and_nothing_is_left_beside(tmp_path):
    write_drop(tmp_path / "deep" / "drop", FILES)
    assert contents(tmp_path / "deep" / "drop") == FILES
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["drop"]


def test_a_drop_takes_the_place_of_an_older_one(tmp_path):
    write_drop(tmp_path / "drop", drop_of({"old.v": ""}))
    write_drop(tmp_path / "drop", FILES)
    assert contents(tmp_path / "drop") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["drop"]


def test_a_folder_that_is_no_drop_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.v").write_text("mine")
    with pytest.raises(UserError, match="is there and is no drop"):
        write_drop(tmp_path / "mine", FILES)
    assert contents(tmp_path / "mine") == {"work.v": "mine"}


@pytest.mark.parametrize(
    "manifest", ["{}", "[]", "{", '{"name": "my web app"}', json.dumps({"module": MODULE, "sha256": []})]
)
def test_a_folder_with_another_manifest_is_left_alone(tmp_path, manifest):
    mine = {MANIFEST: manifest, "thesis.txt": "mine"}
    (tmp_path / "mine").mkdir()
    for name, text in mine.items():
        (tmp_path / "mine" / name).write_text(text)
    with pytest.raises(UserError, match="is there and is no drop"):
        write_drop(tmp_path / "mine", FILES)
    assert contents(tmp_path / "mine") == mine


def test_a_drop_with_a_file_of_the_users_is_left_alone(tmp_path):
    write_drop(tmp_path / "drop", FILES)
    (tmp_path / "drop" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is there and is no drop"):
        write_drop(tmp_path / "drop", FILES)
    assert contents(tmp_path / "drop") == FILES | {"notes.txt": "mine"}


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_a_folder_without_a_name_is_a_message(place):
    with pytest.raises(UserError, match="must end in the name"):
        write_drop(Path(place), FILES)


def test_a_failure_leaves_the_older_drop_as_it_was(tmp_path):
    write_drop(tmp_path / "drop", FILES)
    with pytest.raises(UserError, match="cannot be written"):
        write_drop(tmp_path / "drop", {"new.v": "", "new.v/below": ""})
    assert contents(tmp_path / "drop") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["drop"]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_black_box_has_the_models_ports_and_no_body(wrapper):
    model, box = wrapper_source(wrapper), black_box(wrapper_source(wrapper))
    header = model[model.index("module ") : model.index(");")]
    assert header.replace("output reg ", "output wire") in box
    assert "always" not in box and "assign" not in box and box.rstrip().endswith("endmodule")
