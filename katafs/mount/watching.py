"""How a request that is served is watched: what it is about, how it ended, how long that took."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from katafs.fuse.methods import Watching
from katafs.fuse.operations import Answer, Later
from katafs.fuse.requests import Carried, Method, Request
from katafs.mount.answers import number_of

Done: TypeAlias = Callable[[int, int], None]
"""Is told the errno, 0 where all went well, and the nanoseconds until the answer was made."""

Note: TypeAlias = Callable[[str, Request], Done | None]
"""Is shown an operation's name and a request before it is served; whom to tell of its end, if anybody."""


def noting(note: Note) -> Watching:
    """Watches every request by this note, which raises nothing."""

    def watching(method: Method) -> Method:
        @functools.wraps(method)
        def watched(request: Request) -> Answer[Carried]:
            done = note(method.__name__, request)
            if done is None:
                return method(request)
            start_ns = time.perf_counter_ns()
            with _errors_told(done, start_ns):
                answer = method(request)
            if isinstance(answer, Later):
                return Later(answer.pool, functools.partial(_made, done, start_ns, answer.call))
            done(_errno_in(answer), time.perf_counter_ns() - start_ns)
            return answer

        return watched

    return watching


def _made(done: Done, start_ns: int, call: Callable[[], Carried]) -> Carried:
    with _errors_told(done, start_ns):
        carried = call()
    done(_errno_in(carried), time.perf_counter_ns() - start_ns)
    return carried


def _errno_in(carried: Carried) -> int:
    return carried if isinstance(carried, int) else 0


@contextlib.contextmanager
def _errors_told(done: Done, start_ns: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        done(number_of(error), time.perf_counter_ns() - start_ns)
        raise
