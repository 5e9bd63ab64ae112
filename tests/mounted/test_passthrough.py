"""Files that the kernel reads and writes itself (FUSE_PASSTHROUGH): the same content on both sides, always.

Where the kernel has no such thing all but the marked tests hold as well.
"""

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import needs
from tests.mounted.served import Served, fresh_id


@pytest.fixture
def both(served: Served) -> tuple[Path, Path]:
    """A file that nobody has looked at, on the mount and behind it."""
    kata = fresh_id()
    shown, behind = served.make(kata) / "f", served.volume(kata) / "f"
    return shown, behind


def test_an_open_file_shows_at_once_what_is_written_behind_it(both: tuple[Path, Path]) -> None:
    needs.passthrough()
    shown, behind = both
    behind.write_bytes(b"old")
    with shown.open("rb", buffering=0) as reading:
        for number in range(50):
            content = f"new {number}".encode() * 1000
            behind.write_bytes(content)

            assert os.pread(reading.fileno(), 1 << 20, 0) == content


def test_a_mapping_shows_at_once_what_is_written_behind_it(both: tuple[Path, Path]) -> None:
    needs.passthrough()
    shown, behind = both
    behind.write_bytes(b"old" + bytes(5000))
    with shown.open("rb") as file, mmap.mmap(file.fileno(), 5000, prot=mmap.PROT_READ) as mapped:
        before = mapped[:3]
        with behind.open("r+b") as writing:
            writing.write(b"new")

        assert (before, mapped[:3]) == (b"old", b"new")


def test_readers_and_writers_of_one_file_have_one_content(both: tuple[Path, Path]) -> None:
    shown, behind = both
    with shown.open("w+b", buffering=0) as one, shown.open("r+b", buffering=0) as two, shown.open("ab", 0) as appending:
        for number in range(100):
            line = f"{number:05}\n".encode()
            (one, two, appending)[number % 3].write(line)
            os.lseek(one.fileno(), 0, os.SEEK_END)
            os.lseek(two.fileno(), 0, os.SEEK_END)
        content = os.pread(two.fileno(), 1 << 20, 0)

    assert content == behind.read_bytes() == b"".join(f"{number:05}\n".encode() for number in range(100))


@pytest.mark.parametrize("first", [os.O_APPEND, os.O_DIRECT, 0], ids=["append", "direct", "plain"])
@pytest.mark.parametrize("second", [os.O_APPEND, os.O_DIRECT, 0], ids=["append", "direct", "plain"])
def test_any_two_kinds_of_open_file_go_together(both: tuple[Path, Path], first: int, second: int) -> None:
    shown, behind = both
    behind.write_bytes(b"x" * 4096)
    descriptors = [os.open(shown, os.O_RDWR | flags) for flags in (first, second, first)]
    buffer = mmap.mmap(-1, 4096)
    sizes = [os.preadv(descriptor, [buffer], 0) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    with shown.open("ab") as file:
        file.write(b"end")

    assert sizes == [4096] * 3
    assert behind.read_bytes() == b"x" * 4096 + b"end"


def test_what_was_cached_before_does_not_come_back(both: tuple[Path, Path]) -> None:
    """Read through requests, then changed past the cache, then read through requests again."""
    shown, behind = both
    shown.write_bytes(b"a" * 4096)
    for letter in (b"b", b"c"):
        with shown.open("ab+") as appending:
            os.pread(appending.fileno(), 4096, 0)
        with shown.open("r+b", buffering=0) as file:
            file.write(letter * 4096)

        with shown.open("ab+") as appending:
            assert os.pread(appending.fileno(), 4096, 0) == letter * 4096
    assert behind.read_bytes() == b"c" * 4096


def test_what_is_read_by_requests_has_no_holes(both: tuple[Path, Path]) -> None:
    """What is mapped may be in the kernel's pages alone, where the volume has a hole: who copies data alone would lose
    it. And who asks so of one file is answered of the next all the same."""
    shown, behind = both
    behind.touch()
    os.truncate(behind, 1 << 20)
    appending = os.open(shown, os.O_RDWR | os.O_APPEND)
    with mmap.mmap(appending, 1 << 20) as mapped:
        mapped[8192] = 65
        found = [os.lseek(appending, offset, os.SEEK_DATA) for offset in (0, 8192, (1 << 20) - 1)]
        hole = os.lseek(appending, 0, os.SEEK_HOLE)
        with pytest.raises(OSError, match="No such device or address"):
            os.lseek(appending, 1 << 20, os.SEEK_DATA)
    os.close(appending)

    assert (found, hole) == ([0, 8192, (1 << 20) - 1], 1 << 20)


def test_a_hole_is_found_where_the_kernel_reads_itself(both: tuple[Path, Path]) -> None:
    needs.passthrough()
    shown, behind = both
    behind.write_bytes(b"x")
    os.truncate(behind, 1 << 20)
    with shown.open("rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 4096


def test_a_removed_and_a_replaced_file_keep_their_content_while_they_are_open(both: tuple[Path, Path]) -> None:
    shown, _ = both
    shown.write_bytes(b"one")
    with shown.open("r+b", buffering=0) as removed:
        shown.unlink()
        shown.write_bytes(b"two")
        with shown.open("r+b", buffering=0) as replaced:
            (shown.parent / "g").write_bytes(b"three")
            (shown.parent / "g").replace(shown)
            removed.write(b"ONE")
            replaced.write(b"TWO")
            contents = [os.pread(each.fileno(), 10, 0) for each in (removed, replaced)]

    assert [*contents, shown.read_bytes()] == [b"ONE", b"TWO", b"three"]


def test_a_set_user_id_bit_goes_when_somebody_else_writes(both: tuple[Path, Path]) -> None:
    needs.root()
    shown, behind = both
    shown.write_bytes(b"old")
    shown.parent.chmod(0o777)
    shown.chmod(0o4777)
    script = "import os, sys; os.setuid(65534); os.write(os.open(sys.argv[1], os.O_WRONLY), b'new')"
    subprocess.run([sys.executable, "-c", script, str(shown)], check=True, timeout=60)

    assert oct(behind.stat().st_mode & 0o7777) == oct(0o777)
    assert behind.read_bytes() == b"new"


def test_many_files_opened_by_many_processes(both: tuple[Path, Path]) -> None:
    """Opened and closed side by side, in all ways: the kernel lets no two kinds of open file of one inode be."""
    shown, behind = both
    shown.write_bytes(b"x" * 100)
    script = """
import os, sys
for number in range(300):
    flags = (os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_TRUNC)[(number + int(sys.argv[2])) % 4]
    os.close(os.open(sys.argv[1], flags))
"""
    processes = [subprocess.Popen([sys.executable, "-c", script, str(shown), str(each)]) for each in range(4)]

    assert [process.wait(120) for process in processes] == [0] * 4
    assert behind.read_bytes() == b""
