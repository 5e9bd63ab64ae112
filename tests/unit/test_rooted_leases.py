"""Files held still: whoever writes to one is found out, before and meanwhile."""

import contextlib
import ctypes
import errno
import mmap
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.rooted.comparing import differences
from katafs.rooted.copying import copy_tree
from katafs.rooted.leases import Leases, refuse_writer
from katafs.rooted.surveys import Hold, survey
from katafs.rooted.walks import Entry
from tests.harness.descriptors import held
from tests.harness.leases import leased
from tests.harness.refusals import refused


@pytest.fixture
def tree(disk: Path) -> Path:
    """Two files, one with two names, in two directories."""
    (disk / "tree" / "dir").mkdir(parents=True)
    (disk / "tree" / "file").write_bytes(b"content")
    (disk / "tree" / "dir" / "inner").write_bytes(b"content")
    os.link(disk / "tree" / "file", disk / "tree" / "dir" / "link")
    return disk / "tree"


@pytest.fixture
def top(tree: Path) -> Iterator[int]:
    """An O_PATH descriptor of the tree."""
    with held(tree) as directory:
        yield directory


@contextlib.contextmanager
def held_still(top: int) -> Iterator[Leases]:
    """Leases on all files below the descriptor."""
    with contextlib.closing(Leases()) as leases:
        survey(top, hold=leases.take)
        yield leases


@pytest.fixture(params=["taken", "refused"])
def hold(request: pytest.FixtureRequest) -> Iterator[Hold]:
    """Both ways to find a writer."""
    with contextlib.closing(Leases()) as leases:
        yield leases.take if request.param == "taken" else refuse_writer


def try_to_write(path: Path) -> None:
    """Another process opens the file for writing, and would not wait."""
    script = (
        "import os, sys\ntry: os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)\nexcept BlockingIOError: sys.exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", script, path], check=False, timeout=60).returncode == 7


def test_readers_break_nothing(top: int, tree: Path, disk: Path) -> None:
    (disk / "target").mkdir()
    with held_still(top) as leases, held(disk / "target") as target:
        survey(top)
        copy_tree(top, target)
        assert list(differences(top, target)) == []
        assert (tree / "file").read_bytes() == b"content"
        assert not leases.broken()


@pytest.mark.parametrize("name", ["file", "dir/inner", "dir/link"])
def test_a_writer_breaks_a_lease_and_the_process_lives_on(top: int, tree: Path, name: str) -> None:
    assert signal.getsignal(signal.SIGIO) == signal.getsignal(signal.SIGURG) == signal.SIG_DFL
    with held_still(top) as leases:
        try_to_write(tree / name)
        assert leases.broken()
        assert leases.broken()


def test_after_the_end_a_writer_is_free(top: int, tree: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with held_still(top):
        pass
    assert os.listdir("/proc/self/fd") == before
    os.close(os.open(tree / "file", os.O_WRONLY | os.O_NONBLOCK))


def test_who_only_refuses_writers_lets_them_in_afterwards(top: int, tree: Path) -> None:
    before = os.listdir("/proc/self/fd")
    assert survey(top, hold=refuse_writer) == survey(top)
    assert os.listdir("/proc/self/fd") == before
    os.close(os.open(tree / "file", os.O_WRONLY | os.O_NONBLOCK))


def test_a_file_that_is_open_for_writing_is_named(top: int, tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with open(tree / "file", "ab"), pytest.raises(OSError, match="busy") as caught, held_still(top):
        pass
    assert (caught.value.errno, caught.value.filename) == (errno.EBUSY, b"dir/link")
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_written_before_the_lease_is_in_the_survey(top: int, tree: Path) -> None:
    """Who wrote and closed between the walk's first look at a file and the lease isn't told by the lease."""

    @contextlib.contextmanager
    def written_then_held(entry: Entry) -> Iterator[None]:
        if entry.path == b"dir/inner":
            (tree / "dir" / "inner").write_bytes(b"longer content")
        with refuse_writer(entry):
            yield

    assert survey(top, hold=written_then_held) == survey(top)


def test_a_file_that_is_mapped_for_writing_is_busy(top: int, tree: Path, hold: Hold) -> None:
    """Also where nothing but the mapping is left of the open file; Python's own mappings keep a descriptor too."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    with open(tree / "file", "r+b") as file:
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        mapped = libc.mmap(None, mmap.PAGESIZE, protection, mmap.MAP_SHARED, file.fileno(), ctypes.c_long(0))
    with refused(errno.EBUSY):
        survey(top, hold=hold)
    assert libc.munmap(ctypes.c_void_p(mapped), mmap.PAGESIZE) == 0


@pytest.mark.timeout(30)
def test_a_file_under_a_lease_is_busy(top: int, tree: Path, hold: Hold) -> None:
    with leased(tree / "file"), refused(errno.EBUSY):
        survey(top, hold=hold)


def test_more_files_than_may_be_open_are_said_to_be_so(top: int, tree: Path) -> None:
    for number in range(60):
        (tree / f"{number}").touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
    try:
        with refused(errno.EMFILE), held_still(top):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
