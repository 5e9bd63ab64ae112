"""Mounts that aren't katafs, for tests of what it does where one is in its way or below a volume. Needs root."""

import ctypes
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.programs import run

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x00020000


@contextmanager
def bound(source: Path, target: Path, options: str = "rw") -> Iterator[None]:
    """`source` also at `target`."""
    with _mounted(["mount", "--bind", "-o", options, str(source), str(target)], target):
        yield


@contextmanager
def sharing(target: Path) -> Iterator[None]:
    """A directory below which whoever binds it sees what is mounted later, with `bind-propagation=rslave`."""
    with bound(target, target):
        run(["mount", "--make-shared", str(target)])
        yield


@contextmanager
def memory_disk(target: Path) -> Iterator[None]:
    """A new, small file system at `target`. The inodes of one are numbered like those of another."""
    with _mounted(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", str(target)], target):
        yield


def own_mount_table() -> None:
    """Let this process, a child of the test's, mount what it likes: nobody else sees it, and it goes with the process.
    Raises OSError."""
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run(["mount", "--make-rprivate", "/"])


@contextmanager
def _mounted(command: list[str], target: Path) -> Iterator[None]:
    run(command)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True, timeout=60)
