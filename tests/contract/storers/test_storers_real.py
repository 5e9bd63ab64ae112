"""GitStorer on katas as real servers left them: it reads every tag, oddities and all, and goes on where they ended."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.namespace import Layout
from katafs.storers.git import GitStorer
from katafs.storers.storer import Delta
from katafs.volumes.tree_store import TreeStore
from tests.contract.storers.cells import NOW
from tests.harness import real_katas
from tests.harness.programs import run


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """The katas, for tests that only read."""
    with real_katas.unpacked() as directory:
        yield directory / "katas"


@pytest.fixture
def storer(root: Path) -> Iterator[GitStorer]:
    """A storer on the servers' own tree."""
    with closing(TreeStore(root, Layout.SPLIT)) as store:
        yield GitStorer(store)


def avatars(root: Path) -> list[Path]:
    """The avatars that git keeps."""
    return sorted(path.parent for path in root.glob("*/*/*/.git"))


def named(avatar: Path) -> tuple[str, str]:
    """The id of an avatar's kata, and its name."""
    return avatar.parent.parent.name + avatar.parent.name, avatar.name


def test_every_kata_is_found(storer: GitStorer, root: Path) -> None:
    assert storer.katas() == sorted(path.parent.name + path.name for path in root.glob("*/*"))


def test_every_manifest_is_read_key_for_key(storer: GitStorer, root: Path) -> None:
    for path in root.glob("*/*/manifest.json"):
        assert storer.kata_manifest(path.parent.parent.name + path.parent.name) == json.loads(path.read_bytes())


def test_every_tag_says_what_git_says(storer: GitStorer, root: Path) -> None:
    compared = 0
    for avatar in avatars(root):
        for tag in storer.tags(*named(avatar)):
            shown = run(["git", "-c", "safe.directory=*", "show", f"{tag['number']}:manifest.json"], cwd=avatar).stdout
            assert storer.tag_visible_files(*named(avatar), tag["number"]) == json.loads(shown)
            compared += 1
    assert compared == 279


def test_every_light_is_read_as_it_is_stored(storer: GitStorer, root: Path) -> None:
    for avatar in avatars(root):
        assert storer.avatar_increments(*named(avatar)) == json.loads((avatar / "increments.json").read_bytes())


def test_a_light_that_was_called_an_outcome_is_a_colour(storer: GitStorer) -> None:
    assert storer.tag("7E53666BFE", "koala", 1)["colour"] == "red"


def test_a_null_time_is_null(storer: GitStorer) -> None:
    assert storer.tag("03A0F63283", "snake", 1)["time"] is None


def test_every_avatar_with_git_can_go_on(disk: Path) -> None:
    for name in real_katas.SETS:
        real_katas.unpack(name, disk)
    root = disk / "katas"
    store = TreeStore(root, Layout.SPLIT)
    storer = GitStorer(store)
    for avatar in avatars(root):
        kata, name = named(avatar)
        files = {**storer.avatar_visible_files(kata, name), "new file.txt": "new\n"}
        number = len(storer.avatar_increments(kata, name)) + 1
        storer.sandbox_save(kata, name, Delta(new=["new file.txt"]), files)
        storer.avatar_ran_tests(kata, name, files, NOW, "output\n", "green")
        (added,) = [diff for diff in storer.tag_diff(kata, name, number - 1, number) if diff.new_name == "new file.txt"]
        assert [line.text for line in added.lines] == ["new"]
        # Old commits have addresses that fsck complains about on standard error; its status says what matters.
        run(["git", "-c", "safe.directory=*", "fsck", "--full"], cwd=avatar)
    store.close()
