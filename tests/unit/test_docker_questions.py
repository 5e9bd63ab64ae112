"""The thread that asks what is to be asked of the engine."""

import threading
from functools import partial

import pytest

from katafs.volumes.docker_questions import Questions
from tests.harness import waiting


def test_questions_are_asked_in_order() -> None:
    questions, asked = Questions(when_failed=never), list[int]()
    for number in range(100):
        questions.put(partial(asked.append, number))
    waiting.until(lambda: len(asked) == 100, "all to be asked")
    questions.end()

    assert asked == list(range(100))


def test_the_end_waits_for_the_question_under_way_and_drops_the_others() -> None:
    questions, asked, answer = Questions(when_failed=never), list[str](), threading.Event()
    begun = threading.Event()

    def slow() -> None:
        begun.set()
        answer.wait()
        asked.append("slow")

    questions.put(slow)
    questions.put(lambda: asked.append("never"))
    begun.wait()
    threading.Timer(0.1, answer.set).start()
    questions.end()

    assert asked == ["slow"]


def test_what_is_put_off_is_asked_in_its_time_once_also_beside_others() -> None:
    questions, asked = Questions(when_failed=never), list[str]()

    def goes_on() -> None:
        asked.append("another")
        if "put off" not in asked:
            questions.put(goes_on)

    questions.put(partial(questions.put_off, partial(asked.append, "never"), 60))
    questions.put(partial(questions.put_off, partial(asked.append, "put off"), 0.05))
    questions.put(goes_on)
    waiting.until(lambda: "put off" in asked, "it to be asked")
    questions.end()

    assert (asked.count("put off"), asked[0]) == (1, "another")
    assert "never" not in asked


def test_what_is_put_off_is_asked_where_nothing_else_is() -> None:
    questions, asked = Questions(when_failed=never), list[str]()
    questions.put(partial(questions.put_off, partial(asked.append, "put off"), 0.05))
    waiting.until(lambda: asked == ["put off"], "it to be asked")
    questions.end()


def test_the_end_does_not_wait_for_what_is_put_off() -> None:
    questions, asked = Questions(when_failed=never), list[str]()
    questions.put(partial(questions.put_off, partial(asked.append, "put off"), 3600))
    questions.end()

    assert asked == []


def test_a_failure_is_told_once_and_raised_at_the_end() -> None:
    told = list[str]()
    questions = Questions(when_failed=lambda: told.append("failed"))
    for _ in range(2):
        questions.put(fail)
    waiting.until(lambda: bool(told), "the failure to be told")
    with pytest.raises(ZeroDivisionError):
        questions.end()

    assert told == ["failed"]


def fail() -> None:
    """A question that fails."""
    raise ZeroDivisionError


def never() -> None:
    """Nothing fails here."""
    raise AssertionError
