"""katafs in a system that has few threads: the real command, which can have as many as its first argument says, and
another program only where it has one less."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from katafs.cli.main import katafs


def with_threads(most: int) -> Sequence[str]:
    """How it is run."""
    return (sys.executable, __file__, str(most))


def _allow(most: int) -> None:
    start, spawn = threading.Thread.start, os.posix_spawnp
    execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]  # noqa: SLF001  where it forks

    def limited(thread: threading.Thread) -> None:
        if threading.active_count() >= most:
            raise RuntimeError("can't start new thread")
        start(thread)

    def checked() -> None:
        if threading.active_count() >= most:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def executed(*arguments: object) -> None:
        checked()
        execute(*arguments)

    def spawned(*arguments: object, **options: object) -> int:
        checked()
        return spawn(*arguments, **options)  # type: ignore[arg-type]  # as it was called

    os.posix_spawnp = spawned
    subprocess.Popen._execute_child = executed  # type: ignore[attr-defined]  # noqa: SLF001  as above
    threading.Thread.start = limited  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    _allow(int(sys.argv.pop(1)))
    katafs(prog_name="katafs")
