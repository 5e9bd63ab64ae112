"""As many open files as a busy server has, and more than the daemon may have descriptors for."""

import errno
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.avatars import good_avatar
from tests.harness.descriptors import allowed
from tests.harness.faulty_katafs import asking
from tests.harness.mounted import PROGRAM
from tests.harness.refusals import refused
from tests.harness.status import status_of
from tests.harness.waiting import until
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

KATA, OTHER = "123456789A", "23456789AB"
OTHERS = [f"3456789A{number:02}" for number in range(60)]
"""More than the last descriptors, which are the daemon's own."""
FILES = 10_000
DIRECTORIES = 100
SOFT, HARD = 1024, 20_000
"""What a daemon is started with; it raises the one to the other."""
FEW = 256
OTHER_DESCRIPTORS = 50
"""More than the daemon itself has open, and fewer than would be a leak."""


@pytest.fixture
def many_allowed() -> Iterator[None]:
    """The test itself may have that many files open."""
    needs.programs("prlimit")
    with allowed(HARD):
        yield


def limited(soft: int, hard: int, program: Sequence[str]) -> tuple[str, ...]:
    """The program with limits of its descriptors."""
    return ("prlimit", f"--nofile={soft}:{hard}", *program)


def fill(volume: Path, files: int) -> list[str]:
    """Files that each say their own name; their paths in the volume."""
    names = [f"{number % DIRECTORIES:02}/{number:05}" for number in range(files)]
    for name in names:
        (volume / name).parent.mkdir(parents=True, exist_ok=True)
        (volume / name).write_text(name)
    return names


def descriptors(served: Served) -> int:
    return len(os.listdir(f"/proc/{served.mounted.pid}/fd"))


def opens(path: Path, opened: list[int]) -> bool:
    """Open the file, and put its descriptor to the others; False where there are no more to be had."""
    try:
        opened.append(os.open(path, os.O_RDONLY))
    except OSError as refusal:
        if refusal.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        return False
    return True


def read(descriptor: int) -> str:
    return os.pread(descriptor, 100, 0).decode()


@pytest.mark.parametrize("program", [PROGRAM, asking()], ids=["the kernel's reads", "each read a request"])
@pytest.mark.usefixtures("many_allowed")
def test_ten_thousand_open_files(disk: Path, serve: Serve, program: Sequence[str]) -> None:
    names = fill(disk / "volumes" / KATA, FILES)
    served = serve(program=limited(SOFT, HARD, program))
    before = descriptors(served)
    opened: list[int] = []
    try:
        for name in names:
            opened.append(os.open(served.path(KATA) / name, os.O_RDONLY))
        counted = status_of(served.top)["open_files"]
        contents = [read(descriptor) for descriptor in opened]
    finally:
        for descriptor in opened:
            os.close(descriptor)

    assert counted == FILES
    assert contents == names
    until(lambda: status_of(served.top)["open_files"] == 0, "every file to be released")
    until(lambda: descriptors(served) <= before + DIRECTORIES + OTHER_DESCRIPTORS, "the descriptors to be back")


@pytest.fixture
def full(disk: Path, serve: Serve) -> Iterator[tuple[Served, list[str], list[int]]]:
    """A mount with few descriptors, all of which are used; its files, and which are open."""
    needs.programs("prlimit")
    names = fill(disk / "volumes" / KATA, 2 * FEW)
    served = serve("-o", "timeout=0", program=limited(FEW, FEW, PROGRAM))
    served.mounted.expect("Too many open files")
    opened: list[int] = []
    try:
        for name in names:
            if not opens(served.path(KATA) / name, opened):
                break
        yield served, names, opened
    finally:
        for descriptor in opened:
            os.close(descriptor)


def test_what_is_open_stays_readable_when_descriptors_run_out(full: tuple[Served, list[str], list[int]]) -> None:
    _, names, opened = full

    assert [read(descriptor) for descriptor in opened] == names[: len(opened)]
    assert FEW // 4 < len(opened) < FEW


def test_others_go_on_when_descriptors_run_out(full: tuple[Served, list[str], list[int]]) -> None:
    served, names, opened = full

    for name in names[: len(opened)]:
        assert (served.path(KATA) / name).stat().st_size == len(name)
    assert status_of(served.top)["open_files"] == len(opened)


def test_names_are_looked_up_and_listed_when_descriptors_run_out(full: tuple[Served, list[str], list[int]]) -> None:
    """The kernel asks for each anew: it is to keep nothing."""
    served, _, _ = full
    served.make(OTHER)

    assert os.listdir(served.path(OTHER)) == []
    assert {KATA, OTHER} <= set(os.listdir(served.top))
    assert not (served.top / "missing").exists()


def test_a_file_that_can_not_be_opened_is_neither_made_nor_cut_off(full: tuple[Served, list[str], list[int]]) -> None:
    served, names, opened = full
    other = names[len(opened)]
    for name in (names[0], other, "new"):
        path = served.path(KATA) / name
        while opens(served.path(KATA) / names[0], opened):  # a directory's descriptor may have been given back
            pass
        with refused(errno.EMFILE):
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    assert read(opened[0]) == names[0]
    assert (served.volume(KATA) / other).read_text() == other
    assert not (served.volume(KATA) / "new").exists()


def test_each_file_that_is_closed_makes_room_for_another(full: tuple[Served, list[str], list[int]]) -> None:
    served, names, opened = full
    for name in names[len(opened) :][:20]:
        os.close(opened.pop(0))
        # The kernel sends RELEASE after close has returned.
        path = served.path(KATA) / name
        until(partial(opens, path, opened), "a file to be opened in the place of the closed one")
        assert read(opened[-1]) == name


def test_names_are_looked_up_however_many_tags_are_open(serve: Serve) -> None:
    """Each is held by a descriptor of its own, which no volume knows of."""
    needs.programs("git", "prlimit")
    served = serve("-o", "timeout=0", program=limited(FEW, FEW, PROGRAM))
    served.mounted.expect("Too many open files")
    served.make(KATA)
    for other in OTHERS:
        served.volume(other).mkdir()
    good_avatar(served.volume(KATA) / "lion", tags=1)
    tag = served.path(KATA) / "lion" / "tags" / "0.json"
    opened: list[int] = []
    try:
        while opens(tag, opened):
            pass
        assert len(opened) > FEW // 4
        for other in OTHERS:  # of each a descriptor is kept
            assert os.listdir(served.path(other)) == []
    finally:
        for descriptor in opened:
            os.close(descriptor)


def test_names_are_looked_up_however_many_removed_directories_are_open(serve: Serve) -> None:
    """Each is held by a descriptor of the daemon's, since it has no name any more."""
    needs.programs("prlimit")
    served = serve("-o", "timeout=0", program=limited(FEW, FEW, PROGRAM))
    kata = served.make(KATA)
    opened: list[int] = []
    try:
        for _ in range(FEW):
            (kata / "removed").mkdir()
            opened.append(os.open(kata / "removed", os.O_RDONLY))
            (kata / "removed").rmdir()
        served.make(OTHER)
        assert {KATA, OTHER} <= set(os.listdir(served.top))
        assert os.fstat(opened[0]).st_nlink == 0
    finally:
        for descriptor in opened:
            os.close(descriptor)
