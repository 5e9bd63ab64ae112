"""The storer without git, on any store of volumes: katas, avatars and tags, each by a part of its own."""

from collections.abc import Iterable, Mapping, Sequence

from katafs.kata_id import AvatarName
from katafs.storers.avatars import AvatarsStorer, change_files
from katafs.storers.checks import checked_content, checked_files, checked_name, checked_run
from katafs.storers.diff import FileDiff, differences
from katafs.storers.katas import KatasStorer
from katafs.storers.storer import OUTPUT, Increment
from katafs.storers.tags import TagsStorer


class PlainStorer(KatasStorer, AvatarsStorer, TagsStorer):
    """A Storer that keeps each test run as a file."""

    def start_avatar(self, kata: str, names: Iterable[str]) -> AvatarName | None:
        """As in Storer."""
        start = self.start_files(kata)
        with self.starting(kata, names) as avatar:
            if avatar is not None:
                self._write(kata, avatar, start)
                self.start_tags(kata, avatar, start)
        return avatar

    def _write(self, kata: str, name: str, contents: Mapping[str, str]) -> None:
        """Write these files to the sandbox, and leave alone every other."""
        written = {checked_name(file): checked_content(file, content) for file, content in contents.items()}
        with self._places.sandbox(kata, name) as sandbox:
            change_files(sandbox, written)

    def avatar_ran_tests(
        self, kata: str, name: str, files: Mapping[str, str], now: Sequence[int], output: str, colour: str
    ) -> list[Increment]:
        """As in Storer. The output goes to the sandbox, too."""
        checked_run(now, output, colour)
        checked_files(files)
        self._write(kata, name, {OUTPUT: output})
        return super().avatar_ran_tests(kata, name, files, now, output, colour)

    def tag_diff(self, kata: str, name: str, old: int, new: int) -> list[FileDiff]:
        """As in Storer. Compares the visible files: what git has of a sandbox that was saved with them."""
        return differences(self.tag_visible_files(kata, name, old), self.tag_visible_files(kata, name, new))
