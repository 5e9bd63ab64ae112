"""What is to be asked of the engine, one after the other, by a thread that nobody waits for.

A question may take as long as the engine is slow. Whoever follows the events must not wait for it: the engine tells of
a container's mount once, and what the kernel keeps of the volume has to be dropped within that container's life.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable

from katafs.threads import started


class Questions:
    """A line of questions and the thread that asks them, in order, until one fails. Put and ended by one thread."""

    def __init__(self, when_failed: Callable[[], None]) -> None:
        """`when_failed` is called once, by this thread, where a question has failed. Raises NoThread."""
        self._when_failed = when_failed
        self._line: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        """None ends the thread."""
        self._later: tuple[float, Callable[[], object]] | None = None
        """What is to be asked when its time has come by time.monotonic(). The thread's own, once it runs."""
        self._ending = threading.Event()
        self._failure: Exception | None = None
        """For `end`; read when the thread has ended."""
        self._thread = started(self._run, "docker-questions")

    def put(self, question: Callable[[], object]) -> None:
        """Have this asked when all is answered that was put before. After a failure nothing is asked any more."""
        self._line.put(question)

    def put_off(self, question: Callable[[], object], seconds: float) -> None:
        """Have this asked in so many seconds, in the place of what was put off before. Only for a question."""
        self._later = (time.monotonic() + seconds, question)

    def end(self) -> None:
        """Ask nothing more, and wait for the question under way. Raises what a question has raised."""
        self._ending.set()
        self._line.put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while (question := self._next()) is not None and not self._ending.is_set():
                question()
        except Exception as failure:  # noqa: BLE001  # whatever it is, `end` raises it in the thread that can heal it
            self._failure = failure
            self._when_failed()

    def _next(self) -> Callable[[], object] | None:
        if self._later is None:
            return self._line.get()
        due_s, later = self._later
        left_s = due_s - time.monotonic()
        if left_s > 0:
            with contextlib.suppress(queue.Empty):
                return self._line.get(timeout=left_s)
        self._later = None
        return later
