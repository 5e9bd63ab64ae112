"""What must not be converted at all: a tree that katafs itself shows, or a disk that the store is a part of."""

import os
from pathlib import Path

from katafs.errors import ConversionRefused
from katafs.kata_id import ROOT_VOLUME
from katafs.rooted import files
from katafs.rooted.mounts import mount_of
from katafs.volumes.legacy_disk import LegacyDisk
from katafs.volumes.store import VolumeStore

_OWN_TYPE = b"fuse.katafs"
_DIRECTORY_URL = "dir:"


def refuse_source(disk: LegacyDisk, store: VolumeStore) -> None:
    """Raise ConversionRefused where a conversion of the disk into the store would convert the store."""
    if mount_of(disk.top).type == _OWN_TYPE:
        raise ConversionRefused(f"{disk.path} is in a tree that katafs has mounted, not on an old disk")
    top = Path(os.fsdecode(files.path_of(disk.top)))
    kept = _place_of(store)
    if kept is not None and kept.is_relative_to(top):
        raise ConversionRefused(f"the volumes are in {kept}, which is in {disk.path}: what is in there can't be moved")


def _place_of(store: VolumeStore) -> Path | None:
    """Where the store keeps its volumes, as far as that can be known without making one."""
    if store.url.startswith(_DIRECTORY_URL):
        return Path(store.url.removeprefix(_DIRECTORY_URL)).resolve()
    if not store.exists(ROOT_VOLUME):
        return None
    root = store.open(ROOT_VOLUME)
    try:
        return Path(files.path_of(root))
    finally:
        os.close(root)
