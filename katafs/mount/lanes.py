"""Threads for what may wait for a volume's disk: of each volume so many calls at once, so that one whose disk is slow
or stuck leaves threads for the others. Knows nothing of what is called."""

import functools
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

Task = tuple[Future[Any], Callable[[], Any]]


@dataclass(slots=True)
class _Lane:
    """What is to be done for one of them."""

    waiting: deque[Task] = field(default_factory=deque)
    at_work: int = 0


class Lanes:
    """One pool for all. Safe for several threads."""

    def __init__(self, name: str, threads: int, share: int) -> None:
        """`share` of the threads are for one lane at most; more calls of it wait their turn."""
        self._pool = ThreadPoolExecutor(threads, name)
        self._share = share
        self._lock = threading.Lock()
        """Covers the lanes and all that is in them."""
        self._lanes: dict[Hashable, _Lane] = {}
        """Those with something to do."""

    def of(self, key: Hashable) -> Executor:
        """The threads for the calls of one lane."""
        return _OfOne(functools.partial(self._take, key))

    def close(self) -> None:
        """Wait for what has been begun."""
        self._pool.shutdown(cancel_futures=True)

    def _take(self, key: Hashable, task: Task) -> None:
        with self._lock:
            lane = self._lanes.setdefault(key, _Lane())
            lane.waiting.append(task)
            if lane.at_work == self._share:
                return
            lane.at_work += 1
        self._pool.submit(self._work, key, lane)

    def _work(self, key: Hashable, lane: _Lane) -> None:
        while True:
            with self._lock:
                if not lane.waiting:
                    lane.at_work -= 1
                    if lane.at_work == 0:
                        del self._lanes[key]
                    return
                future, call = lane.waiting.popleft()
            _do(future, call)


def _do(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as problem:  # noqa: BLE001 it is the caller's, who asks the future
        future.set_exception(problem)
    else:
        future.set_result(result)


class _OfOne(Executor):
    def __init__(self, take: Callable[[Task], None]) -> None:
        self._take = take

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        future: Future[Result] = Future()
        self._take((future, functools.partial(fn, *args, **kwargs)))
        return future
