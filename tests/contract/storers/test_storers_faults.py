"""A write that is broken off, by a full disk or a kill, leaves what was stored before, and no half of a test run."""

import errno
import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs import errors
from katafs.rooted import files
from katafs.storers import tags
from katafs.storers.git import GitStorer
from katafs.storers.git_program import GitProgram
from katafs.storers.line_diff import Change
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Delta, Storer
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import KATA, MANIFEST, NOW, OTHER, START
from tests.harness import needs
from tests.harness.ext4_disks import made_image, mounted_image
from tests.harness.other_mounts import bound
from tests.harness.programs import run
from tests.harness.waiting import until
from tests.harness.wall_clock import HOUR_S, WallClock

FILES = {**START, "hiker.py": "changed\n"}
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


def test_a_run_that_is_undone_leaves_no_gap_below_one_that_came_meanwhile(
    plain: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a tag that is missing below others every look at all of them would tell."""
    inode, sync = (disk / KATA / "lion").stat().st_ino, files.sync_directory
    other = threading.Thread(target=lambda: plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "green"))

    def is_over_or_waits() -> bool:
        locks = Path("/proc/locks").read_text().splitlines()
        return not other.is_alive() or any("->" in line and f":{inode} " in line for line in locks)

    def fail(_: int) -> None:
        monkeypatch.setattr(files, "sync_directory", sync)
        other.start()
        until(is_over_or_waits, "the other run")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "sync_directory", fail)
    with pytest.raises(OSError, match="Input/output error"):
        plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "first", "amber")
    other.join(60)

    numbers = range(len(plain.tags(KATA, "lion")))
    assert [tag["number"] for tag in plain.tags(KATA, "lion")] == [*numbers]
    assert plain.tags(KATA, "lion")[-1]["output"] == "second"


def test_increments_that_do_not_fit_are_completed_from_the_tags(plain: Storer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their run is stored, and would be twice if whoever asked for it were told otherwise."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tags, "write_increments", full)
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red")
    monkeypatch.undo()

    assert [tag["number"] for tag in plain.tags(KATA, "lion")] == [0, 1]
    assert plain.avatar_increments(KATA, "lion") == [{"colour": "red", "time": NOW, "number": 1}]


@pytest.mark.parametrize("made", [GitStorer, PlainStorer])
def test_a_run_that_was_stored_is_there_after_a_power_cut(
    disk: Path, made: type[GitStorer] | type[PlainStorer]
) -> None:
    """What the disk has by then is what the image's copy has."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    made_image(disk / "image", 32)
    with mounted_image(disk / "image", disk / "before"), closing(DirectoryStore(disk / "before")) as store:
        storer: Storer = made(store)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "stored", "red")
        shutil.copyfile(disk / "image", disk / "cut")
    with mounted_image(disk / "cut", disk / "after"), closing(DirectoryStore(disk / "after")) as store:
        storer = made(store)
        assert [tag["output"] for tag in storer.tags(KATA, "lion")] == ["", "stored"]
        storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "again", "green")
        assert storer.tag(KATA, "lion", 2)["output"] == "again"


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


@pytest.fixture
def plain(disk: Path) -> Iterator[Storer]:
    """A storer without git, with an avatar."""
    with closing(DirectoryStore(disk)) as store:
        storer = PlainStorer(store)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        yield storer


@pytest.fixture
def git(disk: Path) -> Iterator[Storer]:
    """A storer with git, with an avatar that has run its tests once."""
    with closing(DirectoryStore(disk)) as store:
        storer = GitStorer(store)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "first", "red")
        yield storer


def test_what_a_kill_left_of_a_tags_file_is_no_tag(plain: Storer, disk: Path) -> None:
    (disk / KATA / "lion/tags/.katafs-0123456789abcdef").write_text('{"number":1,')
    assert [tag["number"] for tag in plain.tags(KATA, "lion")] == [0]


def test_a_kill_after_the_tag_is_made_good_when_the_increments_are_read(plain: Storer, disk: Path) -> None:
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red")
    (disk / KATA / "lion/increments.json").write_text("[]")
    assert plain.avatar_increments(KATA, "lion") == [{"colour": "red", "time": NOW, "number": 1}]


def test_a_kill_after_the_tag_is_made_good_by_the_next_run(plain: Storer, disk: Path) -> None:
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red")
    (disk / KATA / "lion/increments.json").write_text("[]")
    lights = plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "green")
    assert [(light["number"], light["colour"]) for light in lights] == [(1, "red"), (2, "green")]


def without_tag(disk: Path, number: int) -> None:
    """Leave of a test run what a kill before `git tag` leaves."""
    run(["git", "-c", "safe.directory=*", "tag", "--delete", str(number)], cwd=disk / KATA / "lion")


def test_a_commit_without_a_tag_is_no_tag(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    assert [tag["number"] for tag in git.tags(KATA, "lion")] == [0, 1]


def test_a_commit_without_a_tag_is_no_increment(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    assert [light["number"] for light in git.avatar_increments(KATA, "lion")] == [1]


def test_the_number_of_a_commit_without_a_tag_is_taken_by_the_next_run(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "third", "green")
    assert git.tag(KATA, "lion", 2)["output"] == "third"


def test_the_run_of_a_commit_without_a_tag_can_be_stored_again(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    assert git.tag(KATA, "lion", 2)["output"] == "second"


def test_a_tag_that_git_made_before_it_failed_is_undone(
    git: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would be in the way of every later run."""
    ran = GitProgram.run

    def fail_after_the_tag(program: GitProgram, *words: str, stdin: Iterable[bytes] = ()) -> bytes:
        printed = ran(program, *words, stdin=stdin)
        if words[0] == "tag":
            raise errors.GitFailed("git tag was killed")
        return printed

    monkeypatch.setattr(GitProgram, "run", fail_after_the_tag)
    with pytest.raises(errors.GitFailed, match="was killed"):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    monkeypatch.undo()

    assert [tag["number"] for tag in git.tags(KATA, "lion")] == [0, 1]
    lights = git.avatar_ran_tests(KATA, "lion", FILES, NOW, "again", "green")
    assert [light["number"] for light in lights] == [1, 2]


def test_a_tag_that_was_there_before_a_run_that_failed_stays(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    (disk / KATA / "lion/increments.json").write_text("[]")

    with pytest.raises(errors.GitFailed, match="already exists"):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "third", "red")

    assert [tag["output"] for tag in git.tags(KATA, "lion")][1:] == ["first", "second"]


def test_a_lock_that_a_killed_git_left_is_said_in_one_line(git: Storer, disk: Path) -> None:
    (disk / KATA / "lion/.git/index.lock").touch()
    with pytest.raises(errors.GitFailed, match=r"git update-index ended with 128: .*index\.lock.*[^']$"):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")


def test_a_run_that_can_not_be_undone_either_says_what_failed_first(
    git: Storer, disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (disk / KATA / "lion/.git/refs/heads/master.lock").touch()
    with pytest.raises(errors.GitFailed, match=r"git update-ref ended with 128"):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    (logged,) = caplog.records
    assert (logged.getMessage(), "git update-ref ended with" in vars(logged)["error"]) == (
        "a test run is not undone",
        True,
    )


@pytest.mark.parametrize("lock", ["index.lock", "HEAD.lock", "refs/heads/master.lock", "refs/tags/2.lock"])
def test_a_lock_that_a_killed_git_left_long_ago_is_removed(git: Storer, disk: Path, lock: str) -> None:
    path = disk / KATA / "lion/.git" / lock
    path.touch()
    os.utime(path, (1, 1))
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert git.tag(KATA, "lion", 2)["output"] == "second"


def test_a_lock_that_a_killed_git_left_before_the_clock_was_set_back_is_removed(
    git: Storer, disk: Path, wall_clock: WallClock
) -> None:
    (disk / KATA / "lion/.git/index.lock").touch()
    wall_clock.jump(-HOUR_S)
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert git.tag(KATA, "lion", 2)["output"] == "second"


def test_a_run_writes_a_manifest_that_was_lost(git: Storer, disk: Path) -> None:
    (disk / KATA / "lion/manifest.json").unlink()
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert git.avatar_visible_files(KATA, "lion")["hiker.py"] == "changed\n"


def test_an_avatar_without_its_sandbox_is_said_to_be(git: Storer, disk: Path) -> None:
    shutil.rmtree(disk / KATA / "lion/sandbox")
    with pytest.raises(errors.CorruptKata, match=r"avatar lion of kata .* has no sandbox"):
        git.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), {"hiker.py": "x"})


def test_what_the_environment_says_of_git_is_nothing_to_it(
    git: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_caller = {
        "GIT_COMMON_DIR": "/nonexistent",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_GLOB_PATHSPECS": "1",
        "GIT_ICASE_PATHSPECS": "1",
    }
    for name, value in of_the_caller.items():
        monkeypatch.setenv(name, value)
    git.start_avatar(KATA, ["tiger"])
    monkeypatch.undo()

    (head,) = run(["git", "-c", "safe.directory=*", "rev-parse", "HEAD"], cwd=disk / KATA / "tiger").stdout.split()
    assert len(head) == 40


def test_a_run_that_git_refused_leaves_the_files_of_the_one_before(git: Storer, disk: Path) -> None:
    before = (disk / KATA / "lion/manifest.json").read_bytes()
    (disk / KATA / "lion/.git/index.lock").touch()
    with pytest.raises(errors.GitFailed):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    assert (disk / KATA / "lion/manifest.json").read_bytes() == before


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_git_directory_that_leads_elsewhere_is_refused(git: Storer, disk: Path, kind: str) -> None:
    repository = disk / KATA / "lion/.git"
    repository.rename(disk / "elsewhere")
    if kind == "file":
        repository.write_text(f"gitdir: {disk}/elsewhere\n")
    else:
        repository.symlink_to(disk / "elsewhere")
    with pytest.raises(errors.CorruptKata, match="not a directory"):
        git.tags(KATA, "lion")


def test_half_a_surrogate_pair_in_a_tag_is_a_difference(plain: Storer, disk: Path) -> None:
    """JSON can have it, and UTF-8 can't."""
    plain.avatar_ran_tests(KATA, "lion", FILES, NOW, "said", "red")
    tag = disk / KATA / "lion/tags/1.json"
    tag.write_text(tag.read_text().replace('"changed\\n"', '"\\ud800\\n"'))

    (differs,) = [each for each in plain.tag_diff(KATA, "lion", 0, 1) if each.new_name == "hiker.py"]
    assert [line.text for line in differs.lines if line.change is Change.ADDED] == ["?"]
