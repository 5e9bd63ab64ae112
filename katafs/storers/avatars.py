"""Avatars and their sandboxes: `<avatar>/sandbox/` in the kata's volume, or a volume `<id>_<avatar>` for the sandbox.

Stands alone. The directory `<avatar>` is what starts an avatar: mkdir is atomic, and laptops race for the same animal.
"""

import os
from collections.abc import Iterable, Mapping

from katafs.config import Sandboxes
from katafs.kata_id import AvatarName, KataId, VolumeName, avatar_name, avatar_volume, kata_id
from katafs.namespace import SANDBOX_NAME
from katafs.rooted import files, names
from katafs.storers.checks import checked_avatar, checked_content, checked_delta, checked_id, checked_name
from katafs.storers.places import Places, opened_directory
from katafs.storers.storer import Delta
from katafs.volumes.store import VolumeStore

_DIRECTORY_MODE = 0o777
_SCRIPT_MODE = 0o755


class AvatarsStorer:
    """The avatars of a store's katas."""

    def __init__(self, store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> None:
        """`sandboxes` says where a new avatar's sandbox goes; those that exist are found in either place."""
        self._store = store
        self._places = Places(store)
        self._sandboxes = sandboxes

    def start_avatar(self, kata: str, wanted: Iterable[str]) -> AvatarName | None:
        """Take the first of these names that is free, with an empty sandbox; None where none is. Raises BadAvatar."""
        known, candidates = checked_id(kata), [checked_avatar(name) for name in wanted]
        with self._places.kata(known) as top:
            return next((avatar for avatar in candidates if self._started(top, known, avatar)), None)

    def _started(self, top: int, kata: KataId, avatar: AvatarName) -> bool:
        """Whether this call started the avatar."""
        own = avatar_volume(kata, avatar)
        if self._store.exists(own):
            return False
        try:
            names.make_directory(top, avatar.encode(), _DIRECTORY_MODE)
        except FileExistsError:
            return False
        try:
            return self._made_sandbox(top, avatar, own)
        except BaseException:
            files.remove_tree(top, avatar.encode())
            raise

    def _made_sandbox(self, top: int, avatar: AvatarName, own: VolumeName) -> bool:
        if self._sandboxes is Sandboxes.KATA:
            with opened_directory(top, avatar.encode()) as directory:
                names.make_directory(directory, SANDBOX_NAME, _DIRECTORY_MODE)
            return True
        try:
            self._store.create(own)
        except FileExistsError:
            # Whoever made the volume has the avatar; the directory stays, as it does where they made it first.
            return False
        return True

    def undo_start(self, kata: str, name: str) -> None:
        """Give a name back whose start failed later."""
        known, avatar = checked_id(kata), checked_avatar(name)
        own = avatar_volume(known, avatar)
        if self._store.exists(own):
            with self._places.volume(own) as top:
                files.remove_all(top)
            self._store.remove(own)
        with self._places.kata(known) as top:
            files.remove_tree(top, avatar.encode())

    def started_avatars(self, kata: str) -> list[AvatarName]:
        """As in Storer. Those with a volume of their own come from the store's index."""
        with self._places.kata(kata) as top:
            listed = (avatar_name(os.fsdecode(entry)) for entry in names.listing(top))
            found = {avatar for avatar in listed if avatar and files.is_directory(top, avatar.encode())}
        return sorted(found | set(self._store.catalog().avatars_of(checked_id(kata))))

    def avatar_exists(self, kata: str, name: str) -> bool:
        """As in Storer."""
        known, avatar = kata_id(kata), avatar_name(name)
        if known is None or avatar is None or not self._store.exists(VolumeName(known)):
            return False
        with self._places.kata(known) as top:
            return files.is_directory(top, avatar.encode()) or self._store.exists(avatar_volume(known, avatar))

    def sandbox_save(self, kata: str, name: str, delta: Delta, contents: Mapping[str, str | bytes]) -> None:
        """As in Storer."""
        deleted, written = checked_delta(delta, contents)
        with self._places.sandbox(kata, name) as sandbox:
            for stored, content in written.items():
                write_file(sandbox, stored, content)
            for stored in deleted:
                remove_file(sandbox, stored)

    def sandbox_write(self, kata: str, name: str, contents: Mapping[str, str]) -> None:
        """Write these files to the sandbox, and leave alone every other."""
        written = {checked_name(file): checked_content(file, content) for file, content in contents.items()}
        with self._places.sandbox(kata, name) as sandbox:
            for stored, content in written.items():
                write_file(sandbox, stored, content)


def write_file(sandbox: int, name: bytes, content: bytes) -> None:
    """Write one file of a sandbox; scripts are executable, as the servers have them."""
    files.replace(sandbox, name, content, mode=_SCRIPT_MODE if name.endswith(b".sh") else None)


def remove_file(sandbox: int, name: bytes) -> None:
    """Remove one file of a sandbox; one that is gone already is no error."""
    if files.status_of(sandbox, name) is not None:
        names.remove(sandbox, name)
