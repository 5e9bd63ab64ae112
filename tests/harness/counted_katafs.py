"""katafs that writes down what it is asked: the real command, with a line in a file for each request.

Run as a program it goes on as `katafs` with what follows the file's name.
"""

import functools
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from katafs.cli.main import katafs
from katafs.mount.operations import Operations
from tests.harness.faulty_katafs import ask_always

_KINDS = ("lookup", "getattr", "open", "read", "readlink", "opendir", "readdir")


def counted(requests: Path, *, asks: bool = False) -> tuple[str, ...]:
    """The program, which appends the kind of each request that only looks to the file. `asks`: as on a kernel that
    reads and writes no file itself."""
    requests.touch()
    return (sys.executable, __file__, str(requests), "asks" if asks else "")


def requests_of(requests: Path, call: Callable[[], object]) -> Counter[str]:
    """What a call makes the kernel ask for, by kind. Nobody else may use the mount meanwhile."""
    before = requests.stat().st_size
    call()
    with requests.open() as file:
        file.seek(before)
        return Counter(file.read().split())


def _written_down(descriptor: int, kind: str) -> None:
    original = getattr(Operations, kind)

    @functools.wraps(original)
    def counting(*arguments: Any) -> Any:  # noqa: ANN401  # as the original's
        os.write(descriptor, kind.encode() + b"\n")
        return original(*arguments)

    setattr(Operations, kind, counting)


def _run() -> None:
    descriptor = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_APPEND)
    if sys.argv.pop(1):
        ask_always()
    for kind in _KINDS:
        _written_down(descriptor, kind)
    katafs()


if __name__ == "__main__":
    _run()
