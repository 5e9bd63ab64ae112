"""A disk that is full, read-only or broken leaves what was stored before, and no half of a test run."""

import errno
import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs import errors
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Delta, Storer
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import FILES, KATA, MANIFEST, NOW, OTHER, START
from tests.harness import needs
from tests.harness.other_mounts import bound
from tests.harness.programs import run

TOO_LARGE = "x" * (24 << 20)


@pytest.fixture
def small(disk: Path) -> Iterator[Path]:
    """A directory on a disk of 16 MB."""
    needs.root()
    path = disk / "small"
    path.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=16m", "katafs-test", str(path)])
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=60)


@pytest.fixture(params=["git", "plain"])
def storer(request: pytest.FixtureRequest, small: Path) -> Iterator[Storer]:
    """A storer on the small disk, with one avatar that has run its tests once."""
    with closing(DirectoryStore(small / "volumes", create_missing=True)) as store:
        storer: Storer = GitStorer(store) if request.param == "git" else PlainStorer(store)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", START, NOW, "before", "red")
        yield storer


@pytest.fixture
def kata(small: Path) -> Path:
    """The kata's directory."""
    return small / "volumes" / KATA


def test_a_file_too_large_for_the_disk_is_refused_and_the_old_one_stays(storer: Storer, kata: Path) -> None:
    with pytest.raises(errors.StoreFull):
        storer.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), {"hiker.py": TOO_LARGE})
    assert (kata / "lion/sandbox/hiker.py").read_text() == START["hiker.py"]


def test_a_test_run_too_large_for_the_disk_stores_no_tag(storer: Storer) -> None:
    with pytest.raises(errors.StoreFull):
        storer.avatar_ran_tests(KATA, "lion", {**FILES, "large": TOO_LARGE}, NOW, "after", "green")
    assert [tag["output"] for tag in storer.tags(KATA, "lion")] == ["", "before"]


def test_a_test_run_too_large_for_the_disk_leaves_the_increments(storer: Storer) -> None:
    before = storer.avatar_increments(KATA, "lion")
    with pytest.raises(errors.StoreFull):
        storer.avatar_ran_tests(KATA, "lion", {**FILES, "large": TOO_LARGE}, NOW, "after", "green")
    assert storer.avatar_increments(KATA, "lion") == before


def test_a_run_follows_one_that_did_not_fit(storer: Storer) -> None:
    with pytest.raises(errors.StoreFull):
        storer.avatar_ran_tests(KATA, "lion", {**FILES, "large": TOO_LARGE}, NOW, "after", "green")
    lights = storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "after", "green")
    assert [light["number"] for light in lights] == [1, 2]


def test_a_kata_too_large_for_the_disk_is_not_there(storer: Storer) -> None:
    with pytest.raises(errors.StoreFull):
        storer.create_kata({"id": OTHER, "visible_files": {"a": TOO_LARGE}})
    assert not storer.kata_exists(OTHER)


def test_an_avatar_too_large_for_the_disk_is_not_started(storer: Storer) -> None:
    storer.create_kata({"id": OTHER, "visible_files": {"a": "x" * (9 << 20)}})
    with pytest.raises(errors.StoreFull):
        storer.start_avatar(OTHER, ["lion"])
    assert storer.started_avatars(OTHER) == []


def test_nothing_temporary_is_left_of_a_write_that_did_not_fit(storer: Storer, kata: Path) -> None:
    with pytest.raises(errors.StoreFull):
        storer.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), {"hiker.py": TOO_LARGE})
    assert [path.name for path in kata.rglob(".katafs-*")] == []


def test_a_run_whose_name_the_disk_can_not_keep_is_not_stored(storer: Storer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked for it is told so, and may ask again."""
    synced = os.fsync

    def fail(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/tags"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "after", "green")
    monkeypatch.undo()

    assert [tag["output"] for tag in storer.tags(KATA, "lion")] == ["", "before"]
    assert len(storer.avatar_increments(KATA, "lion")) == 1
    storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "again", "green")
    assert [tag["output"] for tag in storer.tags(KATA, "lion")] == ["", "before", "again"]


def test_a_kata_whose_volume_can_not_be_locked_is_not_there(storer: Storer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="No locks available"):
        storer.create_kata({**MANIFEST, "id": OTHER})
    assert not storer.kata_exists(OTHER)


def test_anothers_volume_stays_where_one_of_that_name_can_not_be_locked(
    storer: Storer, kata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = kata.with_name(OTHER)

    def refuse(*_: object) -> None:
        volume.rename(kata.with_name("aside"))
        volume.mkdir()
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="No locks available"):
        storer.create_kata({**MANIFEST, "id": OTHER})
    assert volume.is_dir()


@pytest.mark.parametrize("made", [GitStorer, PlainStorer])
def test_a_disk_that_is_read_only_is_said_to_be(disk: Path, made: type[GitStorer] | type[PlainStorer]) -> None:
    needs.root()
    (disk / "volumes").mkdir()
    with closing(DirectoryStore(disk / "volumes")) as store:
        made(store).create_kata(MANIFEST)
    with bound(disk / "volumes", disk / "volumes", "ro"), closing(DirectoryStore(disk / "volumes")) as store:
        for call in (lambda: made(store).create_kata({**MANIFEST, "id": OTHER}), lambda: made(store).delete_kata(KATA)):
            with pytest.raises(errors.ReadOnlyStore):
                call()
