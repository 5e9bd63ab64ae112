"""A thread for calls that may never return. Knows nothing of what is called."""

import contextlib
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar

from katafs.mount.tasks import Task, do

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class DaemonThread(Executor):
    """Makes one call after the other. The end of the process doesn't wait for it, as it does for each thread of a
    ThreadPoolExecutor. Safe for several threads."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        """None is the end."""
        self._lock = threading.Lock()
        """Covers that the thread is started once, and that nothing comes behind the end."""
        self._over = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """As Executor has it. Raises RuntimeError after `close`."""
        future: Future[Result] = Future()
        with self._lock:
            if self._over:
                raise RuntimeError("no more is done here")
            self._tasks.put((future, functools.partial(fn, *args, **kwargs)))
            if self._thread.ident is None:
                self._thread.start()
        return future

    def close(self) -> None:
        """Cancel what hasn't been begun, and wait for nothing."""
        with self._lock:
            self._over = True
        with contextlib.suppress(Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    task[0].cancel()
        self._tasks.put(None)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            do(*task)
