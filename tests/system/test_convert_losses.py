"""Moments in which a conversion could lose something: what is on the disk only goes once a volume's disk has it."""

import mmap
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from katafs.converter.spots import Spot
from katafs.rooted import inodes, surveys, syscalls
from katafs.rooted.surveys import Hold
from katafs.rooted.walks import Entry
from tests.harness import needs
from tests.harness.crashes import Forked
from tests.harness.ext4_disks import made_image, mounted_image
from tests.harness.other_mounts import memory_disk
from tests.harness.programs import run
from tests.system.far_disks import SCRIPT, Far, around, before_commit, once
from tests.system.old_disks import INNER, KATA, OUTER, convert, look, make_disk, words

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


def test_a_copy_that_is_not_equal_is_no_conversion(far: Far) -> None:
    """As of a disk that stores something else than what was written, in nothing but one file's content."""

    def spoil(_: Spot, copy: Spot) -> None:
        path = copy.name + b"/" + os.fsencode(SCRIPT)
        there = os.stat(path, dir_fd=copy.folder)
        with open(path, "r+b", opener=partial(os.open, dir_fd=copy.folder)) as file:
            file.write(b"?")
        os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns), dir_fd=copy.folder)

    before = look(far.kata)

    told = far.convert(lambda: around(Spot, "copy_to", after=spoil), 1)

    assert f"{KATA}: failed: its copy differs, 'lion/sandbox/cyber-dojo.sh': " in told
    assert look(far.kata) == before
    assert os.listdir(far.volumes) == ["katafs_root"]


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


@contextmanager
def _disk_that_loses_content(disk: Path) -> Iterator[Path]:
    """A kata with a big file, and an empty disk of volumes that takes it and can't keep it."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    make_disk(disk / "katas")
    kata = disk / "katas" / OUTER / INNER
    (kata / "big").write_bytes(os.urandom(24 << 20))
    (disk / "small").mkdir()
    with memory_disk(disk / "small"):
        run(["mount", "-o", "remount,size=16m", disk / "small"])
        made_image(disk / "small" / "image", 200, "-O", "^has_journal")
        with mounted_image(disk / "small" / "image", disk / "volumes"):
            yield kata


def test_what_could_not_be_written_is_heard_of_also_where_another_was_told_first(disk: Path) -> None:
    """The kernel tells of it who has a descriptor from before, and else the first that asks (syncfs(2))."""
    heard = disk / "heard"

    def another_syncs(*_: object) -> None:
        directory = os.open(disk / "volumes", os.O_RDONLY)
        try:
            syscalls.sync_file_system(directory)
        except OSError:
            heard.touch()
        finally:
            os.close(directory)

    with _disk_that_loses_content(disk) as kata:
        running = Forked(
            words(disk / "katas", disk / "volumes", KATA), disk / "out",
            prepare=lambda: around(inodes, "set_times", after=another_syncs),
        )  # fmt: skip
        assert running.ended() == 1
    assert heard.exists()
    assert f"{KATA}: failed: " in running.output()
    assert (kata / "big").stat().st_size == 24 << 20


def test_what_could_not_be_written_is_heard_of_also_where_syncfs_tells_nobody(disk: Path) -> None:
    """Before Linux 5.8 it doesn't tell of files' content."""

    def grow_older() -> None:
        system, node, _, version, machine = os.uname()
        told = os.uname_result((system, node, "5.4.0-216-generic", version, machine))
        os.uname = lambda: told
        sync = syscalls.sync_file_system

        def sync_silently(descriptor: int) -> None:
            with suppress(OSError):
                sync(descriptor)

        syscalls.sync_file_system = sync_silently

    with _disk_that_loses_content(disk) as kata:
        running = Forked(words(disk / "katas", disk / "volumes", KATA), disk / "out", prepare=grow_older)
        assert running.ended() == 1
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
