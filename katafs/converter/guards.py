"""What must not be converted at all: a tree that katafs itself shows, or a disk that the store is a part of."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from katafs.errors import ConversionRefused
from katafs.kata_id import ROOT_VOLUME
from katafs.rooted import files, mounts
from katafs.volumes.legacy_disk import LegacyDisk
from katafs.volumes.store import VolumeStore

_OWN_TYPE = b"fuse.katafs"
_DIRECTORY_URL = "dir:"
_UNSEEN = (
    "the disk or the volumes are on a mount that isn't in /proc/self/mountinfo, as in a chroot whose root is no mount "
    "point: `mount --bind` that directory onto itself before"
)


def refuse_source(disk: LegacyDisk, store: VolumeStore) -> None:
    """Raise ConversionRefused where a conversion of the disk into the store would convert the store, or where that
    can't be known."""
    try:
        _refuse_source(disk, store)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        raise ConversionRefused(_UNSEEN) from problem


def _refuse_source(disk: LegacyDisk, store: VolumeStore) -> None:
    if mounts.mount_of(disk.top).type == _OWN_TYPE:
        raise ConversionRefused(f"{disk.path} is in a tree that katafs has mounted, not on an old disk")
    with _directory_of(store) as directory:
        if directory is not None and (_is_inside(directory, disk.top) or _is_below(directory, disk.top)):
            kept = files.path_of(directory)
            raise ConversionRefused(
                f"the volumes are in {kept}, which is in {disk.path}: what is in there can't be moved"
            )


def _is_inside(directory: int, top: int) -> bool:
    """By their paths, which lead across file systems."""
    return Path(files.path_of(directory)).is_relative_to(files.path_of(top))


def _is_below(directory: int, top: int) -> bool:
    """By where they are in their file system, which other mounts may show elsewhere."""
    kept, searched = mounts.in_file_system(directory), mounts.in_file_system(top)
    return kept[0] == searched[0] and mounts.is_below(kept[1], searched[1])


@contextlib.contextmanager
def _directory_of(store: VolumeStore) -> Iterator[int | None]:
    """A descriptor of where the store keeps its volumes, as far as that can be known without making one."""
    if store.url.startswith(_DIRECTORY_URL):
        directory = os.open(store.url.removeprefix(_DIRECTORY_URL), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    elif store.exists(ROOT_VOLUME):
        directory = store.open(ROOT_VOLUME)
    else:
        yield None
        return
    try:
        yield directory
    finally:
        os.close(directory)
