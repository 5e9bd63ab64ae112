"""Descriptors as a volume gives them; and what a process holds open, read from /proc."""

import os
import resource
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.harness import needs

_FIRST_OWN_FD = 3
"""Below it are the standard streams, and a log may well be a regular file."""


@contextmanager
def held(path: Path) -> Iterator[int]:
    """An O_PATH descriptor of what has the path, of a link itself: all that a volume gives of its top."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def remembered(paths: Iterable[Path]) -> Iterator[None]:
    """The kernel forgets none of these meanwhile, as it otherwise may when another test makes it drop what nobody uses
    (drop_caches)."""
    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(held(path))
        yield


@contextmanager
def allowed(count: int) -> Iterator[None]:
    """The test itself may have so many open, which a login's ordinary limit of 1024 wouldn't let it; a daemon that it
    starts as well."""
    needs.descriptors(count)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def held_files(pid: int) -> set[str]:
    """The descriptors through which the process can read or write a file or list a directory, as `number -> path`.

    O_PATH descriptors can do neither, and how many of those a daemon keeps is its own business."""
    return {
        f"{fd.name} -> {_target(fd)}"
        for fd in Path(f"/proc/{pid}/fd").iterdir()
        if int(fd.name) >= _FIRST_OWN_FD and _is_open_for_content(pid, fd)
    }


def _is_open_for_content(pid: int, fd: Path) -> bool:
    try:
        mode = fd.stat().st_mode
        flags = int(Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
    except FileNotFoundError:
        return False  # closed since it was listed
    return not flags & os.O_PATH and (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _target(fd: Path) -> str:
    try:
        return os.readlink(fd)
    except OSError as error:  # its path may be longer than a link's text can be, or it is closed by now
        return f"({error.strerror})"
