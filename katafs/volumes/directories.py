"""Volumes that are plain directories of one directory: `PATH/<prefix><volume>/`.

Needs no rights but those of its user on that directory. Knows nothing of what is inside a volume.
"""

import os
from pathlib import Path

from katafs.errors import StoreUnreachable, VolumeRefused
from katafs.kata_id import VolumeName
from katafs.volumes.catalog import Catalog
from katafs.volumes.directory_listing import DirectoryListing
from katafs.volumes.disks import Disk, Disks
from katafs.volumes.names import Prefix
from katafs.volumes.store import Used

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_VOLUME_MODE = 0o755
_STORE_MODE = 0o700
"""A mount is nosuid and nodev, and its directory of volumes isn't: nobody else may run what a container has left
there."""


class DirectoryStore:
    """A store in one directory, which it holds open: the disk below can't be unmounted without its notice."""

    def __init__(self, path: Path, prefix: str = "", *, create_missing: bool = False) -> None:
        """Raises StoreUnreachable where the directory is missing or can't be opened.

        `create_missing` makes it, and what is missing above it. An operator's own directory is better not made: it may
        be missing because its disk isn't mounted, and an empty tree would be shown in its place."""
        self._path = path.absolute()
        self._prefix = Prefix(prefix)
        self._fd = _opened(self._path, create_missing)
        held = os.fstat(self._fd)
        self._identity = held.st_dev, held.st_ino
        self._listing = DirectoryListing(self._fd, self._prefix)
        self._disks = Disks()
        self._real_path = os.path.realpath(path)
        """As the mount table has it."""

    @property
    def url(self) -> str:
        """As in the protocol."""
        return f"dir:{self._path}"

    def fault(self) -> str | None:
        """As in the protocol: why the directory held is no longer the one at the path.

        An unmounted disk leaves an empty directory at the path, which must not pass for a store without volumes."""
        if self._fd < 0:
            return f"the directory of volumes {self._path} is closed"
        try:
            here = os.stat(self._path)
        except OSError as problem:
            return self._gone(problem.strerror)
        return self._replaced(here)

    def catalog(self) -> Catalog:
        """As in the protocol. In step with the disk, where others may make and remove volumes too, within a second."""
        if self.fault() is None:
            self._listing.refresh()
        return self._listing.catalog

    def exists(self, name: VolumeName) -> bool:
        """As in the protocol; always asks the disk, but another one that is mounted on the volume's directory."""
        self._check()
        if self.disk_of(name) is not None:
            return True
        try:
            os.stat(self._prefix.put(name), dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def open(self, name: VolumeName) -> int:
        """As in the protocol. VolumeRefused for anything but a directory: a link could lead anywhere."""
        here = self._opened_here()
        try:
            return os.open(self._prefix.put(name), _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
        except NotADirectoryError:
            raise self._refused(name) from None
        finally:
            os.close(here)

    def disk_of(self, name: VolumeName) -> Disk | None:
        """As in the protocol."""
        home = self._real_path
        return self._disks.other_than(home, f"{home}/{self._prefix.put(name)}")

    def look_up(self, name: VolumeName) -> None:
        """Nothing: `exists` and `open` always ask the disk."""

    def location(self, name: VolumeName) -> str:
        """As in the protocol."""
        return f"type=bind,source={self._path / self._prefix.put(name)}"

    def directories(self) -> set[str]:
        """As in the protocol."""
        return {str(self._path)}

    def create(self, name: VolumeName) -> None:
        """As in the protocol."""
        self._check()
        with self._listing.changing():
            os.mkdir(self._prefix.put(name), _VOLUME_MODE, dir_fd=self._fd)
            self._listing.add(name)

    def remove(self, name: VolumeName) -> None:
        """As in the protocol. Only a mount point is ever EBUSY here, since nothing tells what a container uses."""
        self._check()
        with self._listing.changing():
            try:
                os.rmdir(self._prefix.put(name), dir_fd=self._fd)
            except NotADirectoryError:
                raise self._refused(name) from None
            self._listing.discard(name)

    def in_use(self, name: VolumeName) -> bool:
        """Always False: nothing tells which containers bind a directory."""
        return False

    def when_used(self, call: Used) -> None:
        """Nothing: none ever is."""

    def close(self) -> None:
        """As in the protocol. The store can't be used any more."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._disks.close()

    def _check(self) -> None:
        gone = self.fault()
        if gone is not None:
            raise StoreUnreachable(gone)

    def _opened_here(self) -> int:
        """The directory as who comes by its path has it. After a lazy unmount the same may be mounted there anew, and
        from the one held no way leads to the disks that are mounted on volumes since."""
        self._check()
        try:
            here = os.open(self._path, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError) as problem:  # since it was checked
            raise StoreUnreachable(self._gone(problem.strerror)) from None
        try:
            replaced = self._replaced(os.fstat(here))
            if replaced is not None:
                raise StoreUnreachable(replaced)
        except BaseException:
            os.close(here)
            raise
        return here

    def _replaced(self, here: os.stat_result) -> str | None:
        same = (here.st_dev, here.st_ino) == self._identity
        return None if same else self._gone("another one is in its place")

    def _gone(self, why: str | None) -> str:
        return f"the directory of volumes {self._path} is gone: {why}"

    def _refused(self, name: VolumeName) -> VolumeRefused:
        return VolumeRefused(f"volume {name} is refused: {self._path / self._prefix.put(name)} is not a directory")


def _opened(path: Path, create_missing: bool) -> int:
    try:
        if create_missing:
            path.mkdir(_STORE_MODE, parents=True, exist_ok=True)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise StoreUnreachable(
            f"the directory of volumes {path} does not exist: make it, or mount the disk that it is on"
        ) from None
    except OSError as problem:
        raise StoreUnreachable(f"the directory of volumes {path} can't be opened: {problem.strerror}") from problem
