"""The bytes of `tags/<n>.json`, made of a manifest and a light."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katafs.errors import CorruptKata
from katafs.storers.git_tags_json import FILES_LIMIT, tag_json
from katafs.storers.increments import Light, light_of, lights

RED = Light(1, "red", [2016, 8, 29, 10, 0, 0])
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


def test_it_is_one_compact_object_and_a_line_feed() -> None:
    assert tag_json(RED, b'{"hiker.c":"int x;\\n","output":"1 failed"}') == (
        b'{"number":1,"colour":"red","time":[2016,8,29,10,0,0],'
        b'"visible_files":{"hiker.c":"int x;\\n"},"output":"1 failed"}\n'
    )


def test_without_a_light_colour_and_time_are_null() -> None:
    assert tag_json(Light(0, None, None), b"{}") == (
        b'{"number":0,"colour":null,"time":null,"visible_files":{},"output":null}\n'
    )


@given(st.dictionaries(TEXT | st.just("output"), TEXT), st.sampled_from([None, 2]), st.booleans())
def test_it_says_what_the_manifest_says(files: dict[str, str], indent: int | None, ascii_only: bool) -> None:
    manifest = json.dumps(files, indent=indent, ensure_ascii=ascii_only).encode()

    found = json.loads(tag_json(RED, manifest))

    assert found["output"] == files.pop("output", None)
    assert found["visible_files"] == files


@given(st.dictionaries(TEXT, TEXT | st.none() | st.integers() | st.lists(TEXT) | st.dictionaries(TEXT, TEXT)))
def test_only_an_object_of_texts_is_let_through(files: dict[str, object]) -> None:
    manifest = json.dumps(files).encode()

    try:
        tag_json(RED, manifest)
        shown = True
    except CorruptKata:
        shown = False

    assert shown == all(isinstance(content, str) for content in files.values())


@given(st.binary() | st.text(alphabet='{}":,\\ab u0\n').map(str.encode))
def test_what_is_shown_of_any_bytes_is_json(manifest: bytes) -> None:
    try:
        shown = tag_json(RED, manifest)
    except CorruptKata:
        return
    assert set(json.loads(shown)) == {"number", "colour", "time", "visible_files", "output"}


def test_the_output_is_known_by_its_name_however_it_is_written() -> None:
    assert json.loads(tag_json(RED, b'{"\\u006futput":"x"}'))["output"] == "x"


def test_of_two_outputs_the_last_counts_as_in_any_json() -> None:
    assert json.loads(tag_json(RED, b'{"output":"x","a":"b","output":"y"}'))["output"] == "y"


def test_names_that_are_not_text_may_have_escapes() -> None:
    assert b'{"\xff\\n":"x"}' in tag_json(RED, b'{"\xff\\n":"x"}')


def test_bytes_that_are_not_text_stay_as_they_are() -> None:
    assert b'{"a":"\xff\xfe"}' in tag_json(RED, b'{"a":"\xff\xfe"}')


def test_files_at_the_limit_are_shown() -> None:
    manifest = json.dumps({str(number): "" for number in range(FILES_LIMIT - 1)}).encode()

    assert len(json.loads(tag_json(RED, manifest))["visible_files"]) == FILES_LIMIT - 1


def test_a_large_content_is_shown() -> None:
    content = '\\"\n' * (1 << 20)

    assert json.loads(tag_json(RED, json.dumps({"a": content}).encode()))["visible_files"]["a"] == content


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"null",
        b'"a"',
        b"{",
        b'{"a"}',
        b'{"a":"b"',
        b'{"a":"b",}',
        b'{,"a":"b"}',
        b'{"a":"b"}}',
        b'{"a":"b" "c":"d"}',
    ],
)
def test_broken_json_is_an_error(manifest: bytes) -> None:
    with pytest.raises(CorruptKata):
        tag_json(RED, manifest)


def test_the_colour_may_be_called_outcome() -> None:
    assert lights(b'[{"outcome":"green","time":[1,2,3,4,5,6],"number":1}]')[1].colour == "green"


def test_the_time_may_be_null() -> None:
    assert lights(b'[{"colour":"green","time":null,"number":1}]') == {1: Light(1, "green", None)}


def test_an_entry_without_a_number_has_that_of_its_place() -> None:
    assert lights(b'[{"colour":"red"},{"colour":"amber"}]')[2].colour == "amber"


@pytest.mark.parametrize("entry", [b"{}", b'{"colour":7,"time":"noon"}', b'{"time":["a"]}', b'{"time":[1.5]}'])
def test_what_is_no_colour_or_time_is_as_if_it_were_missing(entry: bytes) -> None:
    assert lights(b"[" + entry + b"]") == {1: Light(1, None, None)}


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[1]", b"[[]]", b"[{]", b"\xff", b"[" * 100_000])
def test_broken_increments_are_an_error(content: bytes) -> None:
    with pytest.raises(CorruptKata):
        lights(content)


def test_tag_0_has_no_light_whatever_increments_say() -> None:
    assert light_of({0: Light(0, "red", None)}, 0) == Light(0, None, None)


def test_a_number_that_is_a_truth_is_none() -> None:
    assert lights(b'[{},{"number":true,"colour":"red"}]')[2].colour == "red"
