"""Asks of a store's volumes: which are refused, and how much room is where they are. May wait for a dead disk."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from katafs.errors import VolumeRefused
from katafs.kata_id import VolumeName
from katafs.rooted.mounts import mounts
from katafs.volumes.store import VolumeStore

_STOPPED = ("shutdown", "emergency_ro")
"""Of ext4's options: all is an input/output error, or each change a refusal."""


@dataclass(frozen=True)
class Space:
    """The room on one file system (statvfs(3))."""

    where: str
    """A path, or the volume that lies there."""
    size_bytes: int
    free_bytes: int
    inodes: int
    """0 where the file system makes them as they are needed."""
    free_inodes: int
    read_only: bool = False
    stopped: str = ""
    """The option by which ext4 says that it stores nothing more after an error. Newer kernels don't make it read-only
    for that, as anybody would see."""


@dataclass(frozen=True)
class Volumes:
    """A store's volumes."""

    url: str
    count: int
    refused: tuple[str, ...]
    """Why, one line for each that is refused; those whose directory is gone included."""
    unseen: tuple[str, ...]
    """Places for volumes that can't be opened, each with the reason."""
    entered: tuple[str, ...]
    """Those that every local user can enter."""
    spaces: tuple[Space, ...]
    """One for each file system."""


_Spaces = dict[tuple[int, bool], Space]
"""By the device's number, and whether it is mounted read-only there."""


def volumes(store: VolumeStore, places: Iterable[str]) -> Volumes:
    """Opens each volume. `places` are paths that new volumes will be made below."""
    spaces: _Spaces = {}
    unseen, entered = [], []
    for place in places:
        try:
            descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except OSError as problem:
            unseen.append(f"{place}: {problem.strerror}")
        else:
            _look(spaces, descriptor, place)
            if _can_be_entered(place):
                entered.append(place)
    names = sorted(store.catalog().names())
    refused = [reason for name in names if (reason := _refusal(store, name, spaces))]
    return Volumes(store.url, len(names), tuple(refused), tuple(unseen), tuple(entered), tuple(spaces.values()))


def _can_be_entered(place: str) -> bool:
    """Whether others than owners and groups can, on the whole way (path_resolution(7))."""
    path = Path(place).resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


def _refusal(store: VolumeStore, name: VolumeName, spaces: _Spaces) -> str | None:
    try:
        descriptor = store.open(name)
    except VolumeRefused as refused:
        return str(refused)
    except OSError as problem:
        return f"volume {name} can't be opened: {problem.strerror}"
    _look(spaces, descriptor, f"volume {name}")
    return None


def _look(spaces: _Spaces, descriptor: int, where: str) -> None:
    """Closes the descriptor."""
    try:
        found = os.fstatvfs(descriptor)
        unit, read_only, device = found.f_frsize, bool(found.f_flag & os.ST_RDONLY), os.fstat(descriptor).st_dev
        if (device, read_only) not in spaces:
            size_bytes, free_bytes = found.f_blocks * unit, found.f_bavail * unit
            spaces[device, read_only] = Space(
                where, size_bytes, free_bytes, found.f_files, found.f_favail, read_only, _stopped(device)
            )
    finally:
        os.close(descriptor)


def _stopped(device: int) -> str:
    number = f"{os.major(device)}:{os.minor(device)}".encode()
    options = {option.decode() for mount in mounts() if mount.device == number for option in mount.options}
    return next((option for option in _STOPPED if option in options), "")
