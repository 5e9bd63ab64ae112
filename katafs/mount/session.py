"""One mount from its start to its end: mounted, answering, unmounted from within by a signal or from outside."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator

from katafs.config import MountSettings
from katafs.fuse import mounting
from katafs.fuse.connection import Connection
from katafs.mount.answers import errno_of
from katafs.mount.coherence import Coherence
from katafs.mount.operations import Operations
from katafs.tree.tree import Tree

_log = logging.getLogger(__name__)

_ENDING = (signal.SIGTERM, signal.SIGINT)
_LAST_NOTICES_S = 10.0
"""So long at most the end waits for what the kernel is being told."""
_LAST_ANSWERS_S = 30.0
"""So long the requests that are being answered get at the end: half of what systemd waits for the daemon."""


def serve(tree: Tree, mount_point: str, settings: MountSettings, ready: Callable[[], None]) -> None:
    """Mount the tree and serve it until SIGTERM, SIGINT or an unmount from outside. `ready` is called once it answers.
    The tree is closed at the end, unless a request is at work in it still.

    Raises MountPointUnusable where the kernel or fusermount3 refuses the mount."""
    with _Events() as events:
        operations = Operations(tree)
        device = mounting.mount(mount_point, _options(settings))
        connection = Connection(device, operations, errno_of, events.end)
        coherence = Coherence(tree, connection)
        tree.when_used(coherence.used)
        try:
            connection.start()
            threading.Thread(target=_try, args=(mount_point, events), daemon=True).start()
            _wait(events, ready)
        finally:
            if not connection.device.is_gone():  # else there may be another mount at the path by now
                mounting.unmount(mount_point)
            coherence.close(_LAST_NOTICES_S)  # first: it may wait for requests to be answered
            answered = connection.close(_LAST_ANSWERS_S)
            operations.close()
            if answered:  # else a number that is closed here could be another file's by the time it is written to
                tree.close()
    _log.info("%s: ends", mount_point)


def _options(settings: MountSettings) -> mounting.Options:
    return mounting.Options(settings.source, "katafs", read_only=settings.read_only, allow_other=settings.allow_other)


def _try(mount_point: str, events: "_Events") -> None:
    """Ask the mount itself. In a thread, since nobody may wait for an answer who has to do with giving it."""
    with contextlib.suppress(OSError):
        os.stat(mount_point)
        events.answers()


def _wait(events: "_Events", ready: Callable[[], None]) -> None:
    for event in events:
        if event == _ANSWERS:
            ready()
        elif event == _ENDED:
            return
        else:
            _log.info("%s: unmounts", signal.Signals(event).name)
            return


_ANSWERS, _ENDED = 0, 255
"""Beside signals' numbers."""


class _Events:
    """What the main thread waits for: bytes in a pipe, in the order in which they came. Owns the signals meanwhile.

    Signals are kept from the first moment on, and ignored after the end: the default would leave a dead mount, or a bad
    exit status."""

    def __enter__(self) -> "_Events":
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _ENDING:
            signal.signal(number, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        os.close(self._reader)
        # The writer stays: a thread of the mount may still have something to say that nobody hears.

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from os.read(self._reader, 64)

    def answers(self) -> None:
        """The mount answers."""
        self._say(_ANSWERS)

    def end(self) -> None:
        """The mount has ended."""
        self._say(_ENDED)

    def _say(self, event: int) -> None:
        with contextlib.suppress(OSError):
            os.write(self._writer, bytes([event]))
