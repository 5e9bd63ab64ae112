"""A start of an avatar that is killed, at whatever moment, leaves the avatar started or its name free."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from katafs.config import Sandboxes
from katafs.errors import AvatarNotFound, BadContent, KataExists, KataNotFound, StoreFull
from katafs.rooted import files, names
from katafs.storers.git import GitStorer
from katafs.storers.katas import KatasStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.starts import NewAvatar, Starts
from katafs.storers.storer import Delta, Storer
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import KATA, KINDS, LION_CALLS, MANIFEST, START
from tests.harness import needs
from tests.harness.kills import killed
from tests.harness.programs import NOBODY
from tests.harness.wall_clock import HOUR_S, WallClock

MARK = ".katafs-starting"


@pytest.fixture(params=KINDS)
def storer(request: pytest.FixtureRequest, disk: Path) -> Iterator[Storer]:
    """Each storer, with nothing stored."""
    with closing(DirectoryStore(disk)) as store:
        yield KINDS[request.param](store)


PLAIN = pytest.mark.parametrize("storer", ["plain"], indirect=True)


def grown_old(disk: Path) -> None:
    """Let a minute pass for what a kill left."""
    for mark in disk.rglob(MARK):
        os.utime(mark, (time.time() - 61,) * 2)


def marked(disk: Path) -> Path:
    """Leave of lion's start what a kill right after it leaves, or a backup that was made in the middle of it."""
    (disk / KATA / "lion" / MARK).touch()
    grown_old(disk)
    return disk / KATA / "lion"


def test_a_killed_start_leaves_the_avatar_started_or_its_name_free(storer: Storer, disk: Path) -> None:
    needs.programs("git")
    calls, was_killed, given_back = 0, True, 0
    while was_killed:
        calls += 5 if isinstance(storer, GitStorer) else 1
        storer.create_kata(MANIFEST)
        was_killed = killed(lambda: storer.start_avatar(KATA, ["lion"]), calls)
        grown_old(disk)
        if "lion" not in storer.started_avatars(KATA):
            assert storer.start_avatar(KATA, ["lion"]) == "lion", f"killed at call {calls}"
            given_back += 1
        assert [tag["visible_files"] for tag in storer.tags(KATA, "lion")] == [_without_output()], calls
        assert storer.avatar_increments(KATA, "lion") == []
        storer.delete_kata(KATA)
    assert given_back > 10


def _without_output() -> dict[str, str]:
    return {name: content for name, content in START.items() if name != "output"}


@PLAIN
def test_a_kata_whose_making_was_killed_can_be_created_again(storer: Storer, disk: Path) -> None:
    calls, was_killed, completed = 0, True, 0
    while was_killed:
        calls += 1
        was_killed = killed(lambda: storer.create_kata(MANIFEST), calls)
        if not (disk / KATA / "manifest.json").exists():
            assert storer.create_kata(MANIFEST) == KATA, f"killed at call {calls}"
            completed += 1
        assert storer.kata_manifest(KATA) == MANIFEST
        with pytest.raises(KataExists):
            storer.create_kata({**MANIFEST, "language": "another"})
        assert storer.kata_manifest(KATA) == MANIFEST
        storer.delete_kata(KATA)
    assert completed > 5


@PLAIN
@pytest.mark.parametrize("name", ["lion", ".katafs-convert", "README"])
def test_a_kata_with_anything_in_it_is_not_taken_for_half_made(storer: Storer, disk: Path, name: str) -> None:
    (disk / KATA / name).mkdir(parents=True)
    with pytest.raises(KataExists):
        storer.create_kata(MANIFEST)
    assert [path.name for path in (disk / KATA).iterdir()] == [name]


@PLAIN
def test_a_kata_that_leads_elsewhere_is_not_taken_for_half_made(storer: Storer, disk: Path) -> None:
    (disk / "elsewhere").mkdir()
    (disk / KATA).symlink_to("elsewhere")
    with pytest.raises(KataExists):
        storer.create_kata(MANIFEST)
    assert list((disk / "elsewhere").iterdir()) == []


@PLAIN
def test_a_kata_that_is_being_made_is_left_to_who_makes_it(storer: Storer, disk: Path) -> None:
    (disk / KATA).mkdir()
    directory = os.open(disk / KATA, os.O_PATH)
    with files.locked(directory), pytest.raises(KataExists):
        storer.create_kata(MANIFEST)
    os.close(directory)
    assert list((disk / KATA).iterdir()) == []


@PLAIN
def test_who_makes_a_kata_that_is_deleted_meanwhile_leaves_alone_the_one_made_anew(
    storer: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = files.create

    def create(directory: int, name: bytes, content: bytes) -> None:
        monkeypatch.undo()
        storer.delete_kata(KATA)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        original(directory, name, content)

    monkeypatch.setattr(files, "create", create)
    with pytest.raises(KataNotFound):
        storer.create_kata({**MANIFEST, "language": "another"})
    assert storer.kata_manifest(KATA) == MANIFEST
    assert storer.started_avatars(KATA) == ["lion"]


@PLAIN
@pytest.mark.parametrize("made_before", [False, True])
def test_a_kata_that_can_not_be_written_leaves_what_was_there(
    storer: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch, made_before: bool
) -> None:
    """An empty volume may be one that its maker waits to go on in."""
    if made_before:
        (disk / KATA).mkdir()

    def sync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "sync_directory", sync)
    with pytest.raises(StoreFull):
        storer.create_kata(MANIFEST)
    assert list(disk.rglob("*")) == ([disk / KATA] if made_before else [])


@PLAIN
def test_what_somebody_puts_into_a_kata_that_can_not_be_written_stays(
    storer: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync(_: int) -> None:
        (disk / KATA / "theirs").write_text("kept")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "sync_directory", sync)
    with pytest.raises(StoreFull):
        storer.create_kata(MANIFEST)
    assert [path.name for path in (disk / KATA).iterdir()] == ["theirs"]


@PLAIN
def test_a_name_that_is_given_back_is_free_whenever_that_is_killed(storer: Storer, disk: Path) -> None:
    calls, was_killed = 0, True
    while was_killed:
        calls += 1
        storer.create_kata(MANIFEST)
        lion = disk / KATA / "lion"
        (lion / "sandbox").mkdir(parents=True)
        (lion / "increments.json").touch()
        (lion / MARK).touch()
        grown_old(disk)
        was_killed = killed(lambda: storer.start_avatar(KATA, ["lion"]), calls)
        grown_old(disk)
        if "lion" not in storer.started_avatars(KATA):
            assert storer.start_avatar(KATA, ["lion"]) == "lion", f"killed at call {calls}"
        assert len(storer.tags(KATA, "lion")) == 1
        storer.delete_kata(KATA)
    assert calls > 50


def test_a_start_that_goes_on_is_not_broken_off(storer: Storer, disk: Path) -> None:
    storer.create_kata(MANIFEST)
    lion = disk / KATA / "lion"
    lion.mkdir()
    (lion / MARK).touch()
    assert storer.start_avatar(KATA, ["lion", "bear"]) == "bear"  # it is younger than a minute

    grown_old(disk)
    directory = os.open(lion, os.O_PATH)
    with files.locked(directory):
        assert storer.start_avatar(KATA, ["lion", "wolf"]) == "wolf"
    os.close(directory)
    assert storer.started_avatars(KATA) == ["bear", "wolf"]
    assert not storer.avatar_exists(KATA, "lion")


@PLAIN
def test_a_name_is_free_after_a_killed_start_also_where_the_clock_was_set_back_since(
    storer: Storer, disk: Path, wall_clock: WallClock
) -> None:
    storer.create_kata(MANIFEST)
    (disk / KATA / "lion").mkdir()
    (disk / KATA / "lion" / MARK).touch()
    wall_clock.jump(-HOUR_S)
    assert storer.start_avatar(KATA, ["lion"]) == "lion"


@pytest.mark.parametrize("call", LION_CALLS)
@pytest.mark.parametrize("way", [(), ("lion", "sandbox"), ("lion", "tags"), ("lion", ".git", "refs", "tags")])
def test_an_avatar_whose_start_goes_on_is_not_found(
    storer: Storer, disk: Path, call: str, way: tuple[str, ...]
) -> None:
    storer.create_kata(MANIFEST)
    (disk / KATA / "lion").mkdir()
    (disk / KATA / "lion" / MARK).touch()
    (disk / f"{KATA}_lion" if not way else disk.joinpath(KATA, *way)).mkdir(parents=True)
    with pytest.raises(AvatarNotFound, match=f"avatar lion was not started in kata {KATA}"):
        LION_CALLS[call](storer)


def test_an_avatar_with_a_mark_is_started_where_it_has_tag_0(storer: Storer, disk: Path) -> None:
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    storer.sandbox_save(KATA, "lion", Delta(new=["new.py"]), {"new.py": "kept"})
    marked(disk)
    assert storer.start_avatar(KATA, ["lion", "bear"]) == "bear"
    assert storer.started_avatars(KATA) == ["bear", "lion"]
    assert [path.read_text() for path in disk.rglob("new.py")] == ["kept"]


@PLAIN
@pytest.mark.parametrize("way", ["tags", ".git"])
def test_what_no_start_makes_is_never_removed(storer: Storer, disk: Path, way: str) -> None:
    storer.create_kata(MANIFEST)
    (disk / KATA / "lion").mkdir()
    (marked(disk) / way).symlink_to("/")
    assert storer.start_avatar(KATA, ["lion"]) is None
    assert (disk / KATA / "lion" / way).is_symlink()


@PLAIN
def test_an_empty_directory_of_an_avatar_is_left_alone(storer: Storer, disk: Path) -> None:
    """As old katas have them."""
    storer.create_kata(MANIFEST)
    (disk / KATA / "lion").mkdir()
    assert storer.start_avatar(KATA, ["lion"]) is None
    assert storer.started_avatars(KATA) == ["lion"]


def test_a_start_leaves_nothing_of_its_own(storer: Storer, disk: Path) -> None:
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    storer.start_avatar(KATA, ["lion"])
    assert list(disk.rglob(".katafs-*")) == []


@PLAIN
def test_a_start_that_fails_leaves_nothing_of_its_own(storer: Storer, disk: Path) -> None:
    storer.create_kata(MANIFEST)
    (disk / KATA / "manifest.json").write_text('{"visible_files":{"a":"\\ud800"}}')
    with pytest.raises(BadContent):
        storer.start_avatar(KATA, ["lion"])
    assert [path.name for path in (disk / KATA).iterdir()] == ["manifest.json"]


@PLAIN
def test_a_name_that_was_taken_anew_before_the_lock_was_had_is_left_alone(
    storer: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storer.create_kata(MANIFEST)
    lion = disk / KATA / "lion"
    lion.mkdir()
    marked(disk)
    locked = files.locked

    @contextmanager
    def late(directory: int, *, within_s: float) -> Iterator[None]:
        lion.rename(disk / "aside")
        lion.mkdir()
        (lion / "another's").touch()
        with locked(directory, within_s=within_s):
            yield

    monkeypatch.setattr(files, "locked", late)
    assert storer.start_avatar(KATA, ["lion"]) is None
    assert [path.name for path in lion.iterdir()] == ["another's"]


def test_a_kata_that_is_deleted_during_a_start_is_not_found(disk: Path) -> None:
    with closing(DirectoryStore(disk)) as store:
        KatasStorer(store).create_kata(MANIFEST)

        def fill(new: NewAvatar, _: dict[str, str]) -> None:
            shutil.rmtree(disk / KATA)
            names.make_directory(new.directory, b"tags", 0o777)

        with pytest.raises(KataNotFound):
            Starts(store, Sandboxes.AVATAR).first_free(KATA, ["lion"], fill)
        assert list(disk.iterdir()) == []


@PLAIN
def test_another_users_avatar_that_may_not_be_looked_into_is_started(storer: Storer, disk: Path) -> None:
    needs.root()
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    for directory in (disk, disk / KATA):
        directory.chmod(0o777)
    (disk / KATA / "lion").chmod(0o700)

    assert NOBODY.call(_started, disk) == ("bear", ["bear", "lion"])


def _started(disk: Path) -> tuple[str | None, list[str]]:
    with closing(DirectoryStore(disk)) as store:
        storer = PlainStorer(store)
        return storer.start_avatar(KATA, ["lion", "bear"]), list(storer.started_avatars(KATA))
