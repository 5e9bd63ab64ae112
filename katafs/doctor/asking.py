"""Questions that may never be answered, each asked by a child process.

A system call on a mount whose daemon hangs can't be interrupted, and a thread that is in one keeps its process from
ending (fuse_dev_do_read has the request: the kernel waits it out). A child can be left behind. Call this only before
any thread exists, since the child is forked.
"""

import os
import pickle
import select
import signal
import time
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ANSWER_S = 5.0
"""How long a mount or a disk may take to answer one question."""

_CHUNK_BYTES = 65536


class Unanswered(Exception):
    """No answer came in time."""


def within(seconds: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the function returns or raises; both must be picklable. Raises Unanswered where it takes longer."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(writer, lambda: function(*args, **kwargs))
    os.close(writer)
    try:
        answer = _read(reader, time.monotonic() + seconds)
    except Unanswered:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, os.WNOHANG)  # it may be unable to end; then it ends when its daemon does
        raise
    finally:
        os.close(reader)
    os.waitpid(child, 0)
    if not answer:
        raise Unanswered
    succeeded, result = pickle.loads(answer)
    if not succeeded:
        raise result
    return result  # type: ignore[no-any-return]  # it came through a pickle


def _read(reader: int, end_s: float) -> bytes:
    chunks: list[bytes] = []
    while True:
        readable, _, _ = select.select([reader], [], [], max(0, end_s - time.monotonic()))
        if not readable:
            raise Unanswered
        chunk = os.read(reader, _CHUNK_BYTES)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def _answer(writer: int, question: Callable[[], object]) -> NoReturn:
    """In the child. It lets go of what the caller may be reading: a child that stays must not hold that open."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        try:
            answer = pickle.dumps((True, question()))
        except Exception as raised:  # noqa: BLE001  # the parent raises it
            answer = pickle.dumps((False, raised))
        with open(writer, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)
