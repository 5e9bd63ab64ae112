"""Which pieces a run is about."""

import random
from collections.abc import Iterator, Sequence

from katafs.kata_id import KataId
from katafs.volumes.legacy_disk import LegacyDisk, Piece, piece_of
from katafs.volumes.store import VolumeStore


def everything(disk: LegacyDisk, store: VolumeStore) -> Iterator[Piece]:
    """All that is on the disk, strays included, and then each kata that is in a volume already."""
    for outer in disk.outers():
        yield from _in_outer(disk, outer)
    yield from (Piece("", name) for name in disk.strays_in(""))
    yield from (piece for kata in store.catalog().katas() if not disk.stands(piece := piece_of(kata)))


def in_outer(disk: LegacyDisk, store: VolumeStore, outer: str) -> Iterator[Piece]:
    """The same of one outer directory."""
    yield from _in_outer(disk, outer)
    yield from (piece for kata in store.catalog().katas_in(outer) if not disk.stands(piece := piece_of(kata)))


def sample(disk: LegacyDisk, count: int) -> Iterator[Piece]:
    """Some katas on the disk, by chance."""
    katas = [kata for outer in disk.outers() for kata in disk.katas_in(outer)]
    return map(piece_of, random.sample(katas, min(count, len(katas))))


def of_ids(katas: Sequence[KataId]) -> Iterator[Piece]:
    """These katas, each once."""
    return map(piece_of, dict.fromkeys(katas))


def _in_outer(disk: LegacyDisk, outer: str) -> Iterator[Piece]:
    yield from map(piece_of, disk.katas_in(outer))
    yield from (Piece(outer, name) for name in disk.strays_in(outer))
