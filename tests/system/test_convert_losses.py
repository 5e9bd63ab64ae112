"""Moments in which a conversion could lose something: what is on the disk only goes once a volume's disk has it."""

import errno
import mmap
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from katafs.converter import marks
from katafs.converter.spots import Spot
from katafs.converter.targets import Target
from katafs.rooted import files, inodes, surveys, syscalls
from katafs.rooted.surveys import Hold
from katafs.rooted.walks import Entry
from katafs.volumes.directories import DirectoryStore
from tests.harness import needs
from tests.harness.crashes import Forked
from tests.harness.ext4_disks import made_image, mounted_image
from tests.harness.other_mounts import memory_disk
from tests.harness.programs import run
from tests.system.far_disks import SCRIPT, Far, around, before_commit, once
from tests.system.old_disks import INNER, KATA, OUTER, convert, look, make_disk, marked, words

_WRITER = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
mapped = mmap.mmap(file, 0)
os.close(file)
for byte in (0, 1):
    mapped[byte:byte + 1] = b"X"
    print("written", flush=True)
    sys.stdin.readline()
"""


def test_what_is_written_through_a_mapping_while_it_is_copied_is_not_lost(far: Far) -> None:
    """A page that is dirty already changes no time, and when the kata leaves its place the mapping is gone."""
    argv = [sys.executable, "-c", _WRITER, str(far.kata / SCRIPT)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as writer:
        read, write = writer.stdout, writer.stdin
        assert read is not None
        assert write is not None

        def write_on() -> None:
            write.write(b"\n")
            assert read.readline() == b"written\n"
            write.write(b"\n")
            assert read.read() == b""

        assert read.readline() == b"written\n"
        told = far.convert(lambda: around(Spot, "difference_from", after=once(write_on)), 1)
        writer.communicate(b"\n\n")
    assert f"{KATA}: busy: {SCRIPT} in it is open for writing\n" in told
    assert (far.kata / SCRIPT).read_bytes().startswith(b"XX")


def test_a_mapping_that_comes_while_its_file_is_surveyed_is_not_lost(far: Far) -> None:
    """The file was written to just now, so that the survey waits for the next tick: what is mapped and dirty by then
    shows in no later one."""
    manifest, begun = far.kata / "manifest.json", list[int]()
    argv = ["sh", "-c", 'read -r go; exec "$@"', "sh", sys.executable, "-c", _WRITER, str(manifest)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as writer:
        asked, told = writer.stdin, writer.stdout
        assert asked is not None
        assert told is not None

        def begin(*_: object) -> None:
            if not begun:
                begun.append(asked.write(b"\n"))
                select.select([told], [], [], 2)  # where it can map the file, it has by then

        def look_at(entry: Entry, hold: Hold | None) -> None:
            if hold is not None and not begun and entry.path == b"manifest.json":
                os.utime(manifest)
                around(time, "sleep", before=begin)

        def write_on() -> None:
            for _ in range(2):
                assert told.readline() == b"written\n"
                asked.write(b"\n")
            assert told.read() == b""

        def prepare() -> None:
            around(surveys, "_held", before=look_at)
            around(Spot, "difference_from", after=once(write_on))

        far.convert(prepare, 0)
        writer.communicate(b"\n\n\n")
    assert (far.volume / "manifest.json").read_bytes().startswith(b"XX")


def test_a_mapping_that_comes_while_it_is_copied_is_a_change(far: Far) -> None:
    def write() -> None:
        with (far.kata / SCRIPT).open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            mapped[0:1] = b"X"

    far.convert(lambda: around(Spot, "difference_from", after=once(write)), 0)
    assert (far.volume / SCRIPT).read_bytes().startswith(b"X")


def test_another_disks_stray_that_came_while_this_one_was_copied_stays(far: Far, disk: Path) -> None:
    shutil.rmtree(far.disk / OUTER)
    other = disk / "other"
    other.mkdir()
    (other / "readme.txt").write_text("the other's\n")
    comes = once(lambda: convert(other, far.volumes, "--all"))

    running = Forked(
        words(far.disk, far.volumes, "--all"), disk / "out", prepare=lambda: around(Spot, "copy_to", after=comes)
    )

    assert running.ended() == 1
    assert (far.volumes / "katafs_root" / "readme.txt").read_text() == "the other's\n"
    assert (far.disk / "readme.txt").read_text() == "stray\n"


def test_what_could_not_be_written_is_heard_of_also_where_another_was_told_first(disk: Path) -> None:
    """The kernel tells of it who has a descriptor from before, and else the first that asks (syncfs(2))."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    make_disk(disk / "katas")
    kata = disk / "katas" / OUTER / INNER
    (kata / "big").write_bytes(os.urandom(24 << 20))
    (disk / "small").mkdir()
    heard = disk / "heard"

    def another_syncs(*_: object) -> None:
        directory = os.open(disk / "volumes", os.O_RDONLY)
        try:
            syscalls.sync_file_system(directory)
        except OSError:
            heard.touch()
        finally:
            os.close(directory)

    with memory_disk(disk / "small"):
        run(["mount", "-o", "remount,size=16m", disk / "small"])
        made_image(disk / "small" / "image", 200, "-O", "^has_journal")
        with mounted_image(disk / "small" / "image", disk / "volumes"):
            running = Forked(
                words(disk / "katas", disk / "volumes", KATA), disk / "out",
                prepare=lambda: around(inodes, "set_times", after=another_syncs),
            )  # fmt: skip
            assert running.ended() == 1
    assert heard.exists()
    assert f"{KATA}: failed: " in running.output()
    assert (kata / "big").stat().st_size == 24 << 20


def test_an_empty_kata_that_is_written_to_late_keeps_its_volume(far: Far) -> None:
    shutil.rmtree(far.kata)
    far.kata.mkdir()
    far.convert(before_commit(lambda: (far.kata / "lion").mkdir()), 1)
    assert far.volume.is_dir()
    assert far.convert(lambda: None, 0).startswith("already 1; ")


def test_what_its_volume_had_already_is_on_the_disk_before_it_leaves_the_old_one(far: Far) -> None:
    run(["cp", "-a", far.kata, far.volume])
    told = far.scratch / "told"

    def tell(what: str) -> None:
        with told.open("a") as file:
            file.write(f"{what}\n")

    def prepare() -> None:
        around(syscalls, "sync_file_system", after=lambda *_: tell("synced"))
        before_commit(lambda: tell("leaves"))()

    far.convert(prepare, 0)
    assert told.read_text() == "synced\nleaves\n"


def test_a_kept_copy_that_was_changed_stays_also_where_it_has_times_from_the_future(far: Far) -> None:
    os.utime(far.kata, (4e9, 4e9))
    convert(far.disk, far.volumes, KATA, "--keep")
    (far.volume / SCRIPT).write_text("used\n")

    told = convert(far.disk, far.volumes, KATA, status=1)

    assert f"{KATA}: refused: volume {KATA} holds something else already" in told.stderr
    assert (far.volume / SCRIPT).read_text() == "used\n"
    assert far.kata.is_dir()


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


def test_a_move_that_fails_after_its_rename_is_told_of_a_kata_that_is_in_its_volume(disk: Path) -> None:
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    kata, volume = disk / "katas" / OUTER / INNER, disk / "volumes" / KATA
    before = look(kata)

    def fail(*_: object) -> None:
        if not kata.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    command = words(disk / "katas", disk / "volumes", KATA)
    running = Forked(command, disk / "out", prepare=lambda: around(files, "sync_directory", before=fail))

    assert running.ended() == 1, running.output()
    assert f"{KATA}: failed: it is in its volume, but" in running.output()
    assert look(volume) == before


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


def test_what_a_kill_left_of_a_kata_whose_volume_is_refused_keeps_nothing_else(far: Far) -> None:
    (far.disk / "FF").mkdir()
    convert(far.disk, far.volumes, KATA)
    (far.disk / OUTER / f".katafs-done-{KATA}").mkdir(parents=True)
    shutil.rmtree(far.volume)
    far.volume.write_text("no directory")

    told = convert(far.disk, far.volumes, "--all", status=1).stderr

    assert f"volume {KATA} is refused" in told
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

    assert f"{left} can't be deleted from the old disk: Operation not permitted" in told
    assert not (far.disk / "FF").exists()
    assert (far.volumes / "katafs_root" / "FF").is_dir()
