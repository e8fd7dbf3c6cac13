import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moefetch.traces.errors import UserError
from moefetch.traces.importers import json_stream
from moefetch.traces.importers.json_stream import JsonStream
from moefetch.traces.importers.source_file import SourceFile

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1, 1) | st.text('"\\,:[]{} aä\n', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", 5)


@pytest.fixture(scope="module")
def stream_of(tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "a.json"

    def make(text):
        path.write_text(text, encoding="utf-8")
        return JsonStream(SourceFile(path, "a.json", lambda _: None))

    return make


@settings(deadline=None)
@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 2]))
def test_elements_of_an_array_and_values_in_a_row(stream_of, values, indent):
    assert list(stream_of(json.dumps(values, indent=indent)).items()) == values
    if values and not isinstance(values[0], list):
        text = "\n".join(json.dumps(value, indent=indent) for value in values)
        assert list(stream_of(text).items()) == values


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", max_size=2), VALUES, max_size=4), st.lists(VALUES, max_size=4))
def test_members_of_an_object(stream_of, others, array):
    document = others | {"x": array}
    found = list(stream_of(json.dumps(document)).members("x"))
    assert [value for key, value, is_element in found if is_element] == array
    assert {key: value for key, value, is_element in found if not is_element} == others | {"x": []}


def test_every_cut_is_refused(stream_of):
    text = json.dumps({"a": [1, -2.5e3, 'b\\"c'], "x": [{"y": [True, None]}, "ä"]})
    for size in range(len(text)):
        with pytest.raises(UserError, match=r"a\.json: not JSON \(truncated\?\): character \d+") as caught:
            list(stream_of(text[:size]).members("x"))
        assert "\n" not in str(caught.value)


def test_a_wrong_character_is_found_without_reading_on(stream_of):
    stream = stream_of('{"x": [1, 2, nope, ' + "3, " * 10000)
    with pytest.raises(UserError, match="character 13: Expecting value"):
        list(stream.members("x"))
    assert len(stream._buffer) < 100


def test_more_after_the_end_deep_nesting_and_foreign_bytes_are_refused(stream_of, tmp_path):
    for text, message in (
        ("", "ends before '{'"),
        ('{"x": []} 1', "more after the end"),
        ('{"x": [1,]}', "a comma before the end"),
        ('{"x": [' + "[" * 100_000, "nested too deeply"),
        ('{"x": ' + "9" * 5000 + "}", "not JSON"),
    ):
        with pytest.raises(UserError, match=message):
            list(stream_of(text).members("x"))
    path = tmp_path / "b.json"
    path.write_bytes(b'{"x": "\xff"}')
    with pytest.raises(UserError, match=r"b: not JSON: not UTF-8"):
        list(JsonStream(SourceFile(path, "b", lambda _: None)).items())


def test_an_empty_file_is_refused(stream_of):
    for text in ("", " \n"):
        with pytest.raises(UserError, match="the file is empty"):
            list(stream_of(text).items())
    assert list(stream_of("[]").items()) == []


def test_random_bytes_are_a_message(stream_of):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(200):
        text = "".join(rng.choice('[]{}",:\\ 12e-n.a') for _ in range(30))
        try:
            list(stream_of(text).items())
        except UserError as error:
            assert str(error).startswith("a.json: not JSON")
