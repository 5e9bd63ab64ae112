"""What a storer has answered is on the disk: it is there, and whole, after a power cut, and an avatar can go on.

On ext4, and on btrfs, which keeps of what nobody synced the least: a sync of one directory says nothing of others.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from katafs.rooted import files
from katafs.storers.storer import Delta, Storer
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import FILES, KATA, KINDS, MANIFEST, NOW, START
from tests.harness import needs
from tests.harness.ext4_disks import LAZY, made_image, mounted_image
from tests.harness.other_disks import made_image_of
from tests.harness.programs import run

NEW = {**FILES, "new.py": "new\n"}
NEW.pop("instructions")
DELTA = Delta(deleted=["instructions"], new=["new.py"], changed=["hiker.py"])


MOUNTED = {"ext4": LAZY, "btrfs": "loop,commit=300"}
"""How each file system is mounted, so that its disk has nothing before somebody syncs it."""

Cut = Callable[[Callable[[Storer], None]], AbstractContextManager[Storer]]


@pytest.fixture(params=MOUNTED)
def options(request: pytest.FixtureRequest, disk: Path) -> str:
    """How to mount a new disk of each file system, whose image is there."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    if request.param == "ext4":
        made_image(disk / "image", 32)
    else:
        made_image_of(request.param, disk / "image")
    return MOUNTED[request.param]


@pytest.fixture(params=KINDS)
def power_cut(request: pytest.FixtureRequest, disk: Path, options: str) -> Cut:
    """Each storer on what the disk has right after something, or has had when that noted it."""
    made = KINDS[request.param]

    @contextmanager
    def cut(before: Callable[[Storer], None]) -> Iterator[Storer]:
        with (
            mounted_image(disk / "image", disk / "before", options=options) as path,
            closing(DirectoryStore(path)) as store,
        ):
            before(made(store))
            if not (disk / "cut").exists():
                noted(disk)
        with (
            mounted_image(disk / "cut", disk / "after", options="loop") as path,
            closing(DirectoryStore(path)) as store,
        ):
            yield made(store)

    return cut


def noted(disk: Path) -> None:
    """Keep what the disk has now: that is what the image has."""
    run(["cp", "--sparse=always", disk / "image", disk / "cut"])


def sandbox(disk: Path) -> dict[str, str]:
    """What lion's sandbox has after the power cut."""
    own = disk / "after" / f"{KATA}_lion"
    found = own if own.exists() else disk / "after" / KATA / "lion/sandbox"
    return {path.name: path.read_text() for path in found.iterdir()}


def started(storer: Storer) -> None:
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])


def ran(storer: Storer) -> None:
    started(storer)
    storer.sandbox_save(KATA, "lion", DELTA, NEW)
    storer.avatar_ran_tests(KATA, "lion", NEW, NOW, "stored", "red")


def test_an_avatar_that_was_started_has_its_files_after_a_power_cut(disk: Path, power_cut: Cut) -> None:
    with power_cut(started) as storer:
        assert storer.started_avatars(KATA) == ["lion"]
        assert sandbox(disk) == START


def test_a_run_that_was_stored_is_there_after_a_power_cut(disk: Path, power_cut: Cut) -> None:
    with power_cut(ran) as storer:
        assert [tag["output"] for tag in storer.tags(KATA, "lion")] == ["", "stored"]
        assert sandbox(disk) == {**NEW, "output": "stored"}
        storer.avatar_ran_tests(KATA, "lion", NEW, NOW, "again", "green")
        assert storer.tag(KATA, "lion", 2)["output"] == "again"
        assert [diff.new_name for diff in storer.tag_diff(KATA, "lion", 1, 2)] == ["output"]


def test_a_sandbox_that_was_saved_is_so_after_a_power_cut(disk: Path, power_cut: Cut) -> None:
    def saved(storer: Storer) -> None:
        started(storer)
        storer.sandbox_save(KATA, "lion", DELTA, NEW)

    with power_cut(saved):
        assert sandbox(disk) == {**NEW, "output": ""}


def test_an_avatar_goes_on_after_a_power_cut_at_the_moment_when_it_is_started(
    disk: Path, power_cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may take its name then, so all that it needs is there before its tag 0."""
    original = files.create

    def create(directory: int, name: bytes, content: bytes) -> None:
        original(directory, name, content)
        if name in (b"0", b"0.json"):
            noted(disk)

    monkeypatch.setattr(files, "create", create)
    with power_cut(started) as storer:
        assert storer.started_avatars(KATA) == ["lion"]
        assert sandbox(disk) == START
        storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "first", "red")
        assert [tag["output"] for tag in storer.tags(KATA, "lion")] == ["", "first"]


def test_an_avatar_that_a_power_cut_kept_from_its_files_can_be_started(
    disk: Path, power_cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory alone would count as a started avatar."""
    original = files.sync_directory

    def sync(directory: int) -> None:
        original(directory)
        if not (disk / "cut").exists() and (disk / "before" / KATA / "lion").exists():
            noted(disk)

    monkeypatch.setattr(files, "sync_directory", sync)
    with power_cut(started) as storer:
        for mark in (disk / "after").rglob(".katafs-starting"):
            os.utime(mark, (time.time() - 61,) * 2)
        assert storer.started_avatars(KATA) == []
        assert storer.start_avatar(KATA, ["lion"]) == "lion"
        assert sandbox(disk) == START
