"""Log records as lines: one event is one line, with its values to be read by people and programs."""

import json
import logging
import os
import shlex
from pathlib import Path

import pytest

from katafs.observe.lines import Lines, goes_to_journal
from katafs.observe.pairs import pairs

TEXTS = [
    "plain",
    "/katas/12",
    "two words",
    'a "quoted" one',
    "a=b",
    "back\\slash",
    "",
    "new\nline",
    "\x1b[2J",
    "\udcff",
]


def record(message: str, level: int = logging.WARNING, **values: object) -> logging.LogRecord:
    made = logging.LogRecord("katafs.test", level, __file__, 1, message, (), None)
    vars(made).update(values)
    return made


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_one_word_of_a_line(text: str) -> None:
    line = pairs({"before": 1, "text": text, "after": 2})

    value = line.removeprefix("before=1 text=").removesuffix(" after=2")
    assert (json.loads(value) if value.startswith('"') else value) == text
    assert "\n" not in line
    assert line.isprintable()


def test_plain_values_are_plain_words() -> None:
    assert pairs({"path": "/katas", "count": 3}) == "path=/katas count=3"


def test_yes_and_no_are_said_as_json_has_them() -> None:
    assert pairs({"read_only": True, "debug": False}) == "read_only=true debug=false"


def test_a_record_is_level_event_and_values() -> None:
    made = Lines("katafs").format(record("failed", operation="lookup", error="the engine is gone"))

    assert made == 'katafs: WARNING: failed operation=lookup error="the engine is gone"'
    assert shlex.split(made)[-1] == "error=the engine is gone"


def test_values_keep_their_order_whatever_it_was_in_another_record() -> None:
    lines = Lines("katafs")

    assert lines.format(record("failed", path="/12", operation="read")).endswith(" path=/12 operation=read")
    assert lines.format(record("failed", operation="read", path="/12")).endswith(" operation=read path=/12")


def test_an_event_without_values_ends_with_itself() -> None:
    assert Lines("katafs[7]").format(record("ends", logging.INFO)) == "katafs[7]: INFO: ends"


def test_a_name_in_a_message_makes_no_line_of_its_own() -> None:
    made = Lines("katafs").format(record("odd\nkatafs: ERROR: forged"))

    assert "\n" not in made


def test_a_bug_brings_its_traceback() -> None:
    made = record("a bug in katafs", logging.ERROR)
    try:
        raise ZeroDivisionError("oh")
    except ZeroDivisionError as bug:
        made.exc_info = (type(bug), bug, bug.__traceback__)

    first, second, *_, last = Lines("katafs").format(made).splitlines()

    assert (first, second) == ("katafs: ERROR: a bug in katafs", "Traceback (most recent call last):")
    assert last == "ZeroDivisionError: oh"


@pytest.mark.parametrize(
    ("level", "prefix"),
    [(logging.DEBUG, "<7>"), (logging.INFO, "<6>"), (logging.WARNING, "<4>"), (logging.ERROR, "<3>")],
)
def test_the_journal_is_told_the_level(level: int, prefix: str) -> None:
    assert Lines("katafs", journal=True).format(record("ends", level)).startswith(f"{prefix}katafs: ")


def test_only_what_goes_to_the_journal_has_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "stream").open("w") as journal, (tmp_path / "other").open("w") as other:
        status = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")

        assert goes_to_journal(journal.fileno())
        assert not goes_to_journal(other.fileno())
