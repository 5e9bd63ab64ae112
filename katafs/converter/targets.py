"""Where a piece goes: a kata becomes the top directory of its volume, a stray an entry of the root volume.

A copy grows beside its volume, never in it, so no reader of a volume meets half a kata and nothing is ever merged.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from katafs.converter.spots import Spot
from katafs.errors import ConversionRefused, KatafsError
from katafs.kata_id import ROOT_VOLUME, KataId, VolumeName, kata_volume
from katafs.rooted import copying, files, inodes, names
from katafs.volumes.legacy_disk import OWN_PREFIX, LegacyDisk, Piece
from katafs.volumes.store import VolumeStore

_UNCOMMITTED = b"trusted.katafs.uncommitted"
"""An extended attribute of a volume's top: a copy of a kata that still stands on the disk, which may be replaced."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a piece goes, and where its copy may grow before."""

    spot: Spot
    staged: Spot
    """On the same file system as the spot, and seen by nobody."""
    replaces: bool
    """Whether an empty directory is at the spot, which a rename without flags replaces."""
    filled: bool
    """Whether what is at the spot is the piece already: all but the commit was done."""

    def mark_staged(self) -> None:
        """Say of the copy that it isn't committed."""
        with self.staged.opened() as top, contextlib.suppress(OSError):
            # Without: where a file system has no such attributes, a kill before the commit makes a person decide.
            inodes.set_xattr(top, _UNCOMMITTED, b"")

    def unmark(self) -> None:
        """Take that back, just before the commit."""
        with self.spot.opened() as top:
            if _UNCOMMITTED in inodes.all_xattrs(top):
                inodes.remove_xattr(top, _UNCOMMITTED)

    def place_staged(self) -> None:
        """Bring the complete copy to the spot."""
        self.staged.rename_to(self.spot, 0 if self.replaces else names.RENAME_NOREPLACE)
        files.sync_directory(self.spot.folder)


class Targets:
    """The targets in one store of the pieces of one disk."""

    def __init__(self, disk: LegacyDisk, store: VolumeStore) -> None:
        self._disk = disk
        self._store = store
        top = os.fstat(disk.top)
        self._origin = f"{top.st_dev:x}-{top.st_ino:x}"
        """Two disks may hold katas of the same ids, and be converted into one store at the same time."""

    @contextlib.contextmanager
    def of(self, piece: Piece, source: Spot) -> Iterator[Target]:
        """The piece's target. A volume that was made for it is removed again where an error comes out of the block.

        Raises ConversionRefused for one that holds something else, or that a container uses; StoreUnreachable."""
        if piece.kata is None:
            with self._of_stray(piece, source) as target:
                yield target
        else:
            with self._of_kata(piece, piece.kata, source) as target:
                yield target

    @contextlib.contextmanager
    def _of_kata(self, piece: Piece, kata: KataId, source: Spot) -> Iterator[Target]:
        volume = kata_volume(kata)
        with self._made(volume), self._beside(volume) as (top, spot):
            staged = Spot(spot.folder, self._staged_name(piece))
            staged.remove()
            if self._store.in_use(volume):
                raise ConversionRefused(f"volume {volume} is in use by a container")
            if not names.is_empty(top) and _UNCOMMITTED in inodes.all_xattrs(top):
                self._empty(spot, staged)
                yield Target(spot, staged, replaces=True, filled=False)
            elif names.is_empty(top):
                yield Target(spot, staged, replaces=True, filled=False)
            elif (difference := source.difference_from(spot)) is None:
                yield Target(spot, staged, replaces=True, filled=True)
            else:
                raise ConversionRefused(f"volume {volume} holds something else already, {difference}")

    @staticmethod
    def _empty(spot: Spot, staged: Spot) -> None:
        """Put an empty directory in the place of a copy that was never committed."""
        names.make_directory(staged.folder, staged.name, 0o755)
        staged.rename_to(spot, names.RENAME_EXCHANGE)
        staged.remove()

    @contextlib.contextmanager
    def _of_stray(self, piece: Piece, source: Spot) -> Iterator[Target]:
        self.keep_outer(piece.outer)
        with self._beside(ROOT_VOLUME) as (top, beside):
            staged = Spot(beside.folder, self._staged_name(piece))
            staged.remove()
            folder = files.open_directory(top, piece.outer.encode()) if piece.outer else os.dup(top)
            try:
                spot = Spot(folder, piece.name)
                filled = spot.status() is not None
                if filled and (difference := source.difference_from(spot)) is not None:
                    raise ConversionRefused(f"the root volume has {piece.label} already, {difference}")
                with inodes.times_kept(folder):
                    yield Target(spot, staged, replaces=False, filled=filled)
            finally:
                os.close(folder)

    def keep_outer(self, outer: str) -> None:
        """Make an outer directory in the root volume, as it is on the disk, if it isn't there; with "", only the root
        volume itself. From then on the disk's own may change: it is no longer what is shown."""
        with self._made_root(), self._beside(ROOT_VOLUME) as (top, beside):
            name = outer.encode()
            if not outer or files.is_directory(top, name):
                return
            staged = Spot(beside.folder, OWN_PREFIX + b"outer-" + name + b"-" + secrets.token_hex(8).encode())
            names.make_directory(staged.folder, staged.name, 0o700)
            try:
                with self._disk.folder(outer) as original, staged.opened() as copy:
                    copying.copy_attributes(original, copy)
                with contextlib.suppress(FileExistsError), inodes.times_kept(top):
                    staged.rename_to(Spot(top, name))
            finally:
                staged.remove()

    @contextlib.contextmanager
    def _made_root(self) -> Iterator[None]:
        if not self._store.exists(ROOT_VOLUME):
            with contextlib.suppress(FileExistsError):
                self._store.create(ROOT_VOLUME)
                top = self._store.open(ROOT_VOLUME)
                try:
                    copying.copy_attributes(self._disk.top, top)
                finally:
                    os.close(top)
        yield

    @contextlib.contextmanager
    def _made(self, volume: VolumeName) -> Iterator[None]:
        made = False
        with contextlib.suppress(FileExistsError):
            if not self._store.exists(volume):
                self._store.create(volume)
                made = True
        try:
            yield
        except BaseException:
            if made:
                with contextlib.suppress(OSError, KatafsError):
                    self._store.remove(volume)
            raise

    @contextlib.contextmanager
    def _beside(self, volume: VolumeName) -> Iterator[tuple[int, Spot]]:
        """A volume's top, and where it is."""
        top = self._store.open(volume)
        try:
            folder, name = files.place_of(top)
            try:
                yield top, Spot(folder, name)
            except OSError as problem:
                if problem.errno == errno.EBUSY:
                    raise ConversionRefused(f"volume {volume} is a mount point, which nothing can replace") from problem
                raise
            finally:
                os.close(folder)
        finally:
            os.close(top)

    def _staged_name(self, piece: Piece) -> bytes:
        return OWN_PREFIX + f"staged-{self._origin}-{piece.key:x}".encode()
