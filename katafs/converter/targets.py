"""Where a piece goes: a kata becomes the top directory of its volume, a stray an entry of the root volume.

A copy grows beside its volume, never in it, so no reader of a volume meets half a kata and nothing is ever merged.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator

from katafs.converter import marks
from katafs.converter.kata_volumes import Held, KataVolumes
from katafs.converter.root_volume import RootVolume
from katafs.converter.spots import Spot, refuse_different, volume_spot
from katafs.converter.target import Target
from katafs.kata_id import ROOT_VOLUME, KataId, VolumeName, kata_volume
from katafs.rooted import copying, files, names
from katafs.volumes.legacy_disk import OWN_PREFIX, LegacyDisk, Piece, piece_of
from katafs.volumes.store import VolumeStore

_NOTHING_ELSE = contextlib.nullcontext()


class Targets:
    """The targets in one store of the pieces of one disk."""

    def __init__(self, disk: LegacyDisk, store: VolumeStore, root: RootVolume, *, keep: bool) -> None:
        """`keep`: nothing is taken off the disk, which stays the truth."""
        self._disk = disk
        self._store = store
        self._root = root
        self._still = not keep
        """Whether nobody may write to a piece from when on it is read."""
        self._origin = disk.locks.identity
        """Two disks may hold katas of the same ids, and be converted into one store at the same time."""
        self._volumes = KataVolumes(store, self._origin, still=self._still)

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
        with self._volumes.made(volume) as empty, volume_spot(self._store, volume) as (top, spot):
            staged = Spot(spot.folder, self._staged_name(piece))
            staged.remove()
            self._volumes.refuse_used(kata, source)
            filled = self._is_filled(top, volume, source, spot, staged)
            arriving = functools.partial(self._volumes.unused, spot.folder, kata, source)
            target = Target(spot, staged, True, filled, self._origin, arriving)

            def withdraw() -> None:
                self._empty(spot, staged)
                empty.look(spot)

            with self._withdrawing(piece, target, withdraw):
                yield target

    @contextlib.contextmanager
    def _withdrawing(
        self,
        piece: Piece,
        target: Target,
        withdraw: Callable[[], None],
        alone: contextlib.AbstractContextManager[None] = _NOTHING_ELSE,
    ) -> Iterator[None]:
        """Where an error comes out of the block, take a copy away from its spot that can't be committed: the piece may
        differ later. `alone` is entered before the spot is looked at, since it may wait."""
        with contextlib.closing(target):
            try:
                yield
            except BaseException:
                with contextlib.suppress(OSError):  # what went wrong first says where the piece is
                    if self._disk.stands(piece):
                        with alone:
                            if target.may_withdraw():
                                withdraw()
                raise

    def foresee(self, piece: Piece, source: Spot) -> bool:
        """Whether there is a copy of the piece, if only one that will make way for another. Raises as `of` would, as
        far as it can be seen without changing anything."""
        if piece.kata is None:
            with self._root.folder(piece.outer) as folder:
                return folder is not None and self._has_equal(piece, source, Spot(folder, piece.name))
        volume = kata_volume(piece.kata)
        self._volumes.refuse_used(piece.kata, source)
        if not self._store.exists(volume):
            return False
        with volume_spot(self._store, volume) as (top, spot):
            return self._volumes.held(top, volume, source, spot) is not Held.NOTHING

    def _is_filled(self, top: int, volume: VolumeName, source: Spot, spot: Spot, staged: Spot) -> bool:
        """Whether the volume holds the piece already. Raises as `KataVolumes.held`; but a copy that was begun from
        the same disk makes way."""
        held = self._volumes.held(top, volume, source, spot)
        if held is Held.BEGUN:
            self._empty(spot, staged)
        elif held is Held.PIECE:
            copying.sync_file_system(top)  # whoever has put it there may not have
        return held is Held.PIECE

    def settle(self, kata: KataId) -> None:
        """For a kata that isn't on the disk any more: take its volume's mark away, where a kill left it."""
        if self._store.exists(kata_volume(kata)):
            top = self._store.open(kata_volume(kata))
            try:
                marks.take_away(top, self._origin)
            finally:
                os.close(top)

    @staticmethod
    def _empty(spot: Spot, staged: Spot) -> None:
        """Put an empty directory in the place of a copy that was never committed."""
        names.make_directory(staged.folder, staged.name, 0o755)
        staged.rename_to(spot, names.RENAME_EXCHANGE)
        staged.remove()

    @contextlib.contextmanager
    def _of_stray(self, piece: Piece, source: Spot) -> Iterator[Target]:
        self._root.keep_outer(piece.outer)
        with volume_spot(self._store, ROOT_VOLUME) as (top, beside):
            staged = Spot(beside.folder, self._staged_name(piece))
            staged.remove()
            folder = files.open_directory(top, piece.outer.encode()) if piece.outer else os.dup(top)
            try:
                spot = Spot(folder, piece.name)
                filled = self._has_equal(piece, source, spot)
                arriving = functools.partial(self._root.times_kept, piece.outer, folder)
                target = Target(spot, staged, False, filled, self._origin, arriving)
                with self._withdrawing(piece, target, spot.remove, arriving()):
                    yield target
            finally:
                os.close(folder)

    def _has_equal(self, piece: Piece, source: Spot, spot: Spot) -> bool:
        """Whether the stray is in the root volume already. Raises ConversionRefused where something else is."""
        if spot.status() is None:
            return False
        refuse_different(source, spot, f"the root volume has {piece.label} already", still=self._still)
        copying.sync_file_system(spot.folder)  # as above
        return True

    def has_stray(self, piece: Piece) -> bool:
        """Whether the root volume has something where the stray goes."""
        with self._root.folder(piece.outer) as folder:
            return folder is not None and files.status_of(folder, piece.name) is not None

    def hold(self, outer: str, key: int, spot: Spot) -> bool:
        """Whether the piece of this key, from this outer directory, is in the store as it is at the spot."""
        for kata in self._store.catalog().katas_in(outer):
            if piece_of(kata).key == key and self._store.exists(kata_volume(kata)):
                with volume_spot(self._store, kata_volume(kata)) as (_, stored):
                    return spot.difference_from(stored) is None
        with self._root.folder(outer) as folder:
            listed = [] if folder is None else [name for name in names.listing(folder) if Piece(outer, name).key == key]
            return any(spot.difference_from(Spot(folder, name)) is None for name in listed if folder is not None)

    def _staged_name(self, piece: Piece) -> bytes:
        return OWN_PREFIX + b"staged-" + self._origin + f"-{piece.key:x}".encode()
