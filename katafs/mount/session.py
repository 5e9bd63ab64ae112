"""One mount from its start to its end: mounted, answering, unmounted from within by a signal or from outside."""

import contextlib
import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from katafs.config import MountSettings
from katafs.errors import KatafsError, NoThread
from katafs.fuse import mounting
from katafs.mount.mount_point import OwnMount
from katafs.mount.question import Question
from katafs.mount.serving import Serving
from katafs.mount.watchdog import Watchdog
from katafs.observe import systemd
from katafs.threads import insisting, started
from katafs.tree.tree import Tree

if TYPE_CHECKING:
    from katafs.observe.metrics import Metrics

_log = logging.getLogger(__name__)

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""But not SIGHUP where it was ignored before: by nohup(1), or for want of a terminal."""

_YOUNG_OBJECTS = 10_000
"""So many new ones that may refer to others let the garbage collector look at them; Python's own number is 700."""


def serve(tree: Tree, mount_point: str, settings: MountSettings, ready: Callable[[], None]) -> None:
    """Mount the tree and serve it until a signal of `_ENDING` or an unmount from outside. `ready` is called once it
    answers. The tree is closed at the end, unless a request is at work in it still.

    Raises MountPointUnusable where the kernel or fusermount3 refuses the mount, NoThread where there are too few
    threads, KatafsError where the port for the metrics is taken, where the kernel is too old, or ends the connection
    and not the mount, where requests can't be read, or where the mount can't be taken away.
    """
    _collect_seldom()
    with _Events() as events, _metrics(settings.metrics) as metrics, contextlib.ExitStack() as ending:
        device = mounting.mount(mount_point, _options(settings))
        try:
            serving = Serving(tree, device, mount_point, settings, events.end)
            mount = OwnMount(mount_point)
            if metrics is not None:
                serving.show(metrics)
        except BaseException:
            mounting.unmount(mount_point)  # which nobody will ever answer for
            raise
        try:
            serving.start()
            started(lambda: _try(mount, serving, events), "katafs-question")
            asked_to = _wait(events, lambda: _begin(ready, ending, mount))
        finally:
            is_gone = serving.is_gone()
            tried = is_gone or _unmount(mount)
            serving.close()
            # When the threads have ended there is room for a process, and memory.
            if not (tried or _unmount(mount)):
                raise KatafsError(f"{mount_point}: is left there, dead: there is no memory or process")
    _log.debug("at most %d inodes were remembered at a time", tree.surplus.most, extra={"path": mount_point})
    _log.info("ends", extra={"path": mount_point})
    if (fault := serving.fault()) is not None:
        raise fault
    if is_gone and mount.is_there():  # an unmount takes it away first; `umount -f` a moment later
        raise KatafsError(f"{mount_point}: the kernel has ended the connection, by an abort or a time limit")
    if not (is_gone or asked_to):
        raise KatafsError(f"{mount_point}: no more requests could be read")


def _collect_seldom() -> None:
    """Let the collector look for garbage more rarely, and never among what is there by now. Requests leave none that
    refers to itself, while a walk makes a node of each file: the collector took a seventh of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


@contextlib.contextmanager
def _metrics(port: int | None) -> Iterator["Metrics | None"]:
    if port is None:
        yield None
        return
    from katafs.observe.metrics import Metrics  # as its module says

    with contextlib.closing(Metrics(port)) as metrics:
        yield metrics


def _options(settings: MountSettings) -> mounting.Options:
    return mounting.Options(
        settings.source,
        "katafs",
        read_only=settings.read_only,
        noexec=settings.noexec,
        allow_other=settings.allow_other,
    )


def _try(mount: OwnMount, serving: Serving, events: "_Events") -> None:
    """Ask the mount itself, and say when it answers."""
    try:
        with contextlib.closing(Question(mount.path)) as question:
            refusal = insisting(question.refusal)
    except BlockingIOError as problem:  # EAGAIN of fork(2): who waits for the mount would do so for ever
        events.fail(NoThread(f"no process can be had to ask the mount whether it answers: {problem.strerror}"))
        return
    except OSError as problem:
        refusal = str(problem)
    if refusal is None:
        events.answers()
    elif mount.is_there() and not (serving.is_gone() or serving.fault()):  # else it has ended meanwhile
        _log.error("the mount doesn't answer", extra={"path": mount.path, "error": refusal})


def _unmount(mount: OwnMount) -> bool:
    """Whether that could be tried: fusermount3 is a process, of which there may be too many, and to look whose mount it
    is takes memory."""
    try:
        if mount.is_there():  # else there may be another mount at the path by now
            mounting.unmount(mount.path)
    except (BlockingIOError, MemoryError):
        return False
    return True


def _begin(ready: Callable[[], None], ending: contextlib.ExitStack, mount: OwnMount) -> None:
    ready()
    wanted_s = systemd.watchdog_s()
    if wanted_s is not None:
        watchdog = Watchdog(mount, wanted_s / 2)
        ending.callback(watchdog.close)
        watchdog.start()


def _wait(events: "_Events", ready: Callable[[], None]) -> bool:
    """Whether a signal has ended it."""
    for event in events:
        if event == _ANSWERS:
            ready()
        elif event == _ENDED:
            if events.fault is not None:
                raise events.fault
            return False
        else:
            _log.info("unmounts", extra={"signal": signal.Signals(event).name})
            return True
    return False


_ANSWERS, _ENDED = 0, 255
"""Beside signals' numbers."""


class _Events:
    """What the main thread waits for: bytes in a pipe, in the order in which they came. Owns the signals meanwhile.

    Signals are kept from the first moment on, and ignored after the end: the default would leave a dead mount, or a bad
    exit status."""

    fault: KatafsError | None = None
    """Why the mount can't be served."""

    def __enter__(self) -> "_Events":
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _ENDING:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
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

    def fail(self, fault: KatafsError) -> None:
        """The mount can't be served."""
        self.fault = fault
        self.end()

    def end(self) -> None:
        """The mount has ended."""
        self._say(_ENDED)

    def _say(self, event: int) -> None:
        with contextlib.suppress(OSError):
            os.write(self._writer, bytes([event]))
