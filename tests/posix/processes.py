"""A second process for a case: forked, so that it has the working directory and the descriptors of the first."""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.harness.programs import forked


def start(work: Callable[[], object]) -> int:
    """Fork a child that does the work and ends; its id.

    It ends with 1, and its traceback on stderr, where the work raised."""
    pid = forked()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # nothing may travel up into the runner's second self
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def ended_well(pid: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@contextmanager
def child(work: Callable[[], object]) -> Iterator[int]:
    """The work in a child while the block runs; it must have ended without a fault."""
    pid = start(work)
    try:
        yield pid
    finally:
        well = ended_well(pid)
    assert well, "the other process failed; see its traceback on stderr"
