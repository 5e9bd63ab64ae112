"""Runs programs and functions, also as another user, with a deadline and failures that can be read."""

import os
import pickle
import shlex
import signal
import subprocess
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

DEADLINE_S = 120.0


@dataclass(frozen=True)
class Finished:
    """How a program ended. Its output is text in which bytes that aren't UTF-8 are surrogates."""

    argv: Sequence[str]
    status: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"$ {shlex.join(self.argv)}\nstatus {self.status}\nstdout:\n{self.stdout}\nstderr:\n{self.stderr}"


@dataclass(frozen=True)
class User:
    """Somebody to run things as. Needs root."""

    uid: int
    gid: int
    groups: Sequence[int] = ()

    def run(self, argv: Sequence[str | Path], **options: object) -> Finished:
        """`run`, as this user."""
        return run(argv, user=self, **options)  # type: ignore[arg-type]  # the options are run's own

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns, or raises, in a child process that is this user; both must be picklable."""
        return in_child(_as_user, self, function, args, kwargs)


def as_user(uid: int, gid: int, groups: Sequence[int] = ()) -> User:
    """A user with exactly these supplementary groups."""
    return User(uid, gid, tuple(groups))


NOBODY = as_user(65534, 65534)


def _as_user(user: User, function: Callable[..., R], args: tuple[object, ...], kwargs: Mapping[str, object]) -> R:
    os.setgroups(list(user.groups))
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    return function(*args, **kwargs)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes = b"",
    user: User | None = None,
    status: int | None = 0,
    timeout: float = DEADLINE_S,
) -> Finished:
    """Run a program to its end. `env` is added to the test's own environment.

    Raises AssertionError, with all it printed, where it ends with another status than `status` (None: any will do) or
    not within `timeout` seconds; then its whole process group is killed."""
    words = [str(word) for word in argv]
    process = subprocess.Popen(
        words,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=user.groups if user else None,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout)
    except BaseException as problem:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        if not isinstance(problem, subprocess.TimeoutExpired):
            raise
        finished = Finished(words, process.returncode, _text(out), _text(err))
        raise AssertionError(f"not done within {timeout:g} s\n{finished}") from None
    finished = Finished(words, process.returncode, _text(out), _text(err))
    if status is not None and finished.status != status:
        raise AssertionError(f"wanted status {status}\n{finished}")
    return finished


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def forked() -> int:
    """fork(2): 0 in the child, and its id in the parent.

    Python 3.12 and later warn of threads; the only other one here is the test runner's, which only reads a pipe."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the function returns, or raises, in a forked child, whose credentials and umask it may change."""
    reader, writer = os.pipe()
    pid = forked()
    if pid == 0:
        os.close(reader)
        _answer(writer, function, args, kwargs)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not answer:
        raise AssertionError(f"the child ended without an answer, wait status {status:#x}")
    succeeded, result = pickle.loads(answer)
    if not succeeded:
        raise result
    return result  # type: ignore[no-any-return]  # it came through a pickle


def _answer(
    writer: int, function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> NoReturn:
    try:
        try:
            answer = pickle.dumps((True, function(*args, **kwargs)))
        except BaseException as problem:  # noqa: BLE001  # nothing may run the test runner's own exit code in a child
            problem.__traceback__ = None
            answer = pickle.dumps((False, problem))
        with open(writer, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)
