"""Faults and changes at the commit of a conversion and after it: what is told is true, and a later run goes on."""

import errno
import os
import resource
import shutil
import signal
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from katafs.converter import marks
from katafs.converter.commits import Commits
from katafs.converter.spots import Spot
from katafs.converter.target import Target
from katafs.rooted import files, inodes
from katafs.volumes.directories import DirectoryStore
from tests.harness import needs
from tests.harness.crashes import Forked
from tests.harness.programs import run
from tests.system.far_disks import SCRIPT, Far, around, before_commit, once
from tests.system.old_disks import INNER, KATA, OUTER, convert, look, marked, words


def test_what_can_not_be_deleted_is_said_to_be_left_and_is_in_its_volume(far: Far) -> None:
    needs.programs("chattr")
    before = look(far.kata)
    run(["chattr", "+i", far.kata / SCRIPT])
    left = far.disk / OUTER / f".katafs-done-{KATA}"
    line = (
        f"{KATA}: failed: it is in its volume, but {left} can't be deleted from the old disk: Operation not permitted\n"
    )
    try:
        first, again = far.convert(lambda: None, 1), far.convert(lambda: None, 1)
    finally:
        run(["find", far.disk, "-name", SCRIPT.name, "-exec", "chattr", "-i", "{}", "+"])

    assert line in first
    assert line in again
    assert look(far.volume) == before
    assert far.convert(lambda: None, 0).startswith("already 1; ")
    assert not left.exists()


def _is_left(far: Far) -> bool:
    return (far.disk / OUTER / f".katafs-leaving-{KATA}").exists()


_AFTER_THE_COMMIT: dict[str, tuple[object, str, Callable[..., bool]]] = {
    "unmarking": (marks, "take_away", lambda far, *_: _is_left(far)),
    "sync": (files, "sync_directory", lambda far, *_: _is_left(far)),
    "rename": (Spot, "rename_to", lambda _, spot, *__: spot.name.startswith(b".katafs-leaving")),
}


@pytest.mark.parametrize("step", _AFTER_THE_COMMIT)
def test_what_fails_after_the_commit_is_told_of_a_kata_that_is_in_its_volume(far: Far, step: str) -> None:
    before, leaving = look(far.kata), far.disk / OUTER / f".katafs-leaving-{KATA}"
    owner, name, when = _AFTER_THE_COMMIT[step]

    def fail(*arguments: object) -> None:
        if when(far, *arguments):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    told = far.convert(lambda: around(owner, name, before=fail), 1)

    line = f"it is in its volume, but {leaving} can't be deleted from the old disk: Input/output error"
    assert f"{KATA}: failed: {line}\n" in told
    assert look(far.volume) == before
    convert(far.disk, far.volumes, "--all")
    assert os.listdir(far.disk) == []
    assert not marked(far.volume)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT])
def test_no_volume_is_said_to_have_what_can_not_be_put_back(far: Far, number: int) -> None:
    before = look(far.kata)

    def fail(spot: Spot, target: Spot, *_: object) -> None:
        if spot.name.startswith(b".katafs-leaving") and target.name == INNER.encode():
            raise OSError(number, os.strerror(number))

    def prepare() -> None:
        around(Target, "unmark", before=once(lambda: shutil.rmtree(far.volume)))
        around(Spot, "rename_to", before=fail)

    told = far.convert(prepare, 1)

    left = far.disk / OUTER / f".katafs-leaving-{KATA}"
    line = f"its volume was removed while it was converted; it is left as {left}: {os.strerror(number)}"
    assert f"{KATA}: failed: {line}\n" in told
    assert look(left) == before


def test_no_volume_is_said_to_have_what_can_not_be_kept(far: Far) -> None:
    before, left = look(far.kata), far.disk / OUTER / f".katafs-leaving-{KATA}"
    far.convert_until_killed(_before_unmarking(lambda: os.kill(os.getpid(), signal.SIGKILL)))
    shutil.rmtree(far.volume)

    def fail(_: Spot, target: Spot, *__: object) -> None:
        if target.name.startswith(b".katafs-late"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    command = words(far.disk, far.volumes, "--all")
    running = Forked(command, far.scratch / "out", prepare=lambda: around(Spot, "rename_to", before=fail))

    assert running.ended() != 0
    assert f"no volume has it as it is on the old disk; it is left as {left}: Input/output error" in running.output()
    assert look(left) == before


def test_who_has_a_file_open_of_what_a_kill_left_loses_nothing(far: Far) -> None:
    far.convert_until_killed(_before_unmarking(lambda: os.kill(os.getpid(), signal.SIGKILL)))
    leaving = far.disk / OUTER / f".katafs-leaving-{KATA}"

    with (leaving / SCRIPT).open("r+b", buffering=0) as script:
        told = convert(far.disk, far.volumes, "--all", status=1).stderr
        script.write(b"late")

    kept = far.disk / OUTER / f".katafs-late-{KATA}"
    assert f"is kept as {kept}" in told
    assert (kept / SCRIPT).read_bytes().startswith(b"late")


def test_what_a_kill_left_and_can_not_all_be_opened_keeps_nothing_else(far: Far) -> None:
    (far.disk / "FF").mkdir()
    for number in range(80):
        (far.kata / f"file-{number}").touch()
    before, leaving = look(far.kata), far.disk / OUTER / f".katafs-leaving-{KATA}"
    far.convert_until_killed(_before_unmarking(lambda: os.kill(os.getpid(), signal.SIGKILL)))

    command = words(far.disk, far.volumes, "--all")
    running = Forked(command, far.scratch / "out", prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)))

    assert running.ended() == 1
    assert running.output().count(f"a kill left {leaving}, which can't be read: Too many open files") == 1
    assert look(leaving) == before
    assert not (far.disk / "FF").exists()


def test_what_a_kill_left_of_a_kata_whose_volume_is_refused_keeps_nothing_else(far: Far) -> None:
    (far.disk / "FF").mkdir()
    convert(far.disk, far.volumes, KATA)
    (far.disk / OUTER / f".katafs-done-{KATA}").mkdir(parents=True)
    shutil.rmtree(far.volume)
    far.volume.write_text("no directory")

    told = convert(far.disk, far.volumes, "--all", status=1).stderr

    assert told.count(f"volume {KATA} is refused") == 1
    assert not (far.disk / "FF").exists()


def test_what_comes_to_the_place_of_something_committed_takes_nothing_from_its_volume(far: Far) -> None:
    """A server makes its log anew, say, while what was left of the old one can't be deleted."""
    log = far.disk / "server.log"
    log.write_text("first\n")
    before = look(far.kata)

    def replaced(spot: Spot, *_: object) -> None:
        if not spot.name.startswith(b".katafs-done"):
            return
        if spot.name.endswith(KATA.encode()):
            far.kata.mkdir()
        elif not log.exists():
            log.write_text("second\n")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    command = words(far.disk, far.volumes, "--all")
    running = Forked(command, far.scratch / "out", prepare=lambda: around(Spot, "remove", before=replaced))

    assert running.ended() == 1, running.output()
    assert look(far.volume) == before
    assert (far.volumes / "katafs_root" / "server.log").read_text() == "first\n"
    assert log.read_text() == "second\n"


def test_an_empty_kata_keeps_its_volume_also_where_another_comes_to_its_place(far: Far) -> None:
    shutil.rmtree(far.kata)
    far.kata.mkdir(0o750)
    before = look(far.kata)

    def replaced(spot: Spot, *_: object) -> None:
        if spot.name.startswith(b".katafs-done"):
            far.kata.mkdir()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    far.convert(lambda: around(Spot, "remove", before=replaced), 1)

    assert look(far.volume) == before


def test_a_volume_that_is_removed_right_after_it_was_made_makes_no_kata_missing(far: Far) -> None:
    before = look(far.kata)
    told = far.convert(lambda: around(DirectoryStore, "create", after=once(lambda: far.volume.rmdir())), 1)
    assert f"{KATA}: failed: its volume was removed while it was converted\n" in told
    assert look(far.kata) == before


def _before_unmarking(action: Callable[[], object]) -> Callable[[], None]:
    return lambda: around(Target, "unmark", before=once(action))


def _after_the_copy(action: Callable[[], object]) -> Callable[[], None]:
    return lambda: around(Target, "take", after=once(action))


@pytest.mark.parametrize("moment", [_after_the_copy, before_commit, _before_unmarking])
def test_a_kata_whose_volume_is_removed_before_its_commit_stays_where_it_is(
    far: Far, moment: Callable[[Callable[[], object]], Callable[[], None]]
) -> None:
    before = look(far.kata)
    told = far.convert(moment(lambda: shutil.rmtree(far.volume)), 1)
    assert f"{KATA}: failed: its volume was removed while it was converted\n" in told
    assert look(far.kata) == before
    far.convert(lambda: None, 0)
    assert look(far.volume) == before


def test_what_has_come_into_a_volume_before_the_kata_is_refused_and_left(far: Far) -> None:
    """As where another disk with the same katas is converted into the same store at the same time."""
    before = look(far.kata)
    told = far.convert(lambda: around(Target, "take", before=once(lambda: (far.volume / "other").touch())), 1)
    assert f"{KATA}: refused: something else has come to its place in the volume meanwhile\n" in told
    assert look(far.kata) == before
    assert os.listdir(far.volume) == ["other"]


def _before_it_is_looked_for(action: Callable[[], object]) -> Callable[[], None]:
    return lambda: around(Target, "holds_it", before=once(action))


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("moment", [_before_it_is_looked_for, _before_unmarking])
def test_a_kata_whose_volume_is_made_anew_before_its_commit_stays_where_it_is(
    far: Far, moment: Callable[[Callable[[], object]], Callable[[], None]], was_there: bool
) -> None:
    """The new one may have the inode number of the old one."""
    before = look(far.kata)
    if was_there:
        run(["cp", "-a", far.kata, far.volume])

    def made_anew() -> None:
        shutil.rmtree(far.volume)
        far.volume.mkdir()

    told = far.convert(moment(made_anew), 1)

    assert f"{KATA}: failed: its volume was removed while it was converted\n" in told
    assert look(far.kata) == before
    assert os.listdir(far.volume) == []


def test_a_volume_that_was_made_for_a_copy_that_is_withdrawn_goes_with_it(far: Far) -> None:
    before = look(far.kata)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    far.convert(lambda: around(Commits, "commit", before=fail), 1)

    assert look(far.kata) == before
    assert not far.volume.exists()


def test_a_copy_of_a_stray_is_looked_for_once_nobody_else_is_at_work_beside_it(far: Far) -> None:
    """Before that it may be waited for, while somebody puts something else there."""
    shutil.rmtree(far.disk / OUTER)
    stray, failed = far.volumes / "katafs_root" / "readme.txt", list[object]()

    def fail(*_: object) -> None:
        failed.append(_)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def replace(*_: object) -> None:
        if failed and stray.exists():
            stray.unlink()
            stray.write_text("somebody's\n")

    def prepare() -> None:
        around(Commits, "commit", before=fail)
        around(inodes, "times_kept_through_kills", before=replace)

    command = words(far.disk, far.volumes, "--all")
    running = Forked(command, far.scratch / "out", prepare=prepare)

    assert running.ended() == 1, running.output()
    assert stray.read_text() == "somebody's\n"


def test_a_kata_whose_volume_and_place_are_both_gone_before_its_commit_is_kept(far: Far) -> None:
    before = look(far.kata)

    def replaced() -> None:
        shutil.rmtree(far.volume)
        far.kata.mkdir()

    told = far.convert(_before_unmarking(replaced), 1)

    kept = far.disk / OUTER / f".katafs-late-{KATA}"
    gone = "its volume was removed while it was converted, and its place was taken; it is kept as"
    assert f"{KATA}: failed: {gone} {kept}\n" in told
    assert look(kept) == before
    assert os.listdir(far.kata) == []


def test_a_run_for_all_tells_once_what_is_left_behind(far: Far) -> None:
    """It is tried twice: with its kata, and when all that is left is tidied up."""

    def fail(spot: Spot, *_: object) -> None:
        if spot.name.startswith(b".katafs-done"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    command = words(far.disk, far.volumes, "--all")
    running = Forked(command, far.scratch / "out", prepare=lambda: around(Spot, "remove", before=fail))

    assert running.ended() == 1
    for name in (KATA, "readme.txt", f"{OUTER}/notes"):
        assert f"{name}: failed: it is in its volume, but" in running.output()
    assert running.output().count("can't be deleted") == 3


def test_a_run_for_all_tells_of_a_kata_that_is_neither_in_its_place_nor_in_a_volume(far: Far) -> None:
    before = look(far.kata)
    far.convert_until_killed(_before_unmarking(lambda: os.kill(os.getpid(), signal.SIGKILL)))
    shutil.rmtree(far.volume)

    told = convert(far.disk, far.volumes, "--all", status=1)

    kept = far.disk / OUTER / f".katafs-late-{KATA}"
    assert f"no volume has it as it is on the old disk; it is kept as {kept}" in told.stderr
    assert look(kept) == before


def test_what_can_not_be_deleted_keeps_no_other_outer_directory_from_being_tidied_up(far: Far) -> None:
    needs.programs("chattr")
    (far.disk / "FF").mkdir()
    sandbox = far.kata / "lion" / "sandbox"
    left = far.disk / OUTER / f".katafs-done-{KATA}"
    with ExitStack() as immutable:
        run(["chattr", "+i", sandbox])
        immutable.callback(lambda: run(["chattr", "-i", left / "lion" / "sandbox"]))
        told = convert(far.disk, far.volumes, "--all", status=1).stderr

    assert told.count(f"{left} can't be deleted from the old disk: Operation not permitted") == 1
    assert not (far.disk / "FF").exists()
    assert (far.volumes / "katafs_root" / "FF").is_dir()
