"""An avatar's tags, kept as files, as the history that git is to have of them: pure of git and of writing.

A run is as old as its tag's time says, taken for UTC, or where that says nothing as the tag's file, so the same tags
make the same history.
"""

from collections.abc import Iterator
from datetime import UTC

from katafs.converter.avatar_tags import refuse_strays
from katafs.errors import CorruptKata
from katafs.rooted import files
from katafs.storers.checks import checked_content
from katafs.storers.git_stream import Run
from katafs.storers.increments import INCREMENTS, Light, increment_of, lights
from katafs.storers.json_files import LIMIT_BYTES, decoded, encoded
from katafs.storers.storer import Increment, Tag
from katafs.storers.tag_files import file_of, read_tag, shown_files, stored_numbers
from katafs.storers.times import moment

MANIFEST = b"manifest.json"


class TagHistory:
    """What is in `tags/`, and what increments.json and manifest.json say beyond it."""

    def __init__(self, avatar: int, tags: int, whose: str) -> None:
        """Raises CorruptKata where `tags/` holds more than tags."""
        self._tags = tags
        self._whose = whose
        self.numbers = stored_numbers(tags)
        self._manifest = _read(avatar, MANIFEST)
        self._increments = _read(avatar, INCREMENTS)
        told = _lights(self._increments)
        self._increments_are_broken = told is None
        self._lights = {light.number: (light, entry) for light, entry in told or ()}
        refuse_strays(tags, whose)

    def tag(self, number: int) -> Tag:
        """A tag. Raises CorruptKata, TooLarge."""
        return read_tag(self._tags, number, self._whose)

    def mtime_ns(self, number: int) -> int:
        """How old a tag's file is."""
        status = files.status_of(self._tags, file_of(number))
        return status.st_mtime_ns if status else 0

    def runs(self) -> Iterator[Run]:
        """Each tag as git is to keep it."""
        so_far: list[Increment] = []
        for number in self.numbers:
            tag = self.tag(number)
            so_far += self._entry(tag)
            sandbox = {name: checked_content(name, content) for name, content in shown_files(tag).items()}
            yield Run(number, self._time_s(tag), self._manifest_of(tag), self._increments_of(so_far), sandbox)

    def manifest(self) -> bytes:
        """The content of manifest.json after the newest tag: what is there, if it says the same."""
        return self._manifest_of(self.tag(self.numbers[-1]))

    def increments(self) -> bytes | None:
        """The content of increments.json after the newest tag; None where what is there is broken, or lacks no tag."""
        if self._increments_are_broken or max(self._lights, default=0) >= self.numbers[-1]:
            return None
        return self._increments_of([entry for number in self.numbers for entry in self._entry(self.tag(number))])

    def _manifest_of(self, tag: Tag) -> bytes:
        """As it is in the file beside, if that is this tag's: other writers escape other characters."""
        shown, what = shown_files(tag), f"tag {tag['number']} of {self._whose}"
        return _same(self._manifest, shown) or encoded(shown, what)

    def _increments_of(self, entries: list[Increment]) -> bytes:
        return _same(self._increments, entries) or encoded(entries, f"increments.json of {self._whose}")

    def _entry(self, tag: Tag) -> list[Increment]:
        """The tag's in increments.json: the one that is there, which may say more, unless the tag says otherwise."""
        light, entry = self._lights.get(tag["number"], (None, {}))
        told = (tag["number"], tag["colour"], tag["time"])
        if light == told and tag["number"] > 0:
            return [entry]
        return [] if tag["number"] == 0 or told[1:] == (None, None) else [increment_of(tag)]

    def _time_s(self, tag: Tag) -> int:
        time = moment(tag["time"])
        time_s = time.replace(tzinfo=UTC).timestamp() if time else self.mtime_ns(tag["number"]) // 10**9
        return max(0, int(time_s))


def _read(avatar: int, name: bytes) -> bytes | None:
    """A file of the avatar's; None where it isn't there, and nothing where what is there can't be read as one."""
    try:
        return files.read(avatar, name, LIMIT_BYTES)
    except FileNotFoundError:
        return None
    except OSError:
        return b""


def _same(content: bytes | None, value: object) -> bytes | None:
    """The content, if it is JSON of this value."""
    try:
        return content if content and decoded(content, "") == value else None
    except CorruptKata:
        return None


def _lights(increments: bytes | None) -> list[tuple[Light, Increment]] | None:
    """What increments.json says of each test run, and how; nothing where it isn't there, None where it is broken."""
    try:
        content = b"[]" if increments is None else increments
        found, entries = lights(content), decoded(content, "")
    except CorruptKata:
        return None
    assert isinstance(entries, list)  # `lights` has refused anything else
    # Two entries of one number are no list that a history could repeat.
    return list(zip(found.values(), entries, strict=True)) if len(found) == len(entries) else None
