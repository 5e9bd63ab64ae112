"""Avatars that were started, and their sandboxes: `<avatar>/sandbox/` in the kata's volume, or volumes `<id>_<avatar>`.

Stands alone.
"""

import os
from collections.abc import Iterable, Mapping

from katafs.errors import BadAvatar, BadId
from katafs.kata_id import AvatarName, avatar_name, avatar_volume, kata_volume
from katafs.rooted import files, names
from katafs.storers.checks import checked_avatar, checked_delta, checked_id
from katafs.storers.places import Part
from katafs.storers.start_marks import is_begun
from katafs.storers.storer import Delta

_SCRIPT_MODE = 0o755


class AvatarsStorer(Part):
    """The avatars of a store's katas."""

    def started_avatars(self, kata: str) -> list[AvatarName]:
        """As in Storer. Those with a volume of their own come from the store's index."""
        with self._places.kata(kata) as top:
            listed = (avatar_name(os.fsdecode(entry)) for entry in names.listing(top))
            found = {avatar for avatar in listed if avatar and files.is_directory(top, avatar.encode())}
            found.update(self._store.catalog().avatars_of(checked_id(kata)))
            return sorted(avatar for avatar in found if not is_begun(top, avatar.encode()))

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
            return there and not is_begun(top, avatar.encode())

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
