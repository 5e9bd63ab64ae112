"""The clients as processes, and one phase of a soak with them."""

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.process import BaseProcess

from tests.soak.client import Assignment, Done, work

_END_S = 300.0
"""The longest turn that a client may still be in when it is to end."""

_LOOK_S = 1.0


class Clients:
    """Those of one phase. They end by themselves when their time is over, or when the block ends."""

    def __init__(self, assignments: list[Assignment]) -> None:
        self._assignments = assignments
        # Not forked: nothing of this process, the engine's log or its signals, is in theirs.
        context = multiprocessing.get_context("spawn")
        self._processes: list[BaseProcess] = [context.Process(target=work, args=(each,)) for each in assignments]

    def __enter__(self) -> "Clients":
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        end_s = time.monotonic() + _END_S
        for process in self._processes:
            process.join(max(0.0, end_s - time.monotonic()))
            if process.is_alive():
                process.kill()  # it hangs in the mount; it leaves no result, and so is a failure
                process.join(_END_S)

    def watched(self, look: Callable[[], bool]) -> None:
        """Wait until all have ended, one has ended before its time, or `look`, each second, says that it is enough."""
        running = list(self._processes)
        while running and not look():
            connection.wait([each.sentinel for each in running], _LOOK_S)
            ended = [each for each in running if not each.is_alive()]
            running = [each for each in running if each not in ended]
            if ended and time.monotonic() < self._assignments[0].until_s:
                return

    def results(self) -> list[Done]:
        """What each did, after the block. Who left no result is one with a failure."""
        return [_result(*both) for both in zip(self._assignments, self._processes, strict=True)]


def _result(assignment: Assignment, process: BaseProcess) -> Done:
    if not assignment.result.exists():
        how = f"client {assignment.number}, {assignment.phase}: ended with {process.exitcode}, without a result"
        return Done(failure=how)
    told = json.loads(assignment.result.read_text())
    return Done(**{**told, "operations": Counter(told["operations"]), "refused": Counter(told["refused"])})
