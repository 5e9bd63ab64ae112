"""Threads for what may wait for a volume's disk: of each volume so many calls at once, so that one whose disk is slow
or stuck leaves threads for the others. Knows nothing of what is called."""

import functools
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from katafs.mount.tasks import Task, do

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Lane:
    """What is to be done for one of them."""

    waiting: deque[Task] = field(default_factory=deque)
    turns: int = 0
    """How often it is in the pool: at work, or in the queue there for one task."""


class Lanes:
    """One pool for all, in whose queue a lane is anew for each of its tasks, behind the others: however many it has,
    they get their turns between them. Safe for several threads."""

    def __init__(self, name: str, threads: int, share: int) -> None:
        """`share` of the threads are for one lane at most; more calls of it wait their turn."""
        self._pool = ThreadPoolExecutor(threads, name)
        self._share = share
        self._lock = threading.Lock()
        """Covers the lanes, all that is in them, and that nothing is put into the pool once this is closed."""
        self._closed = False
        self._lanes: dict[Hashable, _Lane] = {}
        """Those with something to do."""

    def of(self, key: Hashable) -> Executor:
        """The threads for the calls of one lane."""
        return _OfOne(functools.partial(self._take, key))

    def close(self) -> None:
        """Wait for what has been begun, and cancel the rest. A call that comes later raises RuntimeError."""
        with self._lock:
            self._closed = True
            left = [future for lane in self._lanes.values() for future, _ in lane.waiting]
            for lane in self._lanes.values():
                lane.waiting.clear()
        for future in left:
            future.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _take(self, key: Hashable, task: Task) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("no more is done here")
            lane = self._lanes.setdefault(key, _Lane())
            lane.waiting.append(task)
            if lane.turns < self._share:
                lane.turns += 1
                self._pool.submit(self._work, key, lane)

    def _work(self, key: Hashable, lane: _Lane) -> None:
        with self._lock:
            task = lane.waiting.popleft() if lane.waiting else None  # another thread may have taken the last one
        if task is not None:
            do(*task)
        with self._lock:
            if lane.waiting:  # and so not closed
                self._pool.submit(self._work, key, lane)
                return
            lane.turns -= 1
            if lane.turns == 0:
                del self._lanes[key]


class _OfOne(Executor):
    def __init__(self, take: Callable[[Task], None]) -> None:
        self._take = take

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        future: Future[Result] = Future()
        self._take((future, functools.partial(fn, *args, **kwargs)))
        return future
