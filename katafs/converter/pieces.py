"""Which pieces a run is about."""

import random
from collections.abc import Iterable, Iterator, Sequence

from katafs.kata_id import KataId
from katafs.volumes.legacy_disk import LegacyDisk, Piece, piece_of
from katafs.volumes.store import VolumeStore


def everything(disk: LegacyDisk | None, store: VolumeStore) -> Iterator[Piece]:
    """All that is on the disk, strays included, and then each kata that is in a volume already."""
    if disk is not None:
        for outer in disk.outers():
            yield from _on_disk(disk, outer)
        yield from _on_disk(disk, "")
    yield from _in_volumes(disk, store.catalog().katas())


def in_outer(disk: LegacyDisk | None, store: VolumeStore, outer: str) -> Iterator[Piece]:
    """The same of one outer directory."""
    if disk is not None:
        yield from _on_disk(disk, outer)
    yield from _in_volumes(disk, store.catalog().katas_in(outer))


def sample(disk: LegacyDisk | None, store: VolumeStore, count: int) -> Iterator[Piece]:
    """Some katas on the disk, or without a disk in the store, by chance."""
    if disk is None:
        katas = store.catalog().katas()
    else:
        katas = [kata for outer in disk.outers() for kata in disk.katas_in(outer)]
    return map(piece_of, random.sample(katas, min(count, len(katas))))


def of_ids(katas: Sequence[KataId]) -> Iterator[Piece]:
    """These katas, each once."""
    return map(piece_of, dict.fromkeys(katas))


def _on_disk(disk: LegacyDisk, outer: str) -> Iterator[Piece]:
    yield from map(piece_of, disk.katas_in(outer))
    yield from (Piece(outer, name) for name in disk.strays_in(outer))


def _in_volumes(disk: LegacyDisk | None, katas: Iterable[KataId]) -> Iterator[Piece]:
    return (piece for piece in map(piece_of, katas) if disk is None or not disk.stands(piece))
