"""The tags of real avatars: what is shown of each is what git says of it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from katafs.storers.git_tags import GitTags
from tests.harness import needs
from tests.harness.hostile_git import git
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run

SETS = {"katas-red": 25, "katas-89": 4}
"""How many avatars with `.git` each set has."""

ALL = 1 << 40


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(f"tags-{name}")) for name in SETS]
)
def avatars(request: pytest.FixtureRequest) -> Iterator[list[Path]]:
    """The avatars with `.git` of a set, unpacked."""
    needs.root()
    needs.programs("git", "tar")
    directory = fresh_directory()
    archive = needs.shared_data() / f"{request.param}.tar.gz"
    run(["tar", "--numeric-owner", "-xpf", archive, "-C", directory])
    found = sorted(path.parent for path in directory.glob("katas/??/????????/*/.git"))
    assert len(found) == SETS[request.param]
    yield found
    remove_directory(directory)


def shown(avatar: Path) -> list[tuple[int, int, int, bytes]]:
    """Each tag's number, size, time and bytes, asked of a reader that remembers nothing yet."""
    tags = GitTags()
    descriptor = os.open(avatar, os.O_PATH | os.O_DIRECTORY)
    try:
        numbers = tags.numbers(descriptor)
        assert numbers is not None
        return [(number, *tags.status(descriptor, number), tags.read(descriptor, number, 0, ALL)) for number in numbers]
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
