"""What the tests themselves wait with."""

import time

import pytest

from tests.harness import waiting


def test_a_condition_that_came_to_hold_while_the_process_got_no_processor_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the first look and the next the whole deadline passes."""
    clock_s, looks = [0.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: clock_s[0])

    def comes_late() -> bool:
        looks.append(clock_s[0])
        clock_s[0] = 100.0
        return len(looks) > 1

    assert waiting.holds_within(comes_late, 1)


def test_a_condition_that_never_holds_is_given_up() -> None:
    assert not waiting.holds_within(lambda: False, 0.01)
