"""The locks of katas' and avatars' directories: one at a time, also between processes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from katafs.errors import AvatarBusy
from katafs.rooted import files

PATIENCE_S = 30
"""So long somebody's lock is waited for: to store a run takes less than a second, and a container that has a directory
may hold its lock for ever."""


@contextmanager
def alone(avatar: int, whose: str) -> Iterator[None]:
    """Hold the lock of an avatar's directory: one run at a time. Raises AvatarBusy."""
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(avatar, within_s=PATIENCE_S))
        except BlockingIOError:
            raise AvatarBusy(f"{whose} is locked by another test run or a container, for {PATIENCE_S} s now") from None
        yield
