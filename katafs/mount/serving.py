"""What serves a mount, put together: the connection, the operations behind it, and what goes on beside them."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from katafs.config import MountSettings
from katafs.errors import KatafsError
from katafs.fuse import processors
from katafs.fuse.connection import Connection
from katafs.mount.access_log import AccessLog
from katafs.mount.coherence import Coherence
from katafs.mount.control import Control
from katafs.mount.converting import ConvertingOperations
from katafs.mount.operations import Operations
from katafs.mount.parts import Parts
from katafs.mount.shrinker import Shrinker
from katafs.mount.status import Faults, Status
from katafs.mount.watching import noting
from katafs.tree.tree import Tree

if TYPE_CHECKING:
    from katafs.observe.metrics import Metrics

_LAST_NOTICES_S = 10.0
"""So long at most the end waits for what the kernel is being told."""
_LAST_ANSWERS_S = 30.0
"""So long the requests that are being answered get at the end: half of what systemd waits for the daemon."""
_LAST_CALLS_S = 15.0
"""So long, after that, what was begun in other threads: a disk that hangs may never let a sync end."""


class Serving:
    """Owns the device and the tree from now on."""

    def __init__(
        self, tree: Tree, device: int, mount_point: str, settings: MountSettings, ended: Callable[[], None]
    ) -> None:
        """`ended` is called when the kernel has nothing more to ask."""
        self._tree = tree
        self._operations = ConvertingOperations(tree) if tree.converts else Operations(tree)
        control, faults = Control(self._operations), Faults(tree)
        kept_awake = processors.machine() if settings.awake else None
        self._connection = Connection(device, control, faults.errno_of, ended, kept_awake)
        self._operations.parts = self._parts = Parts(tree, self._connection, self._operations.last_opened)
        self._status = Status(tree, self._connection, faults, mount_point, settings)
        self._log = AccessLog(tree, self._connection, control.owns)
        control.show(b"status.json", self._status.open)
        control.show(b"accesslog", self._log.open)
        self._coherence = Coherence(tree, self._connection)
        tree.when_used(self._coherence.used)
        self._shrinker = Shrinker(tree.surplus, self._connection)

    def show(self, metrics: "Metrics") -> None:
        """Let Prometheus have the figures."""
        metrics.show(self._status.now)
        self._connection.methods.watch(noting(metrics.note))

    def start(self) -> None:
        """Begin to answer."""
        self._connection.start()
        self._shrinker.start()

    def is_gone(self) -> bool:
        """Whether the kernel has ended the connection, and with it the mount."""
        return self._connection.device.is_gone()

    def fault(self) -> KatafsError | None:
        """Why nothing was ever served, once that has ended."""
        return self._connection.fault

    def close(self) -> None:
        """Answer what was asked, and end. The tree stays open where a request is at work in it still."""
        self._coherence.close(_LAST_NOTICES_S)  # first: it may wait for requests to be answered
        self._shrinker.close()
        self._parts.stop_asking()
        answered = self._connection.close(_LAST_ANSWERS_S)
        deadline_s = time.monotonic() + _LAST_CALLS_S
        done = self._parts.close(_LAST_CALLS_S)
        done = self._operations.close(max(0.0, deadline_s - time.monotonic())) and done
        # Not before: until here a pool's work has its reply.
        self._connection.refuse_rest()
        self._connection.abandon()
        self._status.close()
        self._log.close()
        if answered and done:  # else a number that is closed here could be another file's by the time it is written to
            self._tree.close()
