"""Starts of avatars: the directory `<avatar>` in the kata's volume is what starts one, and laptops race for the same
animal, so its name comes in one step.

Knows where a new sandbox goes. Knows nothing of how tags are kept.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from katafs.config import Sandboxes
from katafs.kata_id import AvatarName, KataId, avatar_volume
from katafs.namespace import SANDBOX_NAME
from katafs.rooted import files, names
from katafs.rooted.removing import remove_all
from katafs.storers import start_marks
from katafs.storers.checks import checked_avatar, checked_id
from katafs.storers.manifests import start_files
from katafs.storers.places import Part, in_avatar
from katafs.volumes.store import VolumeStore

_DIRECTORY_MODE = 0o777


class NewAvatar(NamedTuple):
    """An avatar that is being started: nobody else works in its directory, nor in its sandbox, which is empty."""

    kata: KataId
    name: AvatarName
    directory: int
    sandbox: int


Fill = Callable[[NewAvatar, dict[str, str]], None]
"""Stores the files that an avatar starts with, in its sandbox and as tag 0, which comes last."""


class Starts(Part):
    """Starts the avatars of a store's katas."""

    def __init__(self, store: VolumeStore, sandboxes: Sandboxes) -> None:
        """`sandboxes` says where a new avatar's sandbox goes."""
        super().__init__(store)
        self._sandboxes = sandboxes

    def first_free(self, kata: str, wanted: Iterable[str], fill: Fill) -> AvatarName | None:
        """Start the first of these avatars whose name is free; None where none is.

        It is started when it is filled. A failure in that, or a kill, gives the name back."""
        known, candidates = checked_id(kata), [checked_avatar(name) for name in wanted]
        with self._places.kata(known) as top:
            start = start_files(top, known)
            for avatar in candidates:
                if self._started(top, known, avatar, lambda new: fill(new, start)):
                    return avatar
        return None

    def _is_free(self, top: int, kata: KataId, avatar: AvatarName) -> bool:
        """Whether nobody has the name, or a start did that was broken off."""
        # PermissionError: another user's start, whose name isn't free then.
        with start_marks.broken_off(top, avatar.encode()) as broken_off, suppress(PermissionError):
            if broken_off:
                self._give_back(top, kata, avatar)
        return files.status_of(top, avatar.encode()) is None and not self._store.exists(avatar_volume(kata, avatar))

    def _started(self, top: int, kata: KataId, avatar: AvatarName, fill: Callable[[NewAvatar], None]) -> bool:
        """Start an avatar; False where its name isn't free, or is taken meanwhile."""
        if not self._is_free(top, kata, avatar):
            return False
        with start_marks.taken(top, avatar.encode()) as directory:
            if directory is None:
                return False
            try:
                with in_avatar(top, directory, kata, avatar), self._made_sandbox(directory, kata, avatar) as sandbox:
                    if sandbox is not None:
                        fill(NewAvatar(kata, avatar, directory, sandbox))
                    start_marks.complete(directory)
                    return sandbox is not None
            except BaseException:
                self._give_back(top, kata, avatar)
                raise

    @contextmanager
    def _made_sandbox(self, directory: int, kata: KataId, avatar: AvatarName) -> Iterator[int | None]:
        """None where somebody has made the avatar's volume: they have the avatar, and its directory stays, as it does
        where they make the volume first."""
        if self._sandboxes is Sandboxes.KATA:
            names.make_directory(directory, SANDBOX_NAME, _DIRECTORY_MODE)
            with files.opened_directory(directory, SANDBOX_NAME) as sandbox:
                yield sandbox
            return
        own = avatar_volume(kata, avatar)
        try:
            self._store.create(own)
        except FileExistsError:
            yield None
            return
        with self._places.volume(own) as sandbox:
            yield sandbox

    def _give_back(self, top: int, kata: KataId, avatar: AvatarName) -> None:
        """Also where the kata is being deleted: that is the fault which the start came to."""
        own = avatar_volume(kata, avatar)
        is_ours = self._sandboxes is Sandboxes.AVATAR and not self._has_sandbox(top, avatar)
        if is_ours and self._store.exists(own) and not self._store.in_use(own):
            with self._places.volume(own) as inside:
                remove_all(inside)
            self._store.remove(own)
        with suppress(FileNotFoundError):
            start_marks.give_back(top, avatar.encode())

    @staticmethod
    def _has_sandbox(top: int, avatar: AvatarName) -> bool:
        with suppress(FileNotFoundError), files.opened_directory(top, avatar.encode()) as directory:
            return files.is_directory(directory, SANDBOX_NAME)
        return False
