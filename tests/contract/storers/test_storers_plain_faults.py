"""A run that was broken off without git: its tag's file makes it exist, and `increments.json` follows."""

import errno
import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

from katafs.errors import CorruptKata
from katafs.rooted import files
from katafs.storers import tags
from katafs.storers.line_diff import Change
from katafs.storers.storer import Storer
from tests.contract.storers.cells import FILES, KATA, NOW
from tests.harness.waiting import until


def test_a_run_that_is_undone_leaves_no_gap_below_one_that_came_meanwhile(
    plain: Storer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a tag that is missing below others every look at all of them would tell."""
    sync, flock, waits = files.sync_directory, fcntl.flock, threading.Event()
    other = threading.Thread(target=lambda: plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "green"))

    def lock(descriptor: int, operation: int) -> None:
        try:
            flock(descriptor, operation)
        except BlockingIOError:
            waits.set()
            raise

    def is_over_or_waits() -> bool:
        return not other.is_alive() or waits.is_set()

    def fail(_: int) -> None:
        monkeypatch.setattr(files, "sync_directory", sync)
        other.start()
        until(is_over_or_waits, "the other run")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", lock)
    monkeypatch.setattr(files, "sync_directory", fail)
    with pytest.raises(OSError, match="Input/output error"):
        plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "first", "amber")
    other.join(60)

    numbers = range(len(plain.tags(KATA, "lion")))
    assert [tag["number"] for tag in plain.tags(KATA, "lion")] == [*numbers]
    assert plain.tags(KATA, "lion")[-1]["output"] == "second"


def test_increments_that_do_not_fit_are_completed_from_the_tags(plain: Storer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their run is stored, and would be twice if whoever asked for it were told otherwise."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tags, "write_increments", full)
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red")
    monkeypatch.undo()

    assert [tag["number"] for tag in plain.tags(KATA, "lion")] == [0, 1]
    assert plain.avatar_increments(KATA, "lion") == [{"colour": "red", "time": NOW, "number": 1}]


def test_what_a_kill_left_of_a_tags_file_is_no_tag(plain: Storer, disk: Path) -> None:
    (disk / KATA / "lion/tags/.katafs-0123456789abcdef").write_text('{"number":1,')
    assert [tag["number"] for tag in plain.tags(KATA, "lion")] == [0]


def test_a_kill_after_the_tag_is_made_good_when_the_increments_are_read(plain: Storer, disk: Path) -> None:
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red")
    (disk / KATA / "lion/increments.json").write_text("[]")
    assert plain.avatar_increments(KATA, "lion") == [{"colour": "red", "time": NOW, "number": 1}]


def test_a_kill_after_the_tag_is_made_good_by_the_next_run(plain: Storer, disk: Path) -> None:
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red")
    (disk / KATA / "lion/increments.json").write_text("[]")
    lights = plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "green")
    assert [(light["number"], light["colour"]) for light in lights] == [(1, "red"), (2, "green")]


def test_half_a_surrogate_pair_in_a_tag_is_a_difference(plain: Storer, disk: Path) -> None:
    """JSON can have it, and UTF-8 can't."""
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "said", "red")
    tag = disk / KATA / "lion/tags/1.json"
    tag.write_text(tag.read_text().replace('"changed\\n"', '"\\ud800\\n"'))

    (differs,) = [each for each in plain.tag_diff(KATA, "lion", 0, 1) if each.new_name == "hiker.py"]
    assert [line.text for line in differs.lines if line.change is Change.ADDED] == ["?"]


@pytest.mark.parametrize(
    "odd", [{"output": 1}, {"visible_files": {"f": 1}}, {"visible_files": []}, {"number": 2}], ids=str
)
def test_a_tag_that_is_none_is_corrupt(plain: Storer, disk: Path, odd: dict[str, object]) -> None:
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "said", "red")
    tag = disk / KATA / "lion/tags/1.json"
    tag.write_text(json.dumps(json.loads(tag.read_text()) | odd))

    with pytest.raises(CorruptKata, match="tag 1 of "):
        plain.tag(KATA, "lion", 1)
