"""What a big tree costs the daemon: its descriptors and its memory stay bounded, and all of it is served."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.mounts import mounting
from tests.harness.other_mounts import memory_disk
from tests.harness.programs import run
from tests.harness.waiting import holds_within, until
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

LIMIT = 256
"""Descriptors that the daemon may have: RLIMIT_NOFILE."""
KEPT = LIMIT * 3 // 4
"""Fewer than these are open after all that: half of them at most are kept for directories; the rest is for files."""
DIRECTORIES = 700
FILES_IN_EACH = 6
LIMITED = ("prlimit", f"--nofile={LIMIT}:{LIMIT}", sys.executable, "-m", "katafs")
KATA = "123456789A"
KEPT_BY_DEFAULT = 4096
OF_REQUESTS = 8
"""For what is under way, and for what the last lookup has lent."""


def fill(volume: Path) -> None:
    """A wide tree, made beside the mount; all its names are different."""
    for number in range(DIRECTORIES):
        directory = volume / f"{number // 100:02}" / f"{number:04}"
        directory.mkdir(parents=True)
        for file in range(FILES_IN_EACH):
            (directory / f"{file}").symlink_to("x" * 8)


@pytest.fixture
def big(disk: Path, serve: Serve) -> Served:
    """A mount with few descriptors, of a kata with many directories."""
    needs.programs("prlimit")
    fill(disk / "volumes" / KATA)
    return serve(program=LIMITED)


def walk(top: Path) -> int:
    """How many entries are below the directory; each is looked at."""
    count = 0
    for directory, names, others in os.walk(top):
        for name in names + others:
            os.lstat(os.path.join(directory, name))
            count += 1
    return count


def descriptors(served: Served) -> int:
    return len(os.listdir(f"/proc/{served.mounted.pid}/fd"))


def resident_kib(served: Served) -> int:
    for line in Path(f"/proc/{served.mounted.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("the daemon has no memory")


def drop_caches() -> None:
    """Make every kernel's cache let go of what nobody uses: FUSE mounts are sent FORGETs."""
    needs.root()
    Path("/proc/sys/vm/drop_caches").write_text("2")


def settles_after_more_walks(served: Served, before_kib: int) -> bool:
    """Whether the daemon has no more memory after some walks than it had, give or take a few MB. To remember what these
    walks come by it would need 13."""
    for _ in range(6):
        walk(served.path(KATA))
        drop_caches()
    return holds_within(lambda: resident_kib(served) < before_kib + 8 * 1024, 30)


def test_a_walk_over_more_directories_than_descriptors_sees_everything(big: Served) -> None:
    assert walk(big.path(KATA)) == DIRECTORIES // 100 + DIRECTORIES + DIRECTORIES * FILES_IN_EACH


def test_after_a_walk_the_open_descriptors_are_few(big: Served) -> None:
    walk(big.path(KATA))

    assert descriptors(big) < KEPT


def test_no_more_directories_are_kept_open_than_the_option_says(disk: Path, serve: Serve) -> None:
    fill(disk / "volumes" / KATA)
    served = serve("-o", "open_directories=16")
    before = descriptors(served)

    assert walk(served.path(KATA)) == DIRECTORIES // 100 + DIRECTORIES + DIRECTORIES * FILES_IN_EACH
    assert descriptors(served) <= before + 16 + OF_REQUESTS


def test_under_a_common_limit_most_descriptors_are_left_for_files(disk: Path, serve: Serve) -> None:
    """20,000, and more directories than are kept open by default."""
    needs.programs("prlimit")
    needs.root()
    volumes = disk / "volumes"
    volumes.mkdir()
    with memory_disk(volumes):
        for number in range(KEPT_BY_DEFAULT + 1000):
            (volumes / KATA / f"{number:05}").mkdir(parents=True)
        with mounting(disk) as mount:
            program = ("prlimit", "--nofile=20000:20000", sys.executable, "-m", "katafs")
            served = Served(mount(program=program), volumes, Layout.FLAT)
            before, kept = descriptors(served), 0
            # Another test may make the kernel forget everybody's directories in the middle of a walk (drop_caches).
            for _ in range(5):
                seen = len(run(["find", served.path(KATA), "-mindepth", "1", "-empty"]).stdout.splitlines())
                kept = max(kept, descriptors(served) - before)
                if kept > KEPT_BY_DEFAULT // 2:
                    break

    assert seen == KEPT_BY_DEFAULT + 1000
    assert KEPT_BY_DEFAULT // 2 < kept <= KEPT_BY_DEFAULT + OF_REQUESTS


def test_memory_does_not_grow_from_walk_to_walk(big: Served) -> None:
    """Names that the kernel forgets are forgotten. PyPy compiles what the first walks run, which takes memory too."""
    walk(big.path(KATA))
    drop_caches()
    found = [resident_kib(big)]
    while not (settled := settles_after_more_walks(big, found[-1])) and len(found) < 4:
        found.append(resident_kib(big))

    assert settled, found


def test_a_deep_tree_is_reached_with_few_descriptors(serve: Serve) -> None:
    served = serve(program=LIMITED)
    directory = os.open(served.make(KATA), os.O_RDONLY)
    for _ in range(2 * LIMIT):
        os.mkdir("d", dir_fd=directory)
        below = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)
    path = served.path(KATA).joinpath(*(["d"] * 2 * LIMIT), "f")

    assert path.stat().st_size == 0
    assert descriptors(served) < KEPT


def test_more_removed_files_than_descriptors(serve: Serve) -> None:
    """Each inode that loses its last name is kept until the kernel forgets it, which it does at once."""
    served = serve(program=LIMITED)
    kata = served.make(KATA)
    for number in range(3 * LIMIT):
        (kata / str(number)).touch()
    for number in range(3 * LIMIT):
        (kata / str(number)).unlink()

    assert os.listdir(kata) == []
    until(lambda: descriptors(served) < LIMIT // 2, "the removed inodes to be forgotten")


def test_removed_files_that_are_open_stay_readable(serve: Serve) -> None:
    served = serve()
    kata = served.make(KATA)
    handles = []
    for number in range(500):
        (kata / str(number)).write_text(str(number))
        handles.append((kata / str(number)).open())
        (kata / str(number)).unlink()
    texts = [handle.read() for handle in handles]
    for handle in handles:
        handle.close()

    assert texts == [str(number) for number in range(500)]
    assert os.listdir(kata) == []


def test_rm_of_a_big_tree_leaves_nothing(big: Served) -> None:
    subprocess.run(["rm", "-r", big.path(KATA)], check=True, timeout=200)

    assert os.listdir(big.top) == []
    assert big.volumes() == {"katafs_root"}


def test_many_katas_are_listed_with_few_descriptors(disk: Path, serve: Serve) -> None:
    for number in range(2000):
        (disk / "volumes" / f"{number:010X}").mkdir(parents=True)
    served = serve(program=LIMITED)

    assert walk(served.top) == 2000
    assert descriptors(served) < KEPT


def open_until_refused(kata: Path) -> list[IO[str]]:
    """New files, until the system has something against one more."""
    opened: list[IO[str]] = []
    try:
        for number in range(2 * LIMIT):
            opened.append((kata / str(number)).open("w"))
    except OSError as refusal:
        if refusal.errno == errno.EMFILE:
            return opened
        raise
    finally:
        for file in opened:
            file.close()
    raise AssertionError(f"{len(opened)} files are open at once in a daemon that may have {LIMIT} descriptors")


def test_when_descriptors_run_out_it_is_said_and_the_mount_lives_on(serve: Serve) -> None:
    served = serve(program=LIMITED)
    served.mounted.expect("Too many open files")
    kata = served.make(KATA)
    opened = open_until_refused(kata)

    served.mounted.wait_for_log(r"WARNING: failed operation=\w+ error=.*Too many open files")
    until(lambda: descriptors(served) < LIMIT // 2, "the files to be closed")
    assert len(opened) > LIMIT // 4
    assert (kata / "0").stat().st_size == 0
