"""Runs `katafs` in a forked process that kills itself at its N-th call that changes or syncs something, or locks.

A fork of a process that has everything imported starts in milliseconds, so every call can be the last one in turn.
"""

import fcntl
import functools
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import katafs.volumes.docker  # noqa: F401  # takes long to import, and each fork would do so
from katafs.cli.main import katafs as command
from katafs.rooted import inodes, syscalls
from tests.harness import programs, waiting

_OS_CALLS = (
    *("mkdir", "mknod", "symlink", "link", "unlink", "rmdir", "rename", "replace", "chmod", "chown", "utime", "open"),
    *("setxattr", "removexattr", "write", "pwrite", "ftruncate", "truncate", "copy_file_range", "sendfile"),
    *("fsync", "fdatasync", "sync", "fchmod", "fchown", "posix_fallocate"),
)
_SYSCALLS = ("rename", "set_times", "touch_modified", "set_owner", "sync_file_system", "clone_mount", "open_inside")
_ALIASES = ("set_times", "touch_modified", "set_owner")
_OPENS = ("open", "open_inside")


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    crashed: bool
    """Whether it killed itself; else it ended before its N-th call."""
    status: int
    call: str
    """The call at which it killed itself."""
    output: str


def run_katafs(arguments: list[str], scratch: Path, *, crash_at: int = 0, before: bool = False) -> Ended:
    """Run `katafs ARGUMENTS…`, to be killed right after its N-th call, or right before it; 0 is never.

    `scratch` is a directory for its output."""
    call = scratch / "call"
    call.write_text("")
    running = Forked(arguments, scratch / "output", prepare=lambda: _count(crash_at, before, call))
    status = running.ended()
    assert status in (0, 1, 2, 3, -signal.SIGKILL), running.output()
    return Ended(status < 0, status, call.read_text(), running.output())


class Forked:
    """A run of `katafs ARGUMENTS…` in the background."""

    def __init__(
        self,
        arguments: list[str],
        output: Path,
        env: Mapping[str, str] | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._output = output
        self._status: int | None = None
        self._pid = programs.forked()
        if self._pid == 0:
            os.environ.update(env or {})
            _be_katafs(arguments, output, prepare)

    @property
    def runs(self) -> bool:
        """Whether it hasn't ended yet."""
        if self._status is None:
            pid, waited = os.waitpid(self._pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(waited) if pid else None
        return self._status is None

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.runs:
            os.kill(self._pid, number)

    def ended(self) -> int:
        """Its exit status, negative for the signal that killed it, once it has ended; it has a deadline to do so."""
        try:
            waiting.until(lambda: not self.runs, "the forked katafs to end", programs.DEADLINE_S)
        finally:
            self.signal(signal.SIGKILL)
        assert self._status is not None
        return self._status

    def output(self) -> str:
        """All that it has printed."""
        return self._output.read_text()


def _be_katafs(arguments: list[str], output: Path, prepare: Callable[[], None]) -> NoReturn:
    status = 70
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115  # to its end
        prepare()
        try:
            command.main(arguments, prog_name="katafs")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001  # nothing may run the test runner's own code in a child
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)


def _count(crash_at: int, before: bool, told: Path) -> None:
    """From here on count this process's calls."""
    numbers = itertools.count(1)
    lock = threading.RLock()
    report = os.open(told, os.O_WRONLY | os.O_CLOEXEC)
    write = os.write

    def counting(owner: ModuleType, name: str) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def counted(*positional: Any, **named: Any) -> Any:  # noqa: ANN401  # as the original's
            if name in _OPENS and not any(isinstance(word, int) and word & os.O_CREAT for word in positional[1:]):
                return original(*positional, **named)
            with lock:
                last = next(numbers) == crash_at
            if last and before:
                die(name)
            try:
                return original(*positional, **named)
            finally:
                if last:
                    die(name)

        setattr(owner, name, counted)

    def die(name: str) -> None:
        write(report, name.encode())
        os.kill(os.getpid(), signal.SIGKILL)

    for name in _OS_CALLS:
        counting(os, name)
    for name in _SYSCALLS:
        counting(syscalls, name)
    for name in _ALIASES:
        setattr(inodes, name, getattr(syscalls, name))
    for name in ("fcntl", "flock"):
        counting(fcntl, name)
