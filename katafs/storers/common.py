"""What a storer does in the same way with git and without: katas, and which avatars were started."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from katafs.config import Sandboxes
from katafs.errors import CorruptKata
from katafs.kata_id import AvatarName, KataId
from katafs.storers.avatars import AvatarsStorer
from katafs.storers.checks import checked_files
from katafs.storers.json_files import checked_texts
from katafs.storers.katas import KatasStorer
from katafs.storers.storer import Manifest
from katafs.volumes.store import VolumeStore


class CommonStorer(ABC):
    """That part of a Storer."""

    def __init__(self, store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> None:
        """`sandboxes` says where a new avatar's sandbox goes; those that exist are found in either place."""
        self._katas = KatasStorer(store)
        self._avatars = AvatarsStorer(store, sandboxes)

    def create_kata(self, manifest: Mapping[str, Any]) -> KataId:
        """As in Storer."""
        return self._katas.create_kata(manifest)

    def kata_exists(self, kata: str) -> bool:
        """As in Storer."""
        return self._katas.kata_exists(kata)

    def kata_manifest(self, kata: str) -> Manifest:
        """As in Storer."""
        return self._katas.kata_manifest(kata)

    def completed(self, partial: str) -> str:
        """As in Storer."""
        return self._katas.completed(partial)

    def katas(self) -> list[KataId]:
        """As in Storer."""
        return self._katas.katas()

    def delete_kata(self, kata: str) -> None:
        """As in Storer."""
        self._katas.delete_kata(kata)

    def start_avatar(self, kata: str, names: Iterable[str]) -> AvatarName | None:
        """As in Storer."""
        start = self._start_files(kata)
        with self._avatars.starting(kata, names) as avatar:
            if avatar is not None:
                self._begin(kata, avatar, start)
        return avatar

    @abstractmethod
    def _begin(self, kata: str, avatar: AvatarName, start: dict[str, str]) -> None:
        """Give an avatar whose name was taken just now the files that it starts with, as its tag 0."""

    def started_avatars(self, kata: str) -> list[AvatarName]:
        """As in Storer."""
        return self._avatars.started_avatars(kata)

    def avatar_exists(self, kata: str, name: str) -> bool:
        """As in Storer."""
        return self._avatars.avatar_exists(kata, name)

    def _start_files(self, kata: str) -> dict[str, str]:
        """The files that an avatar starts with. Raises KataNotFound, CorruptKata, BadFileName."""
        manifest = self.kata_manifest(kata)
        if "visible_files" not in manifest:
            raise CorruptKata(f"the manifest of kata {kata} has no visible_files")
        return checked_files(checked_texts(manifest["visible_files"], f"visible_files of kata {kata}"))
