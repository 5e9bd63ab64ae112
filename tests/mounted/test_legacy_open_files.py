"""What is open while a kata is converted goes on: the same inode, the same bytes, and then the new ones."""

import errno
import fcntl
import mmap
import os
from pathlib import Path

import pytest

from tests.harness.descriptors import remembered
from tests.harness.old_disk import FILES
from tests.harness.programs import in_child, run
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.mounted.served import LegacyServed

HIKER = "lion/sandbox/hiker.c"
OLD = FILES[HIKER].encode()
PAGES = bytes(range(256)) * 48


@pytest.fixture
def kata(legacy: LegacyServed) -> Path:
    """An old kata on the mount."""
    return legacy.path(legacy.old({**FILES, "pages": "x" * len(PAGES)}))


def convert(kata: Path) -> None:
    """Have it converted by a change to something else in it."""
    (kata / "something-else").touch()


def same(descriptor: int, path: Path) -> bool:
    told, named = os.fstat(descriptor), path.stat()
    wanted = ("st_ino", "st_dev", "st_size", "st_mtime_ns", "st_ctime_ns", "st_mode", "st_nlink", "st_uid")
    return all(getattr(told, name) == getattr(named, name) for name in wanted)


def test_a_handle_from_before_reads_what_is_written_after(kata: Path) -> None:
    with (kata / HIKER).open("rb", buffering=0) as before:
        assert before.read(3) == OLD[:3]
        (kata / HIKER).write_bytes(b"newer and longer than it was: " + OLD)

        assert before.read() == (b"newer and longer than it was: " + OLD)[3:]
        assert same(before.fileno(), kata / HIKER)


def test_a_handle_that_read_nothing_yet_reads_what_is_written_after(kata: Path) -> None:
    with (kata / HIKER).open("rb", buffering=0) as before:
        (kata / HIKER).write_bytes(b"new")
        assert before.read() == b"new"


def test_many_handles_of_many_files_go_on(kata: Path) -> None:
    opened = {name: [os.open(kata / name, os.O_RDONLY) for _ in range(3)] for name in FILES}
    numbers = {name: (kata / name).stat().st_ino for name in FILES}

    convert(kata)

    for name, handles in opened.items():
        for handle in handles:
            assert os.pread(handle, 1000, 0).decode() == FILES[name]
            assert os.fstat(handle).st_ino == numbers[name] == (kata / name).stat().st_ino
            assert same(handle, kata / name)
            os.close(handle)


def test_an_open_file_shows_no_change_that_nobody_made(kata: Path) -> None:
    """tar, for one, complains of a file whose ctime isn't what it was."""
    with (kata / HIKER).open("rb") as before:
        told = os.fstat(before.fileno())
        convert(kata)
        after = os.fstat(before.fileno())

    assert (after.st_ctime_ns, after.st_mtime_ns, after.st_size, after.st_ino, after.st_nlink) == (
        (told.st_ctime_ns, told.st_mtime_ns, told.st_size, told.st_ino, told.st_nlink)
    )


def test_a_change_after_a_conversion_moves_the_ctime(kata: Path) -> None:
    with (kata / HIKER).open("rb") as before:
        convert(kata)
        told = os.fstat(before.fileno())
        (kata / HIKER).chmod(0o600)

        assert os.fstat(before.fileno()).st_ctime_ns > told.st_ctime_ns


def test_the_kata_itself_and_directories_in_it_keep_their_numbers(kata: Path) -> None:
    paths = [kata, kata / "lion", kata / "lion" / "sandbox"]
    with remembered(paths):
        before = [path.stat().st_ino for path in paths]

        convert(kata)

        assert [path.stat().st_ino for path in paths] == before


def test_a_file_that_is_unlinked_after_the_conversion_stays_readable(kata: Path) -> None:
    with (kata / HIKER).open("rb", buffering=0) as before:
        (kata / HIKER).unlink()

        assert before.read() == OLD
        assert os.fstat(before.fileno()).st_nlink == 0


def test_a_file_that_is_renamed_over_stays_readable(kata: Path) -> None:
    (kata / "new").write_bytes(b"new")
    with (kata / HIKER).open("rb", buffering=0) as before:
        os.rename(kata / "new", kata / HIKER)

        assert before.read() == OLD
        assert (kata / HIKER).read_bytes() == b"new"


def test_a_private_mapping_stays_as_it_is(kata: Path) -> None:
    with (kata / "pages").open("rb") as before:
        pages = mmap.mmap(before.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    with pages:
        pages[:5] = b"mine!"
        convert(kata)

        assert pages[:] == b"mine!" + b"x" * (len(PAGES) - 5)
        assert (kata / "pages").read_bytes() == b"x" * len(PAGES)


def test_a_shared_mapping_for_reading_shows_what_is_written_after(kata: Path) -> None:
    with (kata / "pages").open("rb") as before, mmap.mmap(before.fileno(), 0, prot=mmap.PROT_READ) as pages:
        assert pages[:2] == b"xx"  # one page is in memory by now, and the others aren't
        with (kata / "pages").open("r+b", buffering=0) as writer:
            writer.write(PAGES)

        assert pages[:] == PAGES


def test_a_working_directory_in_a_kata_stays_one(kata: Path) -> None:
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.chdir(kata / "lion" / "sandbox")
    try:
        convert(kata)
        assert sorted(os.listdir(".")) == ["cyber-dojo.sh", "hiker.c"]
        Path("new").write_text("relative")
        assert os.listdir("..") != []
        assert run(["cat", "new"], cwd=Path()).stdout == "relative"
    finally:
        os.fchdir(before)
        os.close(before)
    assert (kata / "lion/sandbox/new").read_text() == "relative"


def test_a_listing_that_was_begun_before_is_whole(legacy: LegacyServed) -> None:
    names = {f"file-{number:04}": "" for number in range(1000)}  # more than one reply holds

    def numbers_stay() -> bool:
        kata = legacy.path(legacy.old(names))
        with os.scandir(kata) as entries:
            seen = [next(entries)]
            convert(kata)
            seen += entries
        assert {entry.name for entry in seen} >= set(names)
        assert len(seen) - len(names) in {0, 1}
        listed = {entry.inode() for entry in seen if entry.name in names}
        return listed == {(kata / name).stat().st_ino for name in names}

    until(numbers_stay, "listed numbers to be those of now, unless another test makes the kernel forget them just then")


def _try_flock(path: Path) -> None:
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try_byte_lock(path: Path) -> None:
    with path.open("rb") as file:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_flock_that_was_taken_before_is_held_after(kata: Path) -> None:
    with (kata / HIKER).open("rb") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        convert(kata)
        with refused(errno.EAGAIN):
            in_child(_try_flock, kata / HIKER)
        fcntl.flock(owner, fcntl.LOCK_UN)

        in_child(_try_flock, kata / HIKER)


def test_a_lock_for_reading_that_was_taken_before_is_held_after(kata: Path) -> None:
    with (kata / HIKER).open("rb") as owner:
        fcntl.lockf(owner, fcntl.LOCK_SH)
        convert(kata)

        in_child(_try_byte_lock, kata / HIKER)
        assert owner.read() == OLD


def test_hard_links_stay_one_file(legacy: LegacyServed) -> None:
    kata = legacy.old()
    os.link(legacy.disk.where(kata) / HIKER, legacy.disk.where(kata) / "second")
    path = legacy.path(kata)
    with (path / "second").open("rb", buffering=0) as before:
        number = (path / HIKER).stat().st_ino
        (path / HIKER).write_bytes(b"through the other name")

        assert before.read() == b"through the other name"
        assert (path / HIKER).stat().st_ino == (path / "second").stat().st_ino == number
        assert (path / HIKER).stat().st_nlink == 2
