"""What every storer promises of test runs and tags."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from katafs import errors
from katafs.rooted import files
from katafs.storers import locks
from katafs.storers.storer import Delta, Storer
from tests.contract.storers.cells import FILES, KATA, NOW, START, WHATEVER_THE_STORE, Cell
from tests.harness.descriptors import held

LIGHT = {"colour": "red", "time": NOW, "number": 1}


def run(storer: Storer, kata: str, lion: str, output: str = "1 failed\n", colour: str = "red") -> list[dict[str, Any]]:
    """One test run, with a file changed."""
    storer.sandbox_save(kata, lion, Delta(changed=["hiker.py"]), FILES)
    return storer.avatar_ran_tests(kata, lion, FILES, NOW, output, colour)


def test_a_new_avatar_has_no_increments(storer: Storer, kata: str, lion: str) -> None:
    assert storer.avatar_increments(kata, lion) == []


def test_a_test_run_gives_the_increments(storer: Storer, kata: str, lion: str) -> None:
    assert run(storer, kata, lion) == [LIGHT]


def test_increments_are_stored(storer: Storer, kata: str, lion: str) -> None:
    run(storer, kata, lion)
    assert storer.avatar_increments(kata, lion) == [LIGHT]


def test_another_storer_sees_a_test_run(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    run(storer, kata, lion)
    assert cell.storer().tag_visible_files(kata, lion, 1)["hiker.py"] == "changed\n"


def test_increments_on_the_disk_are_as_the_servers_write_them(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    run(storer, kata, lion)
    run(storer, kata, lion, colour="timed_out")
    assert (cell.avatar() / "increments.json").read_text() == (
        '[{"colour":"red","time":[2016,8,29,10,0,0],"number":1},'
        '{"colour":"timed_out","time":[2016,8,29,10,0,0],"number":2}]'
    )


def test_the_output_is_in_the_sandbox(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    run(storer, kata, lion)
    assert (cell.sandbox() / "output").read_text() == "1 failed\n"


def test_a_run_writes_nothing_else_into_the_sandbox(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    storer.avatar_ran_tests(kata, lion, FILES, NOW, "1 failed\n", "red")
    found = {file.name: file.read_text() for file in cell.sandbox().iterdir()}
    assert found == {**START, "output": "1 failed\n"}


def test_the_visible_files_are_those_of_the_newest_run_and_its_output(storer: Storer, kata: str, lion: str) -> None:
    run(storer, kata, lion)
    assert storer.avatar_visible_files(kata, lion) == {**FILES, "output": "1 failed\n"}


def test_a_tags_visible_files_are_those_of_its_run(storer: Storer, kata: str, lion: str) -> None:
    run(storer, kata, lion, output="first")
    run(storer, kata, lion, output="second")
    assert storer.tag_visible_files(kata, lion, 1) == {**FILES, "output": "first"}


def test_tag_0_is_the_start(storer: Storer, kata: str, lion: str) -> None:
    own = {name: content for name, content in START.items() if name != "output"}
    assert storer.tag(kata, lion, 0) == {
        "number": 0,
        "colour": None,
        "time": None,
        "visible_files": own,
        "output": "",
    }


def test_a_tag_has_all_of_its_run(storer: Storer, kata: str, lion: str) -> None:
    run(storer, kata, lion)
    own = {name: content for name, content in FILES.items() if name != "output"}
    assert storer.tag(kata, lion, 1) == {**LIGHT, "visible_files": own, "output": "1 failed\n"}


def test_every_tag_comes_in_one_go(storer: Storer, kata: str, lion: str) -> None:
    for colour in ("red", "amber", "green"):
        run(storer, kata, lion, colour=colour)
    found = storer.tags(kata, lion)
    assert [(tag["number"], tag["colour"]) for tag in found] == [(0, None), (1, "red"), (2, "amber"), (3, "green")]


@WHATEVER_THE_STORE
def test_tags_past_nine_are_in_order(storer: Storer, kata: str, lion: str) -> None:
    for _ in range(11):
        storer.avatar_ran_tests(kata, lion, FILES, NOW, "", "red")
    assert [tag["number"] for tag in storer.tags(kata, lion)] == list(range(12))


def test_any_text_comes_back(storer: Storer, kata: str, lion: str) -> None:
    text = 'é\u2028\t"\\ \x1b[31m\r\n\x7f\0 and 😀'
    storer.avatar_ran_tests(kata, lion, {"a": text}, NOW, text, "red")
    assert storer.tag_visible_files(kata, lion, 1) == {"a": text, "output": text}


@WHATEVER_THE_STORE
@pytest.mark.parametrize("number", [1, -1, 99, 10**30])
def test_a_tag_that_does_not_exist_is_not_found(storer: Storer, kata: str, lion: str, number: int) -> None:
    with pytest.raises(errors.TagNotFound):
        storer.tag(kata, lion, number)


@WHATEVER_THE_STORE
@pytest.mark.parametrize("number", [None, "0", False, 0.0, "0:manifest.json\nrefs/tags/0"])
def test_what_is_no_number_is_no_tags(storer: Storer, kata: str, lion: str, number: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: storer.tag(kata, lion, number),
        lambda: storer.tag_visible_files(kata, lion, number),
        lambda: storer.tag_diff(kata, lion, 0, number),
        lambda: storer.tag_diff(kata, lion, number, 0),
    ]
    for call in calls:
        with pytest.raises(errors.TagNotFound, match="is not the number of a tag"):
            call()


@WHATEVER_THE_STORE
@pytest.mark.parametrize(("old", "new"), [(0, 1), (1, 0)])
def test_a_diff_with_a_tag_that_does_not_exist_is_refused(
    storer: Storer, kata: str, lion: str, old: int, new: int
) -> None:
    with pytest.raises(errors.TagNotFound):
        storer.tag_diff(kata, lion, old, new)


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    ("now", "output", "colour", "error"),
    [
        pytest.param(None, "", "red", errors.BadTestRun, id="a null time"),
        pytest.param([2016, 8, 29], "", "red", errors.BadTestRun, id="half a time"),
        pytest.param([2016, 8, 29, 10, 0, 0.5], "", "red", errors.BadTestRun, id="a time of fractions"),
        pytest.param([2016, 13, 1, 10, 0, 0], "", "red", errors.BadTestRun, id="a 13th month"),
        pytest.param([2016, 2, 30, 10, 0, 0], "", "red", errors.BadTestRun, id="a 30th of February"),
        pytest.param([2016, 8, 29, 24, 0, 0], "", "red", errors.BadTestRun, id="a 25th hour"),
        pytest.param([2**70, 8, 29, 10, 0, 0], "", "red", errors.BadTestRun, id="a year of 22 digits"),
        pytest.param(NOW, None, "red", errors.BadTestRun, id="no output"),
        pytest.param(NOW, "\udcff", "red", errors.BadContent, id="output not UTF-8"),
        pytest.param(NOW, "", "", errors.BadTestRun, id="no colour"),
        pytest.param(NOW, "", None, errors.BadTestRun, id="a null colour"),
    ],
)
def test_a_bad_test_run_is_refused_and_nothing_is_stored(
    storer: Storer, kata: str, lion: str, now: Sequence[int], output: str, colour: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        storer.avatar_ran_tests(kata, lion, FILES, now, output, colour)
    assert len(storer.tags(kata, lion)) == 1


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    ("files", "error"),
    [
        pytest.param({"a/b": ""}, errors.BadFileName, id="a path"),
        pytest.param({"a\0": ""}, errors.BadFileName, id="a NUL"),
        pytest.param({"x" * 300: ""}, errors.BadFileName, id="300 bytes"),
        pytest.param({"a": "\udcff"}, errors.BadContent, id="not UTF-8"),
        pytest.param({"a": b"bytes"}, errors.BadContent, id="not text"),
        pytest.param(None, errors.BadContent, id="none"),
    ],
)
def test_a_test_run_of_bad_files_is_refused_and_nothing_is_stored(
    storer: Storer, kata: str, lion: str, files: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        storer.avatar_ran_tests(kata, lion, files, NOW, "", "red")
    assert len(storer.tags(kata, lion)) == 1


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    "call",
    ["avatar_increments", "avatar_visible_files", "tags"],
)
@pytest.mark.parametrize(
    ("kata_id", "name", "error"),
    [
        (KATA, "bear", errors.AvatarNotFound),
        (KATA, "cat", errors.BadAvatar),
        ("12FEDCBA98", "lion", errors.KataNotFound),
        ("123456789a", "lion", errors.BadId),
    ],
)
@pytest.mark.usefixtures("lion")
def test_what_is_not_there_has_its_own_error(
    storer: Storer, call: str, kata_id: str, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(storer, call)(kata_id, name)


def test_missing_increments_have_an_error_of_their_own(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    (cell.avatar() / "increments.json").unlink()
    with pytest.raises(errors.IncrementsMissing):
        storer.avatar_increments(kata, lion)


def test_a_test_run_without_increments_is_refused_and_stores_no_tag(
    storer: Storer, kata: str, lion: str, cell: Cell
) -> None:
    (cell.avatar() / "increments.json").unlink()
    with pytest.raises(errors.IncrementsMissing):
        storer.avatar_ran_tests(kata, lion, FILES, NOW, "", "red")
    with pytest.raises(errors.TagNotFound):
        storer.tag(kata, lion, 1)


@WHATEVER_THE_STORE
@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"[{}]", b'[{"number":"1"}]', b"\xff", b"[" * 100_000])
def test_broken_increments_are_a_corrupt_kata(storer: Storer, kata: str, lion: str, cell: Cell, content: bytes) -> None:
    (cell.avatar() / "increments.json").write_bytes(content)
    with pytest.raises(errors.CorruptKata):
        storer.avatar_increments(kata, lion)


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    "odd",
    [
        {"outcome": "green", "time": [2012, 11, 6, 13, 21, 57], "number": 1},
        {"colour": "green", "number": 1, "time": None},
        {"colour": "green", "revert_tag": None, "time": [2013, 7, 5, 13, 9, 17], "number": 1},
    ],
)
def test_the_oddities_of_old_increments_stay_when_a_run_follows(
    storer: Storer, kata: str, lion: str, cell: Cell, odd: dict[str, Any]
) -> None:
    run(storer, kata, lion)
    (cell.avatar() / "increments.json").write_text(json.dumps([odd]))
    assert run(storer, kata, lion) == [odd, {**LIGHT, "number": 2}]


def test_racing_test_runs_each_get_a_tag_of_their_own(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    racers = [storer, cell.storer(), cell.storer()]
    with ThreadPoolExecutor(len(racers)) as pool:
        list(pool.map(lambda racer: racer.avatar_ran_tests(kata, lion, FILES, NOW, "", "red"), racers))
    assert [light["number"] for light in storer.avatar_increments(kata, lion)] == [1, 2, 3]


@WHATEVER_THE_STORE
def test_a_lock_that_somebody_holds_for_ever_ends_a_run_with_an_error_of_its_own(
    storer: Storer, kata: str, lion: str, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that has the whole kata can hold any."""
    monkeypatch.setattr(locks, "PATIENCE_S", 0.05)
    with held(cell.avatar()) as directory, files.locked(directory):
        with pytest.raises(errors.AvatarBusy, match=f"avatar lion of kata {kata} is locked"):
            storer.avatar_ran_tests(kata, lion, FILES, NOW, "", "red")
        assert len(storer.tags(kata, lion)) == 1
    storer.avatar_ran_tests(kata, lion, FILES, NOW, "", "red")
    assert len(storer.tags(kata, lion)) == 2


def test_a_link_for_increments_is_not_followed(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    (cell.avatar() / "increments.json").unlink()
    (cell.avatar() / "increments.json").symlink_to("/etc/hostname")
    with pytest.raises(errors.CorruptKata):
        storer.avatar_increments(kata, lion)
