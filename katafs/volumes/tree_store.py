"""The katas of a tree of directories as volumes: a tree that katafs has mounted, or a server's own on its disk.

Only whole katas are volumes here: where a sandbox has a volume of its own, the tree shows it in its place.
Knows nothing of what is inside a kata.
"""

import contextlib
import errno
import os
from pathlib import Path

from katafs.errors import StoreUnreachable, VolumeRefused
from katafs.kata_id import AvatarName, KataId, VolumeName, inner_of, is_outer, kata_id, outer_of, volume_owner
from katafs.namespace import Layout
from katafs.volumes.catalog import Catalog
from katafs.volumes.disks import Disk
from katafs.volumes.store import Used

_MODE = 0o755
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeStore:
    """A store in a tree. Others may change the tree meanwhile: every answer is read from it."""

    def __init__(self, path: Path, layout: Layout) -> None:
        """Raises StoreUnreachable where the directory is missing or can't be opened."""
        self._path = path.absolute()
        self._layout = layout
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as problem:
            raise StoreUnreachable(f"the tree of katas {path} can't be opened: {problem.strerror}") from problem

    @property
    def url(self) -> str:
        """As in the protocol."""
        return f"tree:{self._path}"

    def fault(self) -> str | None:
        """As in the protocol."""
        try:
            self._checked()
        except StoreUnreachable as fault:
            return str(fault)
        return None

    def catalog(self) -> Catalog:
        """As in the protocol. It is read from the tree at each question."""
        return TreeCatalog(self._fd, self._layout)

    def exists(self, name: VolumeName) -> bool:
        """As in the protocol."""
        kata = kata_id(name)
        try:
            return kata is not None and _exists(self._checked(), _path_of(kata, self._layout))
        except OSError as problem:
            raise self._unreachable(problem) from problem

    def open(self, name: VolumeName) -> int:
        """As in the protocol. VolumeRefused for anything but a directory, and where a link is on the way to it."""
        kata = kata_id(name)
        if kata is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        top = self._checked()
        try:
            if self._layout is Layout.FLAT:
                return os.open(kata, _DIRECTORY, dir_fd=top)
            outer = os.open(outer_of(kata), _DIRECTORY, dir_fd=top)
            try:
                return os.open(inner_of(kata), _DIRECTORY, dir_fd=outer)
            finally:
                os.close(outer)
        except NotADirectoryError:
            where = self._path / _path_of(kata, self._layout)
            raise VolumeRefused(f"volume {name} is refused: {where} is not a directory") from None

    def disk_of(self, _: VolumeName) -> Disk | None:
        """None: they are served as one."""

    def look_up(self, name: VolumeName) -> None:
        """Nothing: every answer is read from the tree."""

    def location(self, name: VolumeName) -> str:
        """As in the protocol."""
        return f"type=bind,source={self._path / _path_of(self._own(name), self._layout)}"

    def directories(self) -> set[str]:
        """As in the protocol."""
        return {str(self._path)}

    def create(self, name: VolumeName) -> None:
        """As in the protocol. Raises VolumeRefused for an avatar's volume, which only the tree's own store has."""
        kata, top = self._own(name), self._checked()
        if self._layout is Layout.SPLIT:
            with contextlib.suppress(FileExistsError):
                os.mkdir(outer_of(kata), _MODE, dir_fd=top)
        os.mkdir(_path_of(kata, self._layout), _MODE, dir_fd=top)

    def remove(self, name: VolumeName) -> None:
        """As in the protocol. The outer directory stays, as it does when a server removes a kata."""
        kata = kata_id(name)
        if kata is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        os.rmdir(_path_of(kata, self._layout), dir_fd=self._checked())

    def in_use(self, name: VolumeName) -> bool:
        """Always False: the tree doesn't tell what containers use."""
        return False

    def when_used(self, call: Used) -> None:
        """Nothing: none ever is."""

    def close(self) -> None:
        """As in the protocol."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _own(self, name: VolumeName) -> KataId:
        kata = kata_id(name)
        if kata is None:
            if volume_owner(name) is None:
                raise ValueError(f"not the name of a volume: {name!r}")
            raise VolumeRefused(f"volume {name} is refused: a tree has no volumes but those of katas")
        return kata

    def _checked(self) -> int:
        """The tree's descriptor. Raises StoreUnreachable where the tree is gone, or another is mounted at its path."""
        if self._fd < 0:
            raise StoreUnreachable(f"the tree of katas {self._path} is closed")
        try:
            here = os.stat(self._path)
            if not os.path.samestat(here, os.fstat(self._fd)):
                raise StoreUnreachable(f"the tree of katas {self._path} is gone: another one is in its place")
        except OSError as problem:
            raise self._unreachable(problem) from problem
        return self._fd

    def _unreachable(self, problem: OSError) -> StoreUnreachable:
        return StoreUnreachable(f"the tree of katas {self._path} does not answer: {problem.strerror}")


class TreeCatalog(Catalog):
    """The katas of a tree. It keeps nothing, so that no question reads more of the tree than it is about."""

    def __init__(self, fd: int, layout: Layout) -> None:
        super().__init__()
        self._fd = fd
        self._layout = layout

    def __contains__(self, name: VolumeName) -> bool:
        kata = kata_id(name)
        return kata is not None and self.has_kata(kata)

    def names(self) -> frozenset[VolumeName]:
        """As in Catalog."""
        return frozenset(VolumeName(kata) for kata in self.katas())

    def outers(self) -> list[str]:
        """As in Catalog."""
        return sorted({outer_of(kata) for kata in self.katas()})

    def katas(self) -> list[KataId]:
        """As in Catalog."""
        if self._layout is Layout.FLAT:
            return _ids("", self._directories("."))
        return [kata for outer in self._directories(".") if is_outer(outer) for kata in self.katas_in(outer)]

    def katas_in(self, outer: str) -> list[KataId]:
        """As in Catalog."""
        if self._layout is Layout.FLAT:
            return [kata for kata in self.katas() if outer_of(kata) == outer]
        return _ids(outer, self._directories(outer))

    def count_in(self, outer: str) -> int:
        """As in Catalog."""
        return len(self.katas_in(outer))

    def count(self) -> int:
        """As in Catalog."""
        return len(self.katas())

    def has_kata(self, kata: KataId) -> bool:
        """As in Catalog."""
        return _exists(self._fd, _path_of(kata, self._layout))

    def avatars_of(self, kata: KataId) -> list[AvatarName]:
        """None: the tree shows an avatar's volume as the directory that it is."""
        return []

    def _directories(self, path: str) -> list[str]:
        """The names of the directories at a path, sorted. It is opened for each: others read at the same time, and of
        what is kept open btrfs shows what was there before."""
        try:
            readable = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            with os.scandir(readable) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        finally:
            os.close(readable)


def _ids(before: str, names: list[str]) -> list[KataId]:
    """The katas whose ids are made of `before` and one of the names."""
    return [kata for name in names if (kata := kata_id(before + name)) is not None]


def _path_of(kata: KataId, layout: Layout) -> str:
    return kata if layout is Layout.FLAT else f"{outer_of(kata)}/{inner_of(kata)}"


def _exists(fd: int, path: str) -> bool:
    try:
        os.stat(path, dir_fd=fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
