"""What people want to see of a kata: its avatars' traffic-lights and tags, whether git keeps them or not.

It looks and never writes, runs no git, and trusts nothing that it reads. Unlike a Storer it shows what can be shown
where something is odd, and says beside it what is wrong. Must not know how anything is shown.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from katafs.errors import CorruptKata, KatafsError, StoreUnreachable, TagNotFound
from katafs.kata_id import AvatarName, KataId, kata_volume
from katafs.namespace import GIT_NAME, TAGS_NAME
from katafs.rooted import files
from katafs.storers.avatars import AvatarsStorer
from katafs.storers.diff import FileDiff, differences
from katafs.storers.git_tags import CONTENTS_LIMIT_BYTES, GitTags
from katafs.storers.increments import INCREMENTS, Light, light_of, lights, stored_lights
from katafs.storers.json_files import checked_object, checked_texts
from katafs.storers.places import Places
from katafs.storers.storer import OUTPUT
from katafs.storers.tag_files import file_of, stored_numbers
from katafs.volumes.store import VolumeStore


class AvatarLights(NamedTuple):
    """An avatar's row of lights."""

    avatar: AvatarName
    lights: list[Light]
    """One for each tag but 0, which is the start and has none."""
    problems: list[str]
    """What could not be read, a line each."""


class Reader:
    """Looks at the katas of a store. Raises, besides what is said, StoreUnreachable, VolumeRefused, CorruptKata,
    TooLarge, and KatafsError for what the system says, permissions included."""

    def __init__(self, store: VolumeStore) -> None:
        self._store = store
        self._places = Places(store)
        self._avatars = AvatarsStorer(store)
        self._git = GitTags()

    def katas(self) -> list[KataId]:
        """Every kata of the store's index, sorted."""
        return self._store.catalog().katas()

    def avatars(self, kata: KataId) -> list[AvatarName]:
        """The avatars that were started, sorted. Raises KataNotFound."""
        with _readable(f"kata {kata}"):
            if not self._store.exists(kata_volume(kata)):
                own = self._store.catalog().avatars_of(kata)
                if own:
                    return own
            return self._avatars.started_avatars(kata)

    def lights(self, kata: KataId, avatar: AvatarName) -> AvatarLights:
        """An avatar's lights, as far as they can be read; raises StoreUnreachable only."""
        problems: list[str] = []
        found: list[Light] = []
        try:
            with self._opened(kata, avatar) as directory:
                found = self._lights(directory, self._numbers(directory, problems), problems)
        except StoreUnreachable:
            raise
        except KatafsError as fault:
            return AvatarLights(avatar, [], [str(fault)])
        whose = _whose(kata, avatar)
        return AvatarLights(avatar, found, [f"{whose}: {problem}" for problem in problems])

    def _numbers(self, directory: int, problems: list[str]) -> list[int]:
        """The tags that git has, or that there are files of; none where neither is there."""
        try:
            numbers = self._git.numbers(directory)
        except (CorruptKata, OSError) as damage:
            problems.append(_said(damage, "its tags"))
            return []
        return _stored_numbers(directory) if numbers is None else numbers

    def _lights(self, directory: int, numbers: list[int], problems: list[str]) -> list[Light]:
        """The lights of these tags, or, where no tag is known, all that increments.json says."""
        found = [Light(number, None, None) for number in numbers]
        if files.status_of(directory, INCREMENTS) is None:
            problems.append("increments.json isn't there")
        try:
            told = stored_lights(directory)
            found = [light_of(told, number) for number in numbers] if numbers else [*told.values()]
        except (CorruptKata, OSError) as damage:
            problems.append(_said(damage, "increments.json"))
        return [self._completed(directory, light) for light in sorted(found) if light.number > 0]

    def _completed(self, directory: int, light: Light) -> Light:
        """A light that increments.json doesn't have, from the tag's own file, where a kill came between the two."""
        if light.colour is not None or self._has_git(directory):
            return light
        try:
            # A tag's file says of its light what an entry of increments.json says.
            return lights(b"[" + _stored(directory, light.number) + b"]").get(light.number, light)
        except (CorruptKata, OSError):
            return light  # it is shown without a colour; what is wrong is said where the tag is asked for

    def tag_json(self, kata: KataId, avatar: AvatarName, number: int) -> bytes:
        """A tag as `tags/<n>.json` in a mounted tree has it. Raises AvatarNotFound, TagNotFound."""
        what = _tag_of(kata, avatar, number)
        with self._opened(kata, avatar) as directory:
            try:
                kept = self._git.read(directory, number) if self._has_git(directory) else _stored(directory, number)
            except FileNotFoundError:
                raise TagNotFound(f"{what} isn't there") from None
            except CorruptKata as damage:
                raise CorruptKata(f"{_whose(kata, avatar)}: {damage}") from damage
        _parsed(kept, what)
        return kept

    def visible_files(self, kata: KataId, avatar: AvatarName, number: int) -> dict[str, str]:
        """A tag's files, `output` among them if it has one; bytes that aren't UTF-8 are surrogates in their texts.
        Raises as `tag_json` does."""
        what = _tag_of(kata, avatar, number)
        found = _parsed(self.tag_json(kata, avatar, number), what)
        shown = checked_texts(found.get("visible_files"), f"visible_files of {what}")
        if found.get("output") is None:
            return shown
        return shown | checked_texts({OUTPUT: found["output"]}, f"output of {what}")

    def tag_diff(self, kata: KataId, avatar: AvatarName, old: int, new: int) -> list[FileDiff]:
        """What changed from one tag to another, as in Storer. Bytes that aren't UTF-8 count as question marks."""
        before, after = (
            {_utf8(name): _utf8(content) for name, content in self.visible_files(kata, avatar, number).items()}
            for number in (old, new)
        )
        return differences(before, after)

    def _has_git(self, directory: int) -> bool:
        return files.is_directory(directory, GIT_NAME)

    @contextmanager
    def _opened(self, kata: KataId, avatar: AvatarName) -> Iterator[int]:
        with _readable(_whose(kata, avatar)), self._places.avatar(kata, avatar) as directory:
            yield directory


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise KatafsError(f"{what} can't be read: {problem.strerror}") from problem


def _stored_numbers(directory: int) -> list[int]:
    """The tags that there are files of."""
    try:
        with files.opened_directory(directory, TAGS_NAME) as tags:
            return stored_numbers(tags)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stored(directory: int, number: int) -> bytes:
    with files.opened_directory(directory, TAGS_NAME) as tags:
        return files.read(tags, file_of(number), CONTENTS_LIMIT_BYTES)


def _parsed(content: bytes, what: str) -> dict[str, object]:
    try:
        return checked_object(json.loads(content.decode(errors="surrogateescape")), what)
    except (ValueError, RecursionError) as problem:
        raise CorruptKata(f"{what} is broken JSON: {problem}") from None


def _said(damage: Exception, what: str) -> str:
    return f"{what} can't be read: {os.strerror(damage.errno or 0)}" if isinstance(damage, OSError) else str(damage)


def _utf8(text: str) -> str:
    return text.encode(errors="replace").decode()


def _whose(kata: KataId, avatar: AvatarName) -> str:
    return f"avatar {avatar} of kata {kata}"


def _tag_of(kata: KataId, avatar: AvatarName, number: int) -> str:
    return f"tag {number} of {_whose(kata, avatar)}"
