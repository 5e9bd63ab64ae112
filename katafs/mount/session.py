"""One mount from its start to its end: mounted, answering, unmounted from within by a signal or from outside."""

import logging
import os
import signal
from collections.abc import Callable

import pyfuse3
import trio

from katafs.config import MountSettings
from katafs.errors import MountPointUnusable
from katafs.mount import turns
from katafs.mount.operations import Operations
from katafs.tree.tree import Tree

_log = logging.getLogger(__name__)

_ENDING = (signal.SIGTERM, signal.SIGINT)
_MOST_TASKS = 10_000
"""Requests under way at once. A request that waits for the disk or the engine must not keep others from starting."""


def serve(tree: Tree, mount_point: str, settings: MountSettings, ready: Callable[[], None]) -> None:
    """Mount the tree and serve it until SIGTERM, SIGINT or an unmount from outside. `ready` is called once it answers.

    Raises MountPointUnusable where the kernel or libfuse refuses the mount."""
    early: list[int] = []
    # Kept until the loop listens, and ignored once it doesn't: the default would leave a dead mount, or a bad status.
    for number in _ENDING:
        signal.signal(number, lambda received, _: early.append(received))
    try:
        operations = Operations(tree)
        turns.take_over(operations.waits_for_nothing)
        pyfuse3.init(operations, mount_point, _options(settings))
    except RuntimeError as refused:
        raise MountPointUnusable(f"cannot mount on {mount_point}: libfuse said why above") from refused
    try:
        trio.run(_serve, mount_point, ready, early)
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        pyfuse3.close(unmount=True)


def _options(settings: MountSettings) -> set[str]:
    options = {"default_permissions", "nosuid", "nodev", "subtype=katafs", f"fsname={settings.source}"}
    if settings.allow_other:
        options.add("allow_other")
    if settings.read_only:
        options.add("ro")
    return options


async def _serve(mount_point: str, ready: Callable[[], None], early: list[int]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal, early)
        nursery.start_soon(_say_ready, mount_point, ready)
        await pyfuse3.main(max_tasks=_MOST_TASKS)
        nursery.cancel_scope.cancel()
    _log.info("%s: ends", mount_point)


async def _end_on_signal(early: list[int]) -> None:
    with trio.open_signal_receiver(*_ENDING) as signals:
        for number in early:
            signal.raise_signal(number)
        async for received in signals:
            _log.info("%s: unmounts", signal.Signals(received).name)
            pyfuse3.terminate()


async def _say_ready(mount_point: str, ready: Callable[[], None]) -> None:
    """Ask the mount itself, in a thread: only the event loop's own thread must never wait for an answer of its own."""
    await trio.to_thread.run_sync(os.stat, mount_point, abandon_on_cancel=True)
    ready()
