"""Threads for calls that may wait, for a disk or an engine, and may never return. Knows nothing of what is called."""

import functools
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from katafs.errors import NoThread
from katafs.mount.patience import PATIENCE_S, Patience, Patient
from katafs.threads import insisting, joined, started

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_Task = tuple[Future[Any], Callable[[], Any]]

_IDLE_S = 10.0
"""A thread that has nothing to do for so long ends: each holds some 100 KB."""


@dataclass(slots=True)
class _Lane:
    """What is to be done for one of them."""

    key: Hashable
    waiting: deque[_Task] = field(default_factory=deque)
    turns: int = 0
    """How often it is with a thread, or in the queue for one."""
    # and as in `patience`:
    returned: int = 0
    stuck_at: int = -1
    given_up: list[Patient] = field(default_factory=list)


class Closed(RuntimeError):
    """Nothing more is done here (concurrent.futures has a RuntimeError of it)."""


class _Worker:
    """A thread between two calls."""

    def __init__(self) -> None:
        self.lane: _Lane | None = None
        """Whose task it is to do next; None is the end."""
        self.called = threading.Lock()
        """Released when that is known."""
        self.called.acquire()


class Lanes:
    """Some threads for all lanes, of which each has a share: one whose calls don't return leaves threads for the
    others. A lane comes anew for each of its tasks, behind the others: however many it has, they get their turns
    between them. Safe for several threads.

    Not a ThreadPoolExecutor: its threads stay for ever, and the end of the process waits for each of them."""

    def __init__(
        self, name: str, threads: int, share: int, idle_s: float = _IDLE_S, patience_s: float = PATIENCE_S
    ) -> None:
        """`share` of the threads are for one lane at most; more calls of it wait their turn, and are cancelled only
        when none of its lane returns for so long as there is patience."""
        self._name = name
        self._most = threads
        self._share = share
        self._idle_s = idle_s
        self._patience = Patience(patience_s, f"{name}-patience")
        self._lock = threading.Lock()
        """Covers all below."""
        self._closed = False
        self._lanes: dict[Hashable, _Lane] = {}
        """Those with something to do."""
        self._queue: deque[_Lane] = deque()
        """Those for which there is no thread yet, once for each turn."""
        self._idle: list[_Worker] = []
        """The one that was at work last comes last, and is called first: so those too many have nothing to do."""
        self._threads: set[threading.Thread] = set()
        self._beginning = 0
        """How many there are to be besides. They are started without the lock: where there is no memory it may take
        seconds, in which nobody else is to wait."""

    def of(self, key: Hashable) -> Executor:
        """The threads for the calls of one lane."""
        give_up = functools.partial(self._may_give_up, key)
        return _OfOne(functools.partial(self._take, key), functools.partial(Patient, give_up))

    def close(self, seconds: float) -> bool:
        """Cancel what hasn't been begun, and wait for the rest, so long at most; whether it needed no more. A call that
        comes later raises Closed."""
        with self._lock:
            self._closed = True
            left = [future for lane in self._lanes.values() for future, _ in lane.waiting]
            for lane in self._lanes.values():
                lane.waiting.clear()
            threads = list(self._threads)
            for worker in self._idle:
                worker.called.release()
            self._idle.clear()
        for future in left:
            Future.cancel(future)
        return joined(threads, seconds)

    def _take(self, key: Hashable, task: _Task) -> None:
        is_short = False
        with self._lock:
            if self._closed:
                raise Closed
            lane = self._lanes.get(key) or _Lane(key)
            if lane.turns < self._share:
                is_short = self._give(lane)
                lane.turns += 1
                self._lanes[key] = lane
            lane.waiting.append(task)
        if is_short:
            self._start_another()

    def _may_give_up(self, key: Hashable, call: Patient) -> bool:
        with self._lock:
            lane = self._lanes.get(key)
        return lane is None or self._patience.is_over(lane, call)

    def _give(self, lane: _Lane) -> bool:
        """Have a thread do the lane's next task: one that is idle, or the next that comes. Whether another is to be
        started, besides. Raises NoThread where there is no thread, and none can be had."""
        if self._idle:
            worker = self._idle.pop()
            worker.lane = lane
            worker.called.release()
            return False
        is_short = 0 < len(self._threads) < self._most - self._beginning
        if is_short:
            self._beginning += 1
        elif not self._threads:  # with the lock: nobody else has anything to do, or can say that it will be done
            self._threads.add(started(functools.partial(self._run, _Worker()), self._name))
        self._queue.append(lane)
        return is_short

    def _start_another(self) -> None:
        try:
            started(functools.partial(self._begin, _Worker()), self._name)
        except (NoThread, MemoryError):  # those there are do it
            with self._lock:
                self._beginning -= 1

    def _begin(self, worker: _Worker) -> None:
        with self._lock:
            self._beginning -= 1
            self._threads.add(threading.current_thread())
        self._run(worker)

    def _run(self, worker: _Worker) -> None:
        self._go_on(worker)
        while worker.lane is not None:
            self._do_one(worker.lane)
            self._go_on(worker)

    def _do_one(self, lane: _Lane) -> None:
        with self._lock:
            task = lane.waiting.popleft() if lane.waiting else None  # another thread may have taken the last one
        if task is not None:
            _do(*task)

    def _go_on(self, worker: _Worker) -> None:
        """Find out what the worker is to do next."""
        if not insisting(functools.partial(self._is_idle, worker)):
            return
        if not worker.called.acquire(timeout=self._idle_s):
            with self._lock:
                if worker in self._idle:
                    self._idle.remove(worker)
                    self._threads.discard(threading.current_thread())
                    return
            worker.called.acquire()  # somebody has called it just now

    def _is_idle(self, worker: _Worker) -> bool:
        """Whether there is neither a lane for the worker now, nor an end."""
        with self._lock:
            if worker.lane is not None:
                self._end_call(worker.lane)
                worker.lane = None
            if self._queue:
                worker.lane = self._queue.popleft()
                return False
            if self._closed:
                self._threads.discard(threading.current_thread())
                return False
            self._idle.append(worker)
            return True

    def _end_call(self, lane: _Lane) -> None:
        lane.returned += 1
        if lane.waiting:  # and so not closed
            self._queue.append(lane)
        else:
            lane.turns -= 1
            if lane.turns == 0:
                del self._lanes[lane.key]


class _OfOne(Executor):
    def __init__(self, take: Callable[[_Task], None], made: Callable[[], Future[Any]]) -> None:
        self._take = take
        self._made = made

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        future: Future[Result] = self._made()
        self._take((future, functools.partial(fn, *args, **kwargs)))
        return future


def _do(future: Future[Any], call: Callable[[], Any]) -> None:
    """Make the call, unless it was cancelled. Whatever it raises is for who asks the future."""
    if not insisting(future.set_running_or_notify_cancel):
        return
    try:
        result = call()
    except BaseException as problem:  # noqa: BLE001 it is the caller's, who asks the future
        _tell(future, functools.partial(future.set_exception, problem))
        del future, call  # which the problem's traceback would keep, and they the problem
    else:
        _tell(future, functools.partial(future.set_result, result))


def _tell(future: Future[Any], how: Callable[[], None]) -> None:
    insisting(lambda: None if future.done() else how())
