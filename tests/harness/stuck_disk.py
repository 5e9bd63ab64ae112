"""A volume's disk that gets stuck when a test wants it to: a directory seen through a second katafs, every request to
which then waits. Needs root, to bind it to where a store has its volume.

Run as a program it is that second katafs; device-mapper, which could suspend a real disk, isn't in every kernel.
"""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from katafs.cli.main import katafs
from katafs.mount.operations import Operations
from tests.harness.faulty_katafs import ask_always
from tests.harness.mounts import mounting
from tests.harness.other_mounts import bound
from tests.harness.waiting import until

_KATA = "DDDDDDDDDD"
"""What is bound is a kata of the second katafs."""
_NEVER_WAITING = ("forget", "release", "releasedir", "close")
_STUCK_S = 240


class StuckDisk:
    """The disk, which works at first."""

    def __init__(self, control: Path) -> None:
        self._stuck, self._slow, self._waiting = (control / name for name in ("stuck", "slow", "waiting"))
        self._waiting.touch()

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """No request is answered that comes in the block, until its end."""
        self._waiting.write_text("")
        self._stuck.touch()
        try:
            yield
        finally:
            self._stuck.unlink()

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Each request that comes in the block takes so long at least."""
        self._slow.symlink_to(str(seconds))  # which is there at once
        try:
            yield
        finally:
            self._slow.unlink()

    @property
    def waiting(self) -> list[str]:
        """The kinds of requests that have come in the block."""
        return self._waiting.read_text().split()


@contextmanager
def stuck_disk(directory: Path, volume: Path) -> Iterator[StuckDisk]:
    """Such a disk in the place of a volume's directory, which is to be made. Afterwards it is free, and gone."""
    directory.mkdir()
    with mounting(directory) as mount:
        mounted = mount("--tags", "off", "-o", "timeout=0", program=(sys.executable, __file__, str(directory)))
        (mounted.path / _KATA).mkdir()
        volume.mkdir()
        disk = StuckDisk(directory)
        with bound(mounted.path / _KATA, volume):
            yield disk


def _sticking(control: Path, kind: str) -> None:
    original: Callable[..., Any] = getattr(Operations, kind)

    @functools.wraps(original)
    def waiting(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # as the original's
        if (control / "stuck").exists():
            with (control / "waiting").open("a") as file:
                file.write(f"{kind}\n")
            until(lambda: not (control / "stuck").exists(), "the disk to be free", _STUCK_S)
        with suppress(FileNotFoundError):
            time.sleep(float(os.readlink(control / "slow")))
        return original(*arguments, **named)

    setattr(Operations, kind, waiting)


def _run() -> None:
    control = Path(sys.argv.pop(1))
    for kind, method in list(vars(Operations).items()):
        if callable(method) and not kind.startswith("_") and kind not in _NEVER_WAITING:
            _sticking(control, kind)
    ask_always()
    katafs()


if __name__ == "__main__":
    _run()
