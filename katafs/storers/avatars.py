"""Avatars and their sandboxes: `<avatar>/sandbox/` in the kata's volume, or a volume `<id>_<avatar>` for the sandbox.

The directory `<avatar>` is what starts an avatar: its name comes in one step, and laptops race for the same animal.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from katafs.config import Sandboxes
from katafs.errors import BadAvatar, BadId
from katafs.kata_id import AvatarName, KataId, avatar_name, avatar_volume, kata_volume
from katafs.namespace import SANDBOX_NAME
from katafs.rooted import files, names
from katafs.rooted.removing import remove_all
from katafs.storers import starting
from katafs.storers.checks import checked_avatar, checked_delta, checked_id
from katafs.storers.places import Part
from katafs.storers.storer import Delta
from katafs.volumes.store import VolumeStore

_DIRECTORY_MODE = 0o777
_SCRIPT_MODE = 0o755


class AvatarsStorer(Part):
    """The avatars of a store's katas."""

    def __init__(self, store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> None:
        """`sandboxes` says where a new avatar's sandbox goes; those that exist are found in either place."""
        super().__init__(store)
        self._sandboxes = sandboxes

    @contextmanager
    def starting(self, kata: str, wanted: Iterable[str]) -> Iterator[AvatarName | None]:
        """Take the first of these names that is free, with an empty sandbox; None where none is. Raises BadAvatar.

        The avatar is started when the block ends. A failure in it, or a kill, gives the name back."""
        known, candidates = checked_id(kata), [checked_avatar(name) for name in wanted]
        with self._places.kata(known) as top:
            for avatar in candidates:
                with self._taken(top, known, avatar) as directory:
                    if directory is not None:
                        yield avatar
                        starting.complete(directory)
                        return
            yield None

    @contextmanager
    def _taken(self, top: int, kata: KataId, avatar: AvatarName) -> Iterator[int | None]:
        # PermissionError: another user's start, whose name isn't free then.
        with starting.broken_off(top, avatar.encode()) as broken_off, suppress(PermissionError):
            if broken_off:
                self._give_back(top, kata, avatar)
        if files.status_of(top, avatar.encode()) is not None or self._store.exists(avatar_volume(kata, avatar)):
            yield None
            return
        with starting.taken(top, avatar.encode()) as directory:
            if directory is None:
                yield None
                return
            try:
                yield directory if self._made_sandbox(directory, kata, avatar) else None
            except BaseException:
                self._give_back(top, kata, avatar)
                raise

    def _made_sandbox(self, directory: int, kata: KataId, avatar: AvatarName) -> bool:
        if self._sandboxes is Sandboxes.KATA:
            names.make_directory(directory, SANDBOX_NAME, _DIRECTORY_MODE)
            return True
        try:
            self._store.create(avatar_volume(kata, avatar))
        except FileExistsError:
            # Whoever made the volume has the avatar; the directory stays, as it does where they made it first.
            starting.complete(directory)
            return False
        return True

    def _give_back(self, top: int, kata: KataId, avatar: AvatarName) -> None:
        """Also where the kata is being deleted: that is the fault which the start came to."""
        own = avatar_volume(kata, avatar)
        is_ours = self._sandboxes is Sandboxes.AVATAR and not self._has_sandbox(top, avatar)
        if is_ours and self._store.exists(own) and not self._store.in_use(own):
            with self._places.volume(own) as inside:
                remove_all(inside)
            self._store.remove(own)
        with suppress(FileNotFoundError):
            starting.give_back(top, avatar.encode())

    @staticmethod
    def _has_sandbox(top: int, avatar: AvatarName) -> bool:
        with suppress(FileNotFoundError), files.opened_directory(top, avatar.encode()) as directory:
            return files.is_directory(directory, SANDBOX_NAME)
        return False

    def started_avatars(self, kata: str) -> list[AvatarName]:
        """As in Storer. Those with a volume of their own come from the store's index."""
        with self._places.kata(kata) as top:
            listed = (avatar_name(os.fsdecode(entry)) for entry in names.listing(top))
            found = {avatar for avatar in listed if avatar and files.is_directory(top, avatar.encode())}
            found.update(self._store.catalog().avatars_of(checked_id(kata)))
            return sorted(avatar for avatar in found if not starting.is_begun(top, avatar.encode()))

    def avatar_exists(self, kata: str, name: str) -> bool:
        """As in Storer."""
        try:
            known, avatar = checked_id(kata), checked_avatar(name)
        except (BadId, BadAvatar):
            return False
        if not self._store.exists(kata_volume(known)):
            return False
        with self._places.kata(known) as top:
            there = files.is_directory(top, avatar.encode()) or self._store.exists(avatar_volume(known, avatar))
            return there and not starting.is_begun(top, avatar.encode())

    def sandbox_save(self, kata: str, name: str, delta: Delta, contents: Mapping[str, str | bytes]) -> None:
        """As in Storer."""
        deleted, written = checked_delta(delta, contents)
        with self._places.sandbox(kata, name) as sandbox:
            change_files(sandbox, written, deleted)


def change_files(sandbox: int, written: Mapping[bytes, bytes], deleted: Iterable[bytes] = ()) -> None:
    """Write files of a sandbox, scripts executable, as the servers have them, and remove others; one that is gone
    already is no error. It returns when the disk has it: nobody would write an unchanged file again."""
    for name, content in written.items():
        files.replace(sandbox, name, content, mode=_SCRIPT_MODE if name.endswith(b".sh") else None)
    for name in deleted:
        if files.status_of(sandbox, name) is not None:
            names.remove(sandbox, name)
    files.sync_directory(sandbox)
