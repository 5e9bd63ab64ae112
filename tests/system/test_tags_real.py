"""The tags of real avatars: what is shown of each, read directly and through the mount, is what git says of it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from katafs.storers.git_tags import GitTags
from tests.harness import needs, real_katas
from tests.harness.avatars import git
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts, mounting
from tests.harness.programs import run

SETS = {"katas-red": 25, "katas-89": 4}
"""How many avatars with `.git` each set has."""


Facts = dict[Path, tuple[bytes, int, int, int]]
"""Of each tag's file in a split mount its bytes, size, time and inode."""


class Copied:
    """A set of katas, unpacked, and its copy in the volumes of a split mount."""

    def __init__(self, directory: Path, mount: Mounts) -> None:
        self.source = directory / "katas"
        self.avatars = sorted(path.parent for path in self.source.glob("??/????????/*/.git"))
        self._mount = mount
        self._mounted: Mounted | None = None

    def mounted(self, layout: str) -> Path:
        """A new mount of the copy, in place of the one before."""
        if self._mounted is not None:
            self._mounted.stop()
        self._mounted = self._mount("--layout", layout)
        return self._mounted.path

    def rsync(self, mounted: Path, *options: str) -> str:
        """Run rsync from the source to a split mount; what it printed."""
        return run(["rsync", *options, f"{self.source}/", f"{mounted}/"]).stdout

    def facts(self, mounted: Path) -> Facts:
        """Read every tag of every avatar with git through a split mount."""
        found = {}
        for avatar in self.avatars:
            for number in git(avatar, "tag").split():
                path = avatar.relative_to(self.source) / "tags" / f"{number}.json"
                status = (mounted / path).stat()
                found[path] = ((mounted / path).read_bytes(), status.st_size, status.st_mtime_ns, status.st_ino)
        return found


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(f"tags-{name}")) for name in SETS]
)
def unpacked(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory with the `katas` of a set."""
    needs.programs("git")
    with real_katas.unpacked(request.param) as directory:
        assert len(list(directory.glob("katas/??/????????/*/.git"))) == SETS[request.param]
        yield directory


@pytest.fixture(scope="module")
def avatars(unpacked: Path) -> list[Path]:
    """The avatars with `.git` of a set."""
    return sorted(path.parent for path in unpacked.glob("katas/??/????????/*/.git"))


@pytest.fixture(scope="module")
def copied(unpacked: Path) -> Iterator[Copied]:
    """The set and its copy through the mount."""
    needs.programs("rsync")
    with mounting(unpacked) as mount:
        copied = Copied(unpacked, mount)
        copied.rsync(copied.mounted("split"), "-aHAX")
        yield copied


def shown(avatar: Path) -> list[tuple[int, int, int, bytes]]:
    """Each tag's number, size, time and bytes, asked of a reader that remembers nothing yet."""
    tags = GitTags()
    descriptor = os.open(avatar, os.O_PATH | os.O_DIRECTORY)
    try:
        numbers = tags.numbers(descriptor)
        assert numbers is not None
        return [(number, *tags.status(descriptor, number), tags.read(descriptor, number)) for number in numbers]
    finally:
        os.close(descriptor)


def said_by_git(avatar: Path, number: int) -> dict[str, Any]:
    files = json.loads(git(avatar, "show", f"{number}:manifest.json"))
    lights = json.loads(git(avatar, "show", f"{number}:increments.json"))
    light: dict[str, Any] = next((light for light in lights if light["number"] == number), {})
    return {
        "number": number,
        "colour": light.get("colour", light.get("outcome")),
        "time": light.get("time"),
        "output": files.pop("output", None),
        "visible_files": files,
    }


def test_each_tag_says_what_git_says(avatars: list[Path]) -> None:
    for avatar in avatars:
        for number, _, _, content in shown(avatar):
            assert json.loads(content) == said_by_git(avatar, number), f"{avatar} tag {number}"


def test_the_numbers_are_those_of_git(avatars: list[Path]) -> None:
    for avatar in avatars:
        wanted = sorted(int(name) for name in git(avatar, "tag").split())

        assert [number for number, *_ in shown(avatar)] == wanted, avatar


def test_the_size_is_that_of_the_bytes(avatars: list[Path]) -> None:
    wrong = [
        (avatar, number)
        for avatar in avatars
        for number, size_bytes, _, content in shown(avatar)
        if size_bytes != len(content)
    ]

    assert wrong == []


def test_the_time_is_that_of_the_tag(avatars: list[Path]) -> None:
    for avatar in avatars:
        listed = git(avatar, "for-each-ref", "refs/tags", "--format=%(refname:short) %(taggerdate:unix)").split()
        wanted = dict(zip(map(int, listed[::2]), map(int, listed[1::2]), strict=True))

        assert {number: time_ns // 10**9 for number, _, time_ns, _ in shown(avatar)} == wanted, avatar


def test_a_second_reading_is_identical(avatars: list[Path]) -> None:
    assert [shown(avatar) for avatar in avatars] == [shown(avatar) for avatar in avatars]


def test_packing_changes_nothing(avatars: list[Path]) -> None:
    before = [shown(avatar) for avatar in avatars]
    for avatar in avatars:
        git(avatar, "gc", "--quiet", "--aggressive", "--prune=now")

    assert [shown(avatar) for avatar in avatars] == before


def test_the_mount_says_what_git_says(copied: Copied) -> None:
    facts = copied.facts(copied.mounted("split"))

    for path, (content, *_) in facts.items():
        avatar, number = copied.source / path.parent.parent, int(path.stem)
        assert json.loads(content) == said_by_git(avatar, number), path


def test_the_mount_gives_the_size_of_the_bytes(copied: Copied) -> None:
    facts = copied.facts(copied.mounted("split"))

    assert [path for path, (content, size_bytes, *_) in facts.items() if len(content) != size_bytes] == []


def test_a_second_reading_and_a_new_mount_are_identical(copied: Copied) -> None:
    mounted = copied.mounted("split")
    before = copied.facts(mounted)

    assert copied.facts(mounted) == before
    assert copied.facts(copied.mounted("split")) == before


def test_rsync_sees_nothing_of_tags_that_were_read(copied: Copied) -> None:
    mounted = copied.mounted("split")
    copied.facts(mounted)

    assert copied.rsync(mounted, "-ani") == ""


def test_a_flat_mount_lists_every_tag(copied: Copied) -> None:
    mounted = copied.mounted("flat")

    for avatar in copied.avatars:
        outer, inner, name = avatar.relative_to(copied.source).parts
        wanted = {f"{number}.json" for number in git(avatar, "tag").split()}
        assert set(os.listdir(mounted / f"{outer}{inner}" / name / "tags")) == wanted, avatar
