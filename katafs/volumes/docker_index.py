"""What is known of each of the engine's volumes: where its data is, and which containers have it mounted.

Several threads ask the engine at the same time, and answers may arrive in another order than they were given. So each
question is announced before it is asked, and an answer that another one overtook is thrown away, to be asked for again.
"""

import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from katafs.kata_id import VolumeName
from katafs.volumes.catalog import Catalog
from katafs.volumes.docker_engine import Details
from katafs.volumes.store import Used

_HARMLESS_OPTIONS = frozenset({"size"})
"""Driver options that leave the data where the engine keeps it: a size is only a quota."""

STARTING_S = 10
"""So long at most a container is being started: it has mounted its volumes, and isn't among those that run yet."""

_BINDS = frozenset({"bind", "rbind"})
_BIND_TYPES = frozenset({"none", "bind"})
"""mount(2) ignores it."""
_HARMLESS_BIND_OPTIONS = _BINDS | {"rw", "defaults"}


@dataclass(frozen=True, slots=True)
class DataPlace:
    """Where a volume's data is on this host, or why it isn't here. There is one for each volume, so it is small."""

    path: str | None
    refusal: str | None = None
    is_device: bool = False
    """Whether an operator chose the path, which then is mounted by the engine whenever a container needs it."""

    @property
    def home(self) -> str | None:
        """The engine's own directory of volumes, in which this one's is `NAME/_data`; None for one that isn't there."""
        return None if self.path is None or self.is_device else os.path.dirname(os.path.dirname(self.path))


def data_place_of(details: Details) -> DataPlace:
    """Read off a volume's driver and options where its data is."""
    driver, options = details["Driver"], details.get("Options") or {}
    if driver != "local":
        return DataPlace(None, f"its data is not on this host, since its driver is {driver!r}")
    if set(options) <= _HARMLESS_OPTIONS:
        return DataPlace(details["Mountpoint"])
    flags = set(str(options.get("o", "")).split(","))
    device = str(options.get("device", ""))
    if (
        options.get("type") in _BIND_TYPES
        and flags & _BINDS
        and flags <= _HARMLESS_BIND_OPTIONS
        and os.path.isabs(device)
    ):
        return DataPlace(device, is_device=True)
    told = ", ".join(f"{key}={value}" for key, value in sorted(options.items()))
    return DataPlace(None, f"its data is not on this host until a container mounts it, since its options are {told}")


@dataclass(eq=False)
class Question:
    """Something that the engine is being asked."""

    asked_s: float
    """By the index's clock."""
    overtaken: set[VolumeName] = field(default_factory=set)
    """The volumes of which another answer was taken since the question was announced."""
    overtaken_by_list: bool = False
    """Whether since then an answer about every volume was taken."""


class VolumeIndex:
    """The volumes as far as known. Safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self.catalog = Catalog()
        self._clock = clock
        self._lock = threading.Lock()
        """Covers all below, and that the catalog has the names of the places."""
        self._places: dict[VolumeName, DataPlace] = {}
        self._users: dict[VolumeName, dict[str, float]] = {}
        """The containers that have a volume mounted, and when they did by the clock: -inf where it isn't known."""
        self._questions: set[Question] = set()
        self._when_used: list[Used] = []
        self._untold: set[VolumeName] = set()
        """What has come into use, and nobody could be told of, for want of a thread, say: told with the next list."""

    def place(self, name: VolumeName) -> DataPlace | None:
        """Where the volume is, or None for one that isn't known."""
        return self._places.get(name)

    def directories(self) -> set[str]:
        """The engine's own directory of volumes: one for all of them, so the first tells it. Empty while none does."""
        with self._lock:
            return set(itertools.islice(filter(None, (place.home for place in self._places.values())), 1))

    def in_use(self, name: VolumeName) -> bool:
        """Whether a container has the volume mounted."""
        return name in self._users

    def uses(self, name: VolumeName, container: str) -> bool:
        """Whether this container has it mounted, as far as is known."""
        return container in self._users.get(name, ())

    @contextmanager
    def question(self) -> Iterator[Question]:
        """Announce a question, until its answer has been taken."""
        question = Question(self._clock())
        with self._lock:
            self._questions.add(question)
        try:
            yield question
        finally:
            with self._lock:
                self._questions.discard(question)

    def take(self, question: Question, name: VolumeName, place: DataPlace | None) -> bool:
        """Take an answer about one volume, None where it doesn't exist. False where it was overtaken: ask again."""
        with self._lock:
            if name in question.overtaken or question.overtaken_by_list:
                return False
            self._set(name, place)
            for other in self._questions - {question}:
                other.overtaken.add(name)
            return True

    def take_all(
        self, question: Question, places: Mapping[VolumeName, DataPlace], users: Collection[tuple[VolumeName, str]]
    ) -> bool:
        """Take an answer about every volume, and which running containers have it; those that were overtaken stay as
        they are. A container that has mounted a volume just now may be starting still, and keeps it until it unmounts
        it or a later answer doesn't have it. Whether there is one that the answer doesn't have."""
        with self._lock:
            self._take_places(question, places)
            after = self._starting(question)
            kept = {(name, container) for name, containers in after.items() for container in containers}
            for name, container in users:
                after.setdefault(name, {}).setdefault(container, -math.inf)
            # In one step: it is looked at without the lock.
            before, self._users = self._users, after
            new = (after.keys() - before.keys()) | (self._untold & after.keys())
        self._tell_used(new)
        return not kept <= set(users)

    def take_places(self, question: Question, places: Mapping[VolumeName, DataPlace]) -> None:
        """The same of the volumes alone: who uses them is as it was."""
        with self._lock:
            self._take_places(question, places)

    def _take_places(self, question: Question, places: Mapping[VolumeName, DataPlace]) -> None:
        for name in (set(self._places) | set(places)) - question.overtaken:
            self._set(name, places.get(name))
        for other in self._questions - {question}:
            other.overtaken_by_list = True

    def _starting(self, question: Question) -> dict[VolumeName, dict[str, float]]:
        """The users that an answer to the question may not have."""
        starting: dict[VolumeName, dict[str, float]] = {}
        for name, containers in self._users.items():
            for container, mounted_s in containers.items():
                if mounted_s >= question.asked_s - STARTING_S:
                    starting.setdefault(name, {})[container] = mounted_s
        return starting

    def mounted(self, name: VolumeName, container: str) -> None:
        """A container has mounted the volume, just now."""
        with self._lock:
            new = () if name in self._users else (name,)
            self._users.setdefault(name, {})[container] = self._clock()
        self._tell_used(new)

    def when_used(self, call: Used) -> None:
        """From now on make this call when a container has mounted a volume that none had."""
        self._when_used.append(call)

    def _tell_used(self, names: Iterable[VolumeName]) -> None:
        names = list(names)
        self._untold.update(names)
        for name in names:
            for call in self._when_used:
                call(name)
            self._untold.discard(name)

    def now_s(self) -> float:
        """The time by the index's clock, for `unmounted`."""
        return self._clock()

    def unmounted(self, name: VolumeName, container: str, before_s: float = math.inf) -> None:
        """A container has unmounted what it had mounted of the volume until then, by the index's clock. What it has
        mounted since it keeps: that an unmount counts may be known only when the container has started again."""
        with self._lock:
            containers = self._users.get(name, {})
            if container in containers and containers[container] <= before_s:
                del containers[container]
            if not containers:
                self._users.pop(name, None)

    def _set(self, name: VolumeName, place: DataPlace | None) -> None:
        if place is None:
            self._places.pop(name, None)
            self.catalog.discard(name)
        else:
            known = name in self._places
            self._places[name] = place
            if not known:
                self.catalog.add(name)
