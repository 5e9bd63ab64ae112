"""A store of volumes and a legacy disk as one store: what stands on the disk is served from there, all else as it was.

While a kata stands on the disk it is the truth, whatever volume has its name: it may be one that a conversion has only
begun to fill.
"""

import contextlib
import errno
import time

from katafs.errors import StoreUnreachable
from katafs.kata_id import AvatarName, KataId, VolumeName, inner_of, kata_id, kata_volume, outer_of
from katafs.rooted.answer import answer
from katafs.volumes.catalog import Catalog
from katafs.volumes.disks import Disk
from katafs.volumes.legacy_disk import LegacyDisk, Piece, piece_of
from katafs.volumes.store import Used, VolumeStore

_FAULTY_S = 1.0
"""So long the store isn't asked again after it was in vain: a listing asks for one kata, and then goes on."""


class Unasked(Exception):
    """A kata has left the disk, and the store doesn't know of a volume of it yet: before that can be answered the store
    is to be asked, which may take its time. Raised where a lock may be held; nothing has been done then."""

    def __init__(self, volume: VolumeName, piece: Piece | None) -> None:
        super().__init__(f"the store is to be asked for {volume} first")
        self.volume = volume
        self.piece = piece
        """What has left the disk for it, where the kernel knows something of that."""


class LegacyStore:
    """The store of a tree that serves a legacy disk beside its volumes. It owns neither of the two."""

    def __init__(self, store: VolumeStore, disk: LegacyDisk) -> None:
        self.volumes = store
        self.disk = disk
        self._catalog = LegacyCatalog(self)
        self._fault = ""
        """Why the store was asked in vain last."""
        self._faulty_until_s = 0.0
        """Until then, by time.monotonic(), it isn't asked again."""
        for outer in disk.outers():
            disk.katas_in(outer)  # so that of each that leaves the disk it is known that it was there

    @property
    def url(self) -> str:
        """As in the protocol."""
        return self.volumes.url

    def fault(self) -> str | None:
        """As in the protocol, of the volumes."""
        return self.volumes.fault()

    def catalog(self) -> Catalog:
        """As in the protocol."""
        return self._catalog

    def piece(self, name: VolumeName) -> Piece | None:
        """The piece that is served for a volume, while it stands on the disk."""
        kata = kata_id(name)
        piece = None if kata is None else piece_of(kata)
        return piece if piece is not None and self.disk.stands(piece) else None

    def knows(self, name: VolumeName) -> bool:
        """Whether it is there as far as is known. A store that follows its engine may not know yet of a volume that
        another process has made. Raises StoreUnreachable if that can't be known."""
        return self.piece(name) is not None or self.volumes.exists(name)

    def exists(self, name: VolumeName) -> bool:
        """As in the protocol. Raises Unasked for a volume into which a kata has gone, since that must never seem to be
        nowhere."""
        if self.knows(name):
            return True
        kata = kata_id(name)
        if kata is not None and kata in self.disk.left(outer_of(kata)):
            raise self.unasked(name)
        return False

    def unasked(self, name: VolumeName, piece: Piece | None = None) -> Exception:
        """What is to be raised: Unasked, or for a moment the fault with which the store was asked in vain."""
        if time.monotonic() < self._faulty_until_s:
            return StoreUnreachable(self._fault)
        return Unasked(name, piece)

    def ask(self, name: VolumeName) -> None:
        """Ask the store for what is Unasked. Raises StoreUnreachable."""
        try:
            self.volumes.look_up(name)
        except StoreUnreachable as fault:
            self._fault, self._faulty_until_s = str(fault), time.monotonic() + _FAULTY_S
            raise
        if not self.volumes.exists(name):
            self._forget(name)

    def _forget(self, name: VolumeName) -> None:
        kata = kata_id(name)
        if kata is not None:
            self.disk.left(outer_of(kata)).discard(kata)

    def open(self, name: VolumeName) -> int:
        """As in the protocol. Raises Unasked."""
        kata = kata_id(name)
        if kata is not None:
            try:
                return self.disk.open(kata)
            except FileNotFoundError:
                self.exists(name)  # not on the disk, or not any more: then the store is to know of it
        return self.volumes.open(name)

    def disk_of(self, _: VolumeName) -> Disk | None:
        """None: they are served as one."""

    def look_up(self, name: VolumeName) -> None:
        """As in the protocol."""
        self.volumes.look_up(name)

    def location(self, name: VolumeName) -> str:
        """As in the protocol. What isn't converted may only be read: a container's changes would be lost."""
        piece = self.piece(name)
        if piece is None:
            return self.volumes.location(name)
        return f"type=bind,source={self.disk.path}/{outer_of(KataId(name))}/{inner_of(KataId(name))},readonly"

    def directories(self) -> set[str]:
        """As in the protocol."""
        return {*self.volumes.directories(), str(self.disk.path)}

    def create(self, name: VolumeName) -> None:
        """As in the protocol."""
        if self.piece(name) is not None:
            raise answer(errno.EEXIST, name.encode())
        self.volumes.create(name)

    def remove(self, name: VolumeName) -> None:
        """As in the protocol. Raises OSError(EROFS) for what stands on the disk: it is converted first."""
        if self.piece(name) is not None:
            raise answer(errno.EROFS, name.encode())
        self.volumes.remove(name)
        self._forget(name)

    def in_use(self, name: VolumeName) -> bool:
        """As in the protocol."""
        return self.volumes.in_use(name)

    def when_used(self, call: Used) -> None:
        """As in the protocol."""
        self.volumes.when_used(call)

    def close(self) -> None:
        """Nothing: whoever made the store and the disk closes them."""


class LegacyCatalog(Catalog):
    """The volumes of a store and the katas of a disk. It keeps nothing of its own. Whatever lists katas raises Unasked.

    The disk is always asked first: a kata goes from there into the store, so none is missed between the two."""

    def __init__(self, legacy: LegacyStore) -> None:
        super().__init__()
        self._legacy = legacy
        self._store = legacy.volumes
        self._disk = legacy.disk

    def __contains__(self, name: VolumeName) -> bool:
        kata = kata_id(name)
        return (kata is not None and self._disk.stands(piece_of(kata))) or name in self._store.catalog()

    def names(self) -> frozenset[VolumeName]:
        """As in Catalog. The store is asked at once: this is for figures, without a tree's lock."""
        while True:
            try:
                own = self._own()
            except Unasked as first:
                with contextlib.suppress(StoreUnreachable):
                    self._legacy.ask(first.volume)
            else:
                return self._store.catalog().names().union(kata_volume(kata) for kata in own)

    def outers(self) -> list[str]:
        """As in Catalog."""
        on_disk = [outer for outer in self._disk.outers() if self._disk.katas_in(outer)]
        return sorted({*on_disk, *self._store.catalog().outers()})

    def katas(self) -> list[KataId]:
        """As in Catalog."""
        own = self._own()
        return sorted(own.union(self._store.catalog().katas()))

    def _own(self) -> set[KataId]:
        """The katas on the disk, and those that have just left it."""
        outers = {*self._disk.outers(), *self._disk.outers_seen()}
        on_disk = {kata for outer in outers for kata in self._disk.katas_in(outer)}
        return on_disk.union(*(self._arrived(outer) for outer in outers))

    def katas_in(self, outer: str) -> list[KataId]:
        """As in Catalog."""
        on_disk = self._disk.katas_in(outer)
        in_store = self._store.catalog().katas_in(outer)
        return sorted({*on_disk, *in_store, *self._arrived(outer)})

    def _arrived(self, outer: str) -> list[KataId]:
        """The katas that have left the disk, for volumes of which the store's own catalog doesn't know yet."""
        left = self._disk.left(outer)
        left.difference_update([kata for kata in left.copy() if kata_volume(kata) in self._store.catalog()])
        return [kata for kata in left.copy() if self._has(kata)]

    def _has(self, kata: KataId) -> bool:
        """Whether the store has a kata that has left the disk; where it can't be asked, it is believed to."""
        try:
            return self._legacy.exists(kata_volume(kata))
        except StoreUnreachable:
            return True

    def count_in(self, outer: str) -> int:
        """As in Catalog. A kata that was copied and kept, or whose conversion was broken off, counts twice until it is
        converted: this is asked with each status of a directory, for its link count."""
        return len(self._disk.katas_in(outer)) + self._store.catalog().count_in(outer)

    def count(self) -> int:
        """As in Catalog, and `count_in`."""
        return sum(len(self._disk.katas_in(outer)) for outer in self._disk.outers()) + self._store.catalog().count()

    def distinct_count(self) -> int:
        """As in Catalog."""
        inside = self._store.catalog()
        on_disk = (kata for outer in self._disk.outers() for kata in self._disk.katas_in(outer))
        return inside.count() + sum(not inside.has_kata(kata) for kata in on_disk)

    def has_kata(self, kata: KataId) -> bool:
        """As in Catalog."""
        return self._disk.stands(piece_of(kata)) or self._store.catalog().has_kata(kata)

    def avatars_of(self, kata: KataId) -> list[AvatarName]:
        """As in Catalog: those that have a volume of their own."""
        return self._store.catalog().avatars_of(kata)
