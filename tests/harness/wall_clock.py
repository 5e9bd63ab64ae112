"""The wall clock of this process, which a test sets as an operator, or a machine that wakes up, does."""

import time

import pytest

HOUR_S = 3600


class WallClock:
    """What `time.time` and `time.time_ns` tell; time.monotonic and the kernel's stamps go on as ever."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        real_ns = time.time_ns
        self._offset_ns = 0
        patch.setattr(time, "time_ns", lambda: real_ns() + self._offset_ns)
        patch.setattr(time, "time", lambda: (real_ns() + self._offset_ns) / 1e9)

    def jump(self, seconds: int) -> None:
        """Set it forward, or back by a negative number."""
        self._offset_ns += seconds * 1_000_000_000


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """The clock, which is right still."""
    return WallClock(monkeypatch)
