"""Katas: `manifest.json` at the top of the kata's volume, as compact JSON.

A volume without anything in it is a kata that a kill left half made: whoever creates it next completes it. Each holds
the volume's lock, and the manifest comes to be in one step, so that of several one succeeds.

Stands alone. Knows of avatars that they, and their volumes, go when the kata does.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from katafs.errors import BadId, KataExists, KatafsError, KataInUse, KataNotFound, VolumeRefused
from katafs.kata_id import AVATARS, OUTER_LENGTH, KataId, VolumeName, avatar_volume, is_outer, kata_volume
from katafs.rooted import files, names
from katafs.rooted.answer import answer
from katafs.rooted.removing import remove_all, remove_tree
from katafs.storers.checks import checked_id, checked_manifest
from katafs.storers.json_files import encoded
from katafs.storers.locks import PATIENCE_S
from katafs.storers.manifests import DELETED, MANIFEST, read_manifest
from katafs.storers.places import Part, named_faults
from katafs.storers.storer import Manifest

_COMPLETED_FROM = 6
"""Fewer characters of an id than this are not completed: too many katas begin with them."""
_REMOVALS = 100
"""So often a volume is emptied before it is given up that something goes on writing into it."""


class KatasStorer(Part):
    """The katas of a store of volumes, as `Storer` promises them."""

    def create_kata(self, manifest: Mapping[str, Any]) -> KataId:
        """As in Storer."""
        kata, copied = checked_manifest(manifest)
        content = encoded(copied, f"the manifest of kata {kata}")
        is_new = self._made(kata)
        try:
            with (
                named_faults(f"kata {kata}"),
                self._places.volume(kata_volume(kata)) as top,
                self._begun(kata, top, is_new),
            ):
                files.create(top, MANIFEST, content)
        except (FileExistsError, BlockingIOError):  # somebody else is at it
            raise self._there_already(kata) from None
        except FileNotFoundError:
            raise KataNotFound(f"kata {kata} was deleted while it was made") from None
        except (PermissionError, VolumeRefused):
            if is_new:
                raise
            raise self._there_already(kata) from None
        return kata

    @contextmanager
    def _begun(self, kata: KataId, top: int, is_new: bool) -> Iterator[None]:
        """The kata's lock. Raises KataExists where it is somebody else's. After a failure, here or in the block, a new
        volume goes again, unless something has come into it: that is somebody's, by a way that has a lock of its own.
        """
        with ExitStack() as held:
            try:
                held.enter_context(files.locked(top, within_s=PATIENCE_S if is_new else 0))
                if not _is_begun(top):
                    raise self._there_already(kata)
                yield
            except BaseException:
                self._unmake(kata, top, is_new)
                raise

    def _made(self, kata: KataId) -> bool:
        """Make the kata's volume; False where it is there."""
        try:
            with named_faults(f"kata {kata}"):
                self._store.create(kata_volume(kata))
        except FileExistsError:
            return False
        return True

    def _there_already(self, kata: KataId) -> KataExists:
        return KataExists(f"kata {kata} is in {self._store.url} already")

    def _unmake(self, kata: KataId, top: int, is_new: bool) -> None:
        """Remove the volume if it was made for this kata, is that still, and empty."""
        with suppress(OSError, KatafsError):
            if is_new and self._places.is_at(kata_volume(kata), top):
                self._store.remove(kata_volume(kata))

    def kata_exists(self, kata: str) -> bool:
        """As in Storer."""
        try:
            return self._store.exists(kata_volume(checked_id(kata)))
        except BadId:
            return False

    def kata_manifest(self, kata: str) -> Manifest:
        """As in Storer. Raises CorruptKata where the kata has no manifest, too, and KataNotFound where it has nothing:
        somebody makes it, or has almost deleted it."""
        with self._places.kata(kata) as top:
            return read_manifest(top, kata)

    def completed(self, partial: str) -> str:
        """As in Storer."""
        if not isinstance(partial, str) or len(partial) < _COMPLETED_FROM or not is_outer(partial[:OUTER_LENGTH]):
            return partial
        outer = partial[:OUTER_LENGTH]
        catalog = self._store.catalog()
        found = [kata for kata in catalog.katas_in(outer) if kata.startswith(partial) and kata_volume(kata) in catalog]
        return found[0] if len(found) == 1 else partial

    def katas(self) -> list[KataId]:
        """As in Storer."""
        catalog = self._store.catalog()
        return [kata for kata in catalog.katas() if kata_volume(kata) in catalog]

    def delete_kata(self, kata: str) -> None:
        """As in Storer. The volumes that avatars have of their own go before the kata's, so that a kill leaves none
        without kata."""
        known = checked_id(kata)
        if not self.kata_exists(known):
            raise self._missing(known)
        # Each is asked for: the catalog may be a second behind what another process has made or removed.
        own = [volume for avatar in AVATARS if self._store.exists(volume := avatar_volume(known, avatar))]
        volumes = [*own, kata_volume(known)]
        for volume in volumes:
            if self._store.in_use(volume):
                raise KataInUse(f"kata {known} can't be deleted: a container uses volume {volume}")
        try:
            with named_faults(f"kata {known}"), self._places.volume(kata_volume(known)) as top:
                _mark(top)
            for volume in own:
                with suppress(FileNotFoundError):  # somebody else deletes the kata as well
                    self._remove(volume, is_kata=False)
            self._remove(kata_volume(known), is_kata=True)
        except FileNotFoundError:
            raise self._missing(known) from None

    def _missing(self, kata: KataId) -> KataNotFound:
        return KataNotFound(f"kata {kata} is not in {self._store.url}")

    def _remove(self, volume: VolumeName, *, is_kata: bool) -> None:
        """Remove a volume with all that is in it, also what a test run that goes on puts there meanwhile: it soon finds
        its directories gone. Raises FileNotFoundError, also where another has its name by now, and OSError(ENOTEMPTY)
        where that doesn't end."""
        with named_faults(f"volume {volume}"), self._places.volume(volume) as top:
            for left in reversed(range(_REMOVALS)):
                try:
                    if is_kata:
                        _mark(top)
                        _remove_avatars(top)
                    remove_all(top, but=DELETED)
                    remove_all(top)
                    self._store.remove(volume)
                except OSError as problem:
                    if problem.errno == errno.ENOTEMPTY and not os.fstat(top).st_nlink:
                        raise answer(errno.ENOENT, volume.encode()) from None
                    if problem.errno != errno.ENOTEMPTY or not left:
                        raise
                else:
                    return


def _mark(top: int) -> None:
    """Tell others that a kata is being deleted; also one that somebody makes in the volume before that goes. Where
    something is in the way, which a container may have put there, the kata is removed all the same."""
    try:
        names.rename(top, MANIFEST, top, DELETED, 0)
    except OSError:
        with suppress(OSError):
            os.close(names.create_file(top, DELETED, os.O_WRONLY, 0o666))


def _remove_avatars(top: int) -> None:
    """Each one's name goes first, in one step: what goes on in it fails since it isn't there any more, and not since a
    part is missing. Where that can't be, since something of another volume is in it, the avatar is left for later."""
    for avatar in AVATARS:
        hidden = files.temporary_name()
        try:
            names.rename(top, avatar.encode(), top, hidden, names.RENAME_NOREPLACE)
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.EXDEV):
                raise
            continue
        with suppress(FileNotFoundError, NotADirectoryError):
            remove_tree(top, hidden)


def _is_begun(top: int) -> bool:
    """Whether there is nothing in a kata's volume yet, as a kill leaves it in the middle of its making."""
    return all(files.is_temporary(top, name) for name in names.listing(top))
