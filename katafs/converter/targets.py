"""Where a piece goes: a kata becomes the top directory of its volume, a stray an entry of the root volume.

A copy grows beside its volume, never in it, so no reader of a volume meets half a kata and nothing is ever merged.
"""

import contextlib
import enum
import functools
import os
from collections.abc import Callable, Iterator

from katafs.converter import marks
from katafs.converter.root_volume import RootVolume
from katafs.converter.spots import Found, Spot, changes_told, volume_spot
from katafs.converter.target import Target
from katafs.errors import ConversionRefused, KatafsError
from katafs.kata_id import ROOT_VOLUME, KataId, VolumeName, avatar_volume, kata_volume
from katafs.namespace import SANDBOX_NAME
from katafs.rooted import copying, files, names
from katafs.volumes.legacy_disk import OWN_PREFIX, LegacyDisk, Piece, piece_of
from katafs.volumes.store import VolumeStore

_NOTHING_ELSE = contextlib.nullcontext()


class _Held(enum.Enum):
    """What a volume may hold before a conversion into it."""

    NOTHING = enum.auto()
    BEGUN = enum.auto()
    """A copy of the piece that was never committed, and that nobody has changed since."""
    PIECE = enum.auto()


def _refuse_different(source: Spot, spot: Spot, so: str, *, still: bool) -> None:
    """Raise ConversionRefused where the two differ; `still`: PieceBusy where somebody may write to the source."""
    with changes_told():
        if still:
            source.survey_unwritten()
        difference = source.difference_from(spot)
    if difference is not None:
        raise ConversionRefused(f"{so}, {difference}")


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
        with self._made(volume) as empty, volume_spot(self._store, volume) as (top, spot):
            staged = Spot(spot.folder, self._staged_name(piece))
            staged.remove()
            self._refuse_used(volume, kata, source)
            filled = self._is_filled(top, volume, source, spot, staged)
            arriving = functools.partial(self._unused, spot.folder, volume, kata, source)
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

    def foresee(self, piece: Piece, source: Spot) -> None:
        """Raise as `of` would, as far as it can be seen without changing anything."""
        if piece.kata is None:
            with self._root.folder(piece.outer) as folder:
                if folder is not None:
                    self._has_equal(piece, source, Spot(folder, piece.name))
            return
        volume = kata_volume(piece.kata)
        self._refuse_used(volume, piece.kata, source)
        if self._store.exists(volume):
            with volume_spot(self._store, volume) as (top, spot):
                self._held(top, volume, source, spot)

    def _refuse_used(self, volume: VolumeName, kata: KataId, source: Spot) -> None:
        if self._store.in_use(volume):
            raise ConversionRefused(f"volume {volume} is in use by a container")
        self._refuse_hidden(kata, source)

    @contextlib.contextmanager
    def _unused(self, folder: int, volume: VolumeName, kata: KataId, source: Spot) -> Iterator[None]:
        """Asked once more: who has mounted the volume since would go on in a directory that has no name any more."""
        with files.locked(folder):
            self._refuse_used(volume, kata, source)
            yield

    def _refuse_hidden(self, kata: KataId, source: Spot) -> None:
        """A tree shows an avatar's own volume in the place of its sandbox, so there must be nothing in that."""
        for avatar in self._store.catalog().avatars_of(kata):
            with source.opened() as top, contextlib.suppress(FileNotFoundError, NotADirectoryError):
                with (
                    Spot(top, avatar.encode()).opened() as directory,
                    Spot(directory, SANDBOX_NAME).opened() as sandbox,
                ):
                    hides = not names.is_empty(sandbox)
                if hides:
                    raise ConversionRefused(f"volume {avatar_volume(kata, avatar)} would hide {avatar}/sandbox in it")

    def _is_filled(self, top: int, volume: VolumeName, source: Spot, spot: Spot, staged: Spot) -> bool:
        """Whether the volume holds the piece already. Raises as `_held`; but a copy that was begun from the same disk
        makes way."""
        held = self._held(top, volume, source, spot)
        if held is _Held.BEGUN:
            self._empty(spot, staged)
        elif held is _Held.PIECE:
            copying.sync_file_system(top)  # whoever has put it there may not have
        return held is _Held.PIECE

    def _held(self, top: int, volume: VolumeName, source: Spot, spot: Spot) -> "_Held":
        """What the volume holds. Raises ConversionRefused where that is nothing which this disk's conversion knows."""
        if names.is_empty(top):
            return _Held.NOTHING
        mark = marks.find(top)
        if mark is not None and mark.origin != self._origin:
            raise ConversionRefused(f"volume {volume} holds what another disk's conversion hasn't finished yet")
        if mark is not None and not marks.has_changed(top, mark):
            return _Held.BEGUN
        _refuse_different(source, spot, f"volume {volume} holds something else already", still=self._still)
        return _Held.PIECE

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
        _refuse_different(source, spot, f"the root volume has {piece.label} already", still=self._still)
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

    @contextlib.contextmanager
    def _made(self, volume: VolumeName) -> Iterator[Found]:
        """The volume, made if it isn't there, and then removed again where an error comes out of the block: as long as
        it is the empty directory that was made, or that the block put in its place and has found there. What was
        committed is another, also where it is empty."""
        made = False
        with contextlib.suppress(FileExistsError):
            if not self._store.exists(volume):
                self._store.create(volume)
                made = True
        with contextlib.closing(Found()) as empty:
            try:
                if made:
                    with volume_spot(self._store, volume) as (_, spot):
                        empty.look(spot)
                yield empty
            except BaseException:
                if made:
                    self._unmake(volume, empty)
                raise

    def _unmake(self, volume: VolumeName, empty: Found) -> None:
        """Remove the volume, unless somebody has filled it or made it anew: no other conversion can while its place is
        locked."""
        with (
            contextlib.suppress(OSError, KatafsError),
            volume_spot(self._store, volume) as (top, spot),
            files.locked(spot.folder),
        ):
            if empty.has(os.fstat(top)):
                self._store.remove(volume)

    def _staged_name(self, piece: Piece) -> bytes:
        return OWN_PREFIX + b"staged-" + self._origin + f"-{piece.key:x}".encode()
