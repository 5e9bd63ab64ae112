"""Keeps the index in step with the engine: lists once, follows the events, lists again after a gap.

A thread of its own follows; what it learns is in the index, and how the engine is in `fault`.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from katafs.errors import StoreUnreachable
from katafs.kata_id import VolumeName
from katafs.volumes.docker_engine import Engine
from katafs.volumes.docker_index import STARTING_S, Place, VolumeIndex, place_of
from katafs.volumes.docker_stream import EventStream
from katafs.volumes.names import Prefix

_log = logging.getLogger("katafs.volumes.docker")

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
"""Between two tries to reach a lost engine."""

_LATE_S = 2.0
"""An event older than this means that events have piled up: then the engine drops some without a word."""

_END_S = 2.0


class Follower:
    """The thread that follows the engine."""

    def __init__(self, engine: Engine, index: VolumeIndex, prefix: Prefix) -> None:
        self._engine = engine
        self._index = index
        self._prefix = prefix
        self.fault: str | None = None
        """Why the engine can't be asked now, or None."""
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        """Covers that no stream is begun once it is to stop."""
        self._stream: EventStream | None = None
        self._listed_s = 0.0
        self._unsure = False
        """Whether that left a container a volume that it was perhaps unmounting just then: the event may be lost."""
        self._thread = threading.Thread(target=self._run, name="docker-events", daemon=True)

    def start(self) -> None:
        """List the volumes, then follow. Raises StoreUnreachable."""
        self._subscribe()
        self._thread.start()

    def close(self) -> None:
        """End the thread; one that waits for a hung engine ends with that call or with the process."""
        with self._lock:
            self._stopping.set()
            if self._stream is not None:
                self._stream.interrupt()
        if self._thread.is_alive():
            self._thread.join(_END_S)
        if self._stream is not None and not self._thread.is_alive():
            self._stream.close()

    def look_up(self, name: VolumeName) -> None:
        """Bring the index up to date on one volume. Raises StoreUnreachable."""
        taken = False
        while not taken:
            with self._index.question() as question:
                details = self._engine.inspect(self._prefix.put(name))
                taken = self._index.take(question, name, None if details is None else place_of(details))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except StoreUnreachable as fault:
                self._heal(fault)
            except Exception as bug:  # this thread is all that keeps the index in step  # noqa: BLE001
                _log.exception("a bug while following the Docker Engine", extra={"engine": self._engine.url})
                self._heal(StoreUnreachable(f"following the Docker Engine at {self._engine.url} failed: {bug!r}"))

    def _subscribe(self) -> None:
        # From before the listing on: what happens meanwhile is in the events, and looked up once more does no harm.
        # From so long before that the mounts of the containers that are being started are among them.
        stream = self._engine.volume_events(since_s=int(time.time()) - STARTING_S)
        with self._lock:
            ended, self._stream = self._stream, stream
            if ended is not None:
                ended.close()
            if self._stopping.is_set():
                stream.interrupt()
        self._unsure = self._list()

    def _list(self) -> bool:
        """Whether containers keep volumes that the engine doesn't say are theirs."""
        with self._index.question() as question:
            places = self._places()
            users = [(self._prefix.strip(stored), container) for stored, container in self._engine.mounted()]
            kept = self._index.take_all(question, places, [(name, user) for name, user in users if name is not None])
        self._listed_s = time.time()
        return kept

    def _list_places(self) -> None:
        with self._index.question() as question:
            self._index.take_places(question, self._places())

    def _places(self) -> dict[VolumeName, Place]:
        listed = ((self._prefix.strip(details["Name"]), details) for details in self._engine.volumes())
        return {name: place_of(details) for name, details in listed if name is not None}

    def _follow(self) -> None:
        for event in self._events():
            self._handle(event)
        raise StoreUnreachable(f"the connection to the Docker Engine at {self._engine.url} was closed")

    def _events(self) -> Iterator[Mapping[str, Any]]:
        with self._engine.faults():
            yield from self._stream or ()

    def _handle(self, event: Mapping[str, Any]) -> None:
        happened_s = event["timeNano"] / 1e9
        late = time.time() - happened_s > _LATE_S and time.time() - self._listed_s > _LATE_S
        started = time.time() - self._listed_s > STARTING_S
        action, actor = event["Action"], event["Actor"]
        name = self._prefix.strip(actor["ID"])
        if late or (self._unsure and started):
            kept = self._list()
            self._unsure = kept and late  # else containers that go on coming would have everything listed for ever
        elif action == "prune":
            self._list_places()  # engines before 23 name no volume that they prune
        if name is None:
            return
        if action == "destroy" or (action == "create" and self._index.place(name) is None):
            self.look_up(name)
        elif action == "mount":
            self._index.mounted(name, actor["Attributes"]["container"])
        elif action == "unmount" and not self._engine.runs(actor["Attributes"]["container"]):
            # `docker cp` unmounts, for itself, what its running container goes on using.
            self._index.unmounted(name, actor["Attributes"]["container"])

    def _heal(self, fault: StoreUnreachable) -> None:
        if self._stopping.is_set():
            return
        self.fault = str(fault)
        _log.warning("lost the engine; known volumes stay, none can be made or removed", extra={"error": str(fault)})
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.wait(pause_s):
            try:
                self._engine.connect()
                self._subscribe()
            except StoreUnreachable as again:
                self.fault = str(again)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self.fault = None
                _log.info("the engine answers again", extra={"engine": self._engine.url})
                return
