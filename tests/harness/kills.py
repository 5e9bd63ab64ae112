"""Kills a function in the middle: after any number of the calls that it makes to one room of katafs.

Really: the child that runs it gets SIGKILL, so nothing cleans up after it.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from tests.harness.programs import forked


def killed(function: Callable[[], object], calls: int, room: str = "/katafs/rooted/") -> bool:
    """Run the function in a child that is killed at its n-th call of a function in a file below `room`; False where it
    made fewer calls and so came to its end. Raises AssertionError where it failed."""
    pid = forked()
    if pid == 0:
        _run(function, calls, room)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"ended by signal {os.WTERMSIG(status)}"
        return True
    assert os.WEXITSTATUS(status) == 0, "the function failed in the child"
    return False


def _run(function: Callable[[], object], calls: int, room: str) -> None:
    left = calls

    def trace(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        if event == "call" and room in frame.f_code.co_filename:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    status = 1
    try:
        sys.settrace(trace)
        function()
        status = 0
    finally:
        os._exit(status)
