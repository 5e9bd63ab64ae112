"""The volumes that katas go into: made where there are none; refused where they hold or hide something, or are used."""

import contextlib
import enum
import os
from collections.abc import Iterator

from katafs.converter import marks
from katafs.converter.spots import Found, Spot, refuse_different, volume_spot
from katafs.errors import ConversionRefused, KatafsError
from katafs.kata_id import KataId, VolumeName, avatar_volume, kata_volume
from katafs.namespace import SANDBOX_NAME
from katafs.rooted import files, names
from katafs.volumes.store import VolumeStore


class Held(enum.Enum):
    """What a volume may hold before a conversion into it."""

    NOTHING = enum.auto()
    BEGUN = enum.auto()
    """A copy of the piece that was never committed, and that nobody has changed since."""
    PIECE = enum.auto()


class KataVolumes:
    """Those in one store, for the katas of one disk."""

    def __init__(self, store: VolumeStore, origin: bytes, *, still: bool) -> None:
        """`origin` tells the disk from any other; `still`: nobody may write to a kata from when on it is read."""
        self._store = store
        self._origin = origin
        self._still = still

    @contextlib.contextmanager
    def made(self, volume: VolumeName) -> Iterator[Found]:
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
        locked. Where an error came before it was looked at, nothing was done but to make it."""
        with (
            contextlib.suppress(OSError, KatafsError),
            volume_spot(self._store, volume) as (top, spot),
            files.locked(spot.folder),
        ):
            if empty.has(os.fstat(top)) or (not empty.is_known and names.is_empty(top)):
                self._store.remove(volume)

    def held(self, top: int, volume: VolumeName, source: Spot, spot: Spot) -> Held:
        """What the volume holds. Raises ConversionRefused where that is nothing which this disk's conversion knows."""
        if names.is_empty(top):
            return Held.NOTHING
        mark = marks.find(top)
        if mark is not None and mark.origin != self._origin:
            raise ConversionRefused(f"volume {volume} holds what another disk's conversion hasn't finished yet")
        if mark is not None and not marks.has_changed(top, mark):
            return Held.BEGUN
        refuse_different(source, spot, f"volume {volume} holds something else already", still=self._still)
        return Held.PIECE

    @contextlib.contextmanager
    def unused(self, folder: int, kata: KataId, source: Spot) -> Iterator[None]:
        """Asked once more: who has mounted the volume since would go on in a directory that has no name any more."""
        with files.locked(folder):
            self.refuse_used(kata, source)
            yield

    def refuse_used(self, kata: KataId, source: Spot) -> None:
        """Raise ConversionRefused where a container uses the kata's volume, or an avatar's would hide something."""
        if self._store.in_use(kata_volume(kata)):
            raise ConversionRefused(f"volume {kata_volume(kata)} is in use by a container")
        self._refuse_hidden(kata, source)

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
