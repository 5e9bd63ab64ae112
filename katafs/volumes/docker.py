"""Volumes that a Docker Engine keeps on this host.

What exists is answered from an index that follows the engine, so that only `create` and `remove` ever wait for it.
Importing this takes a third of a second: only whoever uses the engine should.
"""

import errno
import os
import time
import uuid

from katafs.errors import StoreUnreachable, VolumeRefused
from katafs.kata_id import ROOT_VOLUME, VolumeName
from katafs.rooted import names
from katafs.volumes.catalog import Catalog
from katafs.volumes.disks import Disk, Disks
from katafs.volumes.docker_engine import Engine
from katafs.volumes.docker_events import Follower
from katafs.volumes.docker_index import DataPlace, VolumeIndex, data_place_of
from katafs.volumes.names import Prefix
from katafs.volumes.store import Used

MADE_BY_LABEL = "katafs.made-by"
TOKEN_LABEL = "katafs.token"
"""A value that no other call of `create` has. The engine's create is idempotent and gives back a volume that exists
already as if it were new: only the token tells who made it, and so makes `create` atomic between processes."""

_LOOKS = 5
_BETWEEN_LOOKS_S = 0.001
"""The engine removes the data's directory, and right after that the one that it is in."""

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class DockerStore:
    """A store in an engine. While that is lost, what was known stays open to reading and writing."""

    def __init__(self, prefix: str = "", base_url: str | None = None) -> None:
        """`base_url` as in DOCKER_HOST, which is what counts without it.

        Raises StoreUnreachable where the engine is down, not permitted or too old."""
        self._prefix = Prefix(prefix)
        self._engine = Engine(base_url)
        self._index = VolumeIndex()
        self._disks = Disks()
        self._follower = Follower(self._engine, self._index, self._prefix)
        try:
            self._engine.connect()
            self._follower.start()
        except StoreUnreachable:
            self.close()
            raise

    @property
    def url(self) -> str:
        """As in the protocol."""
        return "docker"

    def fault(self) -> str | None:
        """As in the protocol. The engine may answer while the disk that its volumes are on isn't there."""
        return self._follower.fault or self._hidden()

    def catalog(self) -> Catalog:
        """As in the protocol."""
        return self._index.catalog

    def exists(self, name: VolumeName) -> bool:
        """As in the protocol."""
        if self._index.place(name) is not None:
            return True
        fault = self._follower.fault
        if fault is not None:
            raise StoreUnreachable(fault)
        return False

    def open(self, name: VolumeName) -> int:
        """As in the protocol."""
        place = self._index.place(name) if self.exists(name) else None
        if place is None:
            raise self._missing(name)
        return self._opened(name, place)

    def disk_of(self, name: VolumeName) -> Disk | None:
        """As in the protocol."""
        home, place = self._index.place(ROOT_VOLUME), self._index.place(name)
        if home is None or home.path is None or place is None or place.path is None:
            return None
        return self._disks.other_than(home.path, place.path)

    def look_up(self, name: VolumeName) -> None:
        """As in the protocol."""
        self._follower.look_up(name)

    def location(self, name: VolumeName) -> str:
        """As in the protocol."""
        return f"type=volume,source={self._prefix.put(name)}"

    def directories(self) -> set[str]:
        """As in the protocol."""
        return self._index.directories()

    def create(self, name: VolumeName) -> None:
        """As in the protocol."""
        stored, token = self._prefix.put(name), uuid.uuid4().hex
        with self._index.question() as question:
            details = self._engine.create(stored, {MADE_BY_LABEL: "katafs", TOKEN_LABEL: token})
            taken = self._index.take(question, name, data_place_of(details))
        if not taken:
            self._follower.look_up(name)
        if (details.get("Labels") or {}).get(TOKEN_LABEL) != token:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), stored)

    def remove(self, name: VolumeName) -> None:
        """As in the protocol. What is written between the look into the volume and its removal can only come from
        outside of any container, since the engine refuses to remove what a container has."""
        self._follower.look_up(name)
        self._check_empty(name)
        try:
            with self._index.question() as question:
                self._engine.remove(self._prefix.put(name))
                taken = self._index.take(question, name, None)
        except FileNotFoundError:
            self._follower.look_up(name)
            raise
        if not taken:
            self._follower.look_up(name)

    def in_use(self, name: VolumeName) -> bool:
        """As in the protocol."""
        return self._index.in_use(name)

    def when_used(self, call: Used) -> None:
        """As in the protocol."""
        self._index.when_used(call)

    def close(self) -> None:
        """As in the protocol."""
        self._follower.close()
        self._engine.close()
        self._disks.close()

    def _opened(self, name: VolumeName, place: DataPlace) -> int:
        if place.path is None:
            raise self._refused(name, place.refusal)
        try:
            # A device is what the engine will mount, links and all; the engine's own directories never are links.
            return os.open(place.path, _DIRECTORY | (0 if place.is_device else os.O_NOFOLLOW))
        except NotADirectoryError:
            raise self._refused(name, f"{place.path} is not a directory") from None
        except FileNotFoundError:
            if place.is_device:
                raise self._refused(name, f"its device {place.path} is not there") from None
            self._refuse_hidden(name, place.path)
            raise self._missing(name) from None

    def _refuse_hidden(self, name: VolumeName, path: str) -> None:
        """Raise where a directory is missing and no engine has removed the volume: what only can't be read mustn't look
        as if it were gone, or a backup deletes its copy."""
        own = os.path.dirname(path)
        home = os.path.dirname(own) if name == ROOT_VOLUME else self._home()
        if home is not None and not os.path.isdir(home):
            raise StoreUnreachable(_not_here(home))
        for _ in range(_LOOKS):
            if os.path.isdir(path) or not os.path.isdir(own):
                return  # it was removed, and may be made anew by now
            time.sleep(_BETWEEN_LOOKS_S)
        raise self._refused(name, f"its directory {path} is not there")

    def _hidden(self) -> str | None:
        home = self._home()
        return None if home is None or os.path.isdir(home) else _not_here(home)

    def _home(self) -> str | None:
        """A directory that is there for as long as the volumes are: the root volume's, or the one that they are in."""
        root = self._index.place(ROOT_VOLUME)
        if root is not None and root.home is not None:
            return root.path
        return next(iter(self.directories()), None)

    def _check_empty(self, name: VolumeName) -> None:
        top = self.open(name)
        try:
            if not names.is_empty(top):
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), self._prefix.put(name))
        finally:
            os.close(top)

    def _missing(self, name: VolumeName) -> FileNotFoundError:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._prefix.put(name))

    def _refused(self, name: VolumeName, reason: str | None) -> VolumeRefused:
        return VolumeRefused(f"volume {self._prefix.put(name)} is refused: {reason}")


def _not_here(home: str) -> str:
    return f"the Docker Engine's volumes are not here: {home} is not there"
