"""An engine in this process: its volumes are directories, its containers whoever a test says has mounted one.

So a test is a container's program itself, and decides when the engine answers. Real HTTP at a socket.
"""

import itertools
import queue
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.contract.stand_in import StandIn
from tests.harness.waiting import until

_containers = itertools.count(1)

Event = dict[str, Any]


class DirectoryEngine(StandIn):
    """Makes and removes volumes below `<directory>/volumes`, and tells its followers what happens to them."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "sock")
        self.path = directory / "volumes"
        self.path.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        """Covers all below."""
        self._mounted: dict[str, str] = {}
        """By container the volume that it has."""
        self._followers: list[queue.Queue[Event | None]] = []
        self._labels: dict[str, Any] = {}
        self._free = threading.Event()
        """Set while calls are answered."""
        self._free.set()
        self._before_asked: list[tuple[str, float]] = []
        """Volumes that a container will have mounted so many seconds before somebody asks."""
        self.waiting = 0
        """How many calls wait to be answered."""

    @property
    def env(self) -> Mapping[str, str]:
        """What the daemon must find in its environment."""
        return {"DOCKER_HOST": self.url}

    def __exit__(self, *problem: object) -> None:
        self.ending.set()
        self._free.set()
        self.break_off()
        super().__exit__(*problem)

    # What a test does

    def make(self, volume: str) -> Path:
        """A volume that somebody else makes; its directory."""
        (self.path / volume).mkdir()
        self._tell("create", volume, {})
        return self.path / volume

    def mount(self, volume: str) -> str:
        """A container mounts the volume; the container."""
        container = f"{next(_containers):064x}"
        with self._lock:
            self._mounted[container] = volume
        self._tell("mount", volume, {"container": container})
        return container

    def begin_to_mount(self, volume: str, seconds_ago: float) -> None:
        """A container has mounted the volume so long ago, and doesn't run yet."""
        self._tell("mount", volume, {"container": f"{next(_containers):064x}"}, seconds_ago)

    def have_begun_to_mount(self, volume: str, seconds: float) -> None:
        """The same, so long before somebody asks what has happened, however late that is."""
        with self._lock:
            self._before_asked.append((volume, seconds))

    def unmount(self, container: str) -> None:
        """The container ends."""
        with self._lock:
            volume = self._mounted.pop(container)
        self._tell("unmount", volume, {"container": container})

    def break_off(self) -> None:
        """End the connection of everybody who follows; they may come again."""
        with self._lock:
            followers, self._followers = self._followers, []
        for follower in followers:
            follower.put(None)

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Nobody follows, and who tries to waits until the block ends: what happens in it is never told."""
        with self.slow():
            self.break_off()
            yield

    @contextmanager
    def slow(self) -> Iterator[None]:
        """No call that comes in the block is answered before its end."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()
            until(lambda: self.waiting == 0, "the calls to be answered")

    # What it answers

    def happened(self, since_s: float, until_s: float) -> list[Event]:
        """As in StandIn."""
        self._wait()
        with self._lock:
            begun, self._before_asked = self._before_asked, []
        for volume, seconds in begun:
            self.begin_to_mount(volume, seconds_ago=seconds)
        with self._lock:
            return super().happened(since_s, until_s)

    def happening(self, since_s: float) -> Iterator[Event]:
        """As in StandIn."""
        self._wait()
        events: queue.Queue[Event | None] = queue.Queue()
        with self._lock:
            for earlier in self.past:
                if earlier["timeNano"] >= since_s * 1e9:
                    events.put(earlier)
            self._followers.append(events)
        if self.ending.is_set():
            return
        while (event := events.get()) is not None:
            yield event

    def _tell(self, action: str, volume: str, attributes: dict[str, str], seconds_ago: float = 0) -> None:
        actor = {"ID": volume, "Attributes": {"driver": "local", **attributes}}
        happened_ns = time.time_ns() - int(seconds_ago * 1e9)
        event = {"Type": "volume", "Action": action, "timeNano": happened_ns, "Actor": actor}
        with self._lock:
            self.past.append(event)
            for follower in self._followers:
                follower.put(event)

    def answer(self, path: str) -> Any:  # noqa: ANN401  # any JSON
        """As in StandIn."""
        self._wait()
        *_, kind, name = path.rpartition("/volumes/")
        if kind and name:
            return self._details(name) if (self.path / name).is_dir() else None
        if path.endswith("/volumes"):
            return {"Volumes": [self._details(each.name) for each in self.path.iterdir()]}
        if path.endswith("/containers/json"):
            return [_container(*each) for each in list(self._mounted.items())]
        if "/containers/" in path:
            container = path.split("/")[-2]
            return {"State": {"Running": True}} if container in self._mounted else None
        return super().answer(path)

    def _details(self, volume: str) -> dict[str, Any]:
        labels = self._labels.get(volume)
        return {"Name": volume, "Driver": "local", "Mountpoint": str(self.path / volume), "Labels": labels}

    def change(self, method: str, path: str, details: Any) -> tuple[int, Any]:  # noqa: ANN401  # any JSON
        """As in StandIn."""
        self._wait()
        if method == "DELETE":
            volume = path.rpartition("/")[2]
            if volume in self._mounted.values():
                return 409, {"message": "volume is in use"}
            shutil.rmtree(self.path / volume)
            self._tell("destroy", volume, {})
            return 200, {}
        volume = details["Name"]
        if not (self.path / volume).exists():
            self._labels[volume] = details["Labels"]
            self.make(volume)
        return 201, self._details(volume)

    def _wait(self) -> None:
        if self._free.is_set():
            return
        with self._lock:
            self.waiting += 1
        self._free.wait()
        with self._lock:
            self.waiting -= 1


def _container(container: str, volume: str) -> dict[str, Any]:
    return {"Id": container, "Mounts": [{"Type": "volume", "Name": volume}]}
