"""Keeps the index in step with the engine: lists once, follows the events, lists again after a gap.

A thread of its own follows; what it learns is in the index, and how the engine is in `fault`. It tells of mounts as it
reads of them. What needs an answer of the engine it leaves to another thread, in the order of the events.
"""

import logging
import math
import threading
import time
from collections.abc import Iterator
from functools import partial

from katafs.errors import KatafsError, NoThread, StoreUnreachable
from katafs.kata_id import VolumeName
from katafs.threads import started
from katafs.volumes.docker_engine import Engine
from katafs.volumes.docker_index import STARTING_S, DataPlace, VolumeIndex, data_place_of
from katafs.volumes.docker_questions import Questions
from katafs.volumes.docker_stream import Event, EventStream
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
        """When the latest list was asked for, by time.monotonic(): inf while one is yet to be."""
        self._unsure = False
        """Whether the one at the beginning of the stream left a container a volume that the engine doesn't say is its
        own: it is being started, or was unmounting it just then and the event is lost."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """List the volumes, then follow. Raises StoreUnreachable and NoThread."""
        self._subscribe()
        self._thread = started(self._run, "docker-events")

    def close(self) -> None:
        """End the threads; one that waits for a hung engine ends with that call or with the process."""
        self._stopping.set()
        self._interrupt()
        if self._thread is not None:
            self._thread.join(_END_S)
        else:
            self._close_stream()

    def look_up(self, name: VolumeName) -> None:
        """Bring the index up to date on one volume. Raises StoreUnreachable."""
        taken = False
        while not taken:
            with self._index.question() as question:
                details = self._engine.inspect(self._prefix.put(name))
                taken = self._index.take(question, name, None if details is None else data_place_of(details))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except (StoreUnreachable, NoThread) as fault:
                self._heal(fault)
            except Exception as bug:  # this thread is all that keeps the index in step  # noqa: BLE001
                _log.exception("a bug while following the Docker Engine", extra={"engine": self._engine.url})
                self._heal(StoreUnreachable(f"following the Docker Engine at {self._engine.url} failed: {bug!r}"))
        self._close_stream()  # by who reads it, however long after `close` that is

    def _close_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _subscribe(self) -> None:
        # From before the listing on: what happens meanwhile is in the events, and looked up once more does no harm.
        began_s = time.time()
        stream = self._engine.volume_events(since_s=began_s)
        with self._lock:
            ended, self._stream = self._stream, stream
            if ended is not None:
                ended.close()
            if self._stopping.is_set():
                stream.interrupt()
        self._take_starting(until_s=began_s)
        self._unsure = self._list()

    def _take_starting(self, until_s: float) -> None:
        """Take what containers have mounted until then: one that is being started isn't listed yet. And what they have
        unmounted, of what is known from a connection before."""
        last = dict[tuple[VolumeName, str], str]()
        for event in self._engine.past_volume_events(until_s - STARTING_S, until_s):
            name = self._prefix.strip(event["Actor"]["ID"])
            if name is not None and event["Action"] in ("mount", "unmount"):
                last[name, _container(event)] = event["Action"]
        for (name, container), action in last.items():
            if action == "mount":
                self._index.mounted(name, container)
            elif self._index.uses(name, container):
                self._unmounted(name, container, self._index.now_s())

    def _list(self) -> bool:
        """Whether containers keep volumes that the engine doesn't say are theirs."""
        self._listed_s = time.monotonic()
        with self._index.question() as question:
            places = self._places()
            users = [(self._prefix.strip(stored), container) for stored, container in self._engine.mounted()]
            return self._index.take_all(question, places, [(name, user) for name, user in users if name is not None])

    def _list_anew(self, questions: Questions) -> None:
        if self._list():
            self._list_again(questions)

    def _list_again(self, questions: Questions) -> None:
        """Have it listed once more when whatever was being started while it was has had its time. What is being started
        then has its events still: else containers that go on coming would have everything listed for ever."""
        questions.put_off(self._list, STARTING_S)

    def _list_places(self) -> None:
        with self._index.question() as question:
            self._index.take_places(question, self._places())

    def _places(self) -> dict[VolumeName, DataPlace]:
        listed = ((self._prefix.strip(details["Name"]), details) for details in self._engine.volumes())
        return {name: data_place_of(details) for name, details in listed if name is not None}

    def _follow(self) -> None:
        questions = Questions(when_failed=self._interrupt)
        if self._unsure:
            questions.put(partial(self._list_again, questions))
        try:
            for event in self._events():
                self._handle(event, questions)
            raise StoreUnreachable(f"the connection to the Docker Engine at {self._engine.url} was closed")
        except StoreUnreachable as fault:
            self.fault = str(fault)  # now, and not when the question under way has come to its end
            raise
        finally:
            questions.end()

    def _interrupt(self) -> None:
        with self._lock:
            if self._stream is not None:
                self._stream.interrupt()

    def _events(self) -> Iterator[Event]:
        with self._engine.faults():
            yield from self._stream or ()

    def _handle(self, event: Event, questions: Questions) -> None:
        action = event["Action"]
        if self._is_late(event):
            self._listed_s = math.inf
            questions.put(partial(self._list_anew, questions))
        elif action == "prune":
            questions.put(self._list_places)  # engines before 23 name no volume that they prune
        name = self._prefix.strip(event["Actor"]["ID"])
        if name is None:
            return
        if action == "create":
            questions.put(partial(self._created, name))
        elif action == "destroy":
            questions.put(partial(self.look_up, name))
        elif action == "mount":
            self._index.mounted(name, _container(event))
        elif action == "unmount":
            questions.put(partial(self._unmounted, name, _container(event), self._index.now_s()))

    def _is_late(self, event: Event) -> bool:
        """Whether events have piled up, by one that is read now, and no list tells what was missed."""
        # The list's age not by the clock of the events, which may be set back: lost ones would go unnoticed so long.
        return time.time() - event["timeNano"] / 1e9 > _LATE_S and time.monotonic() - self._listed_s > _LATE_S

    def _created(self, name: VolumeName) -> None:
        # Not as the event is read: the volume that is known then may be one of which it is being asked if it is gone.
        if self._index.place(name) is None:
            self.look_up(name)

    def _unmounted(self, name: VolumeName, container: str, unmounted_s: float) -> None:
        # `docker cp` unmounts, for itself, what its running container goes on using.
        if not self._engine.runs(container):
            self._index.unmounted(name, container, before_s=unmounted_s)

    def _heal(self, fault: KatafsError) -> None:
        if self._stopping.is_set():
            return
        self.fault = str(fault)
        _log.warning("lost the engine; known volumes stay, none can be made or removed", extra={"error": str(fault)})
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.wait(pause_s):
            try:
                self._engine.connect()
                self._subscribe()
            except Exception as again:  # as in _run  # noqa: BLE001
                if not isinstance(again, StoreUnreachable):
                    _log.exception("a bug while reaching the Docker Engine", extra={"engine": self._engine.url})
                self.fault = str(again) or repr(again)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self.fault = None
                _log.info("the engine answers again", extra={"engine": self._engine.url})
                return


def _container(event: Event) -> str:
    container: str = event["Actor"]["Attributes"]["container"]
    return container
