"""Bugs on purpose: each is an EIO for who met it and a traceback in the log, and the mount lives on."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness.faulty_katafs import BAD_KATA, BUGS, buggy
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.refusals import refused
from tests.mounted.served import Served


@pytest.fixture(scope="module")
def faulty() -> Iterator[Served]:
    """A mount with a bug in every kind of request; the kernel keeps nothing, so that each request is made."""
    directory = fresh_directory()
    with mounting(directory) as mount:
        mounted = mount("-o", "timeout=0", program=buggy())
        mounted.expect("a bug in katafs|ZeroDivisionError|Traceback")
        yield Served(mounted, directory / "volumes", Layout.FLAT)
    remove_directory(directory)


def attempt_fstat(path: Path) -> None:
    with path.open() as file:
        os.fstat(file.fileno())


def attempt_write(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(b"x")


def attempt_fsync(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        os.fsync(file.fileno())


def attempt_fsync_of_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def attempt_link(path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    os.link(other, path)


ATTEMPTS: dict[str, Callable[[Path], object]] = {
    "lookup": os.stat,
    "mkdir": os.mkdir,
    "mknod": os.mkfifo,
    "symlink": lambda path: path.symlink_to("target"),
    "link": attempt_link,
    "create": Path.touch,
    "open": Path.read_bytes,
    "read": Path.read_bytes,
    "write": attempt_write,
    "fsync": attempt_fsync,
    "getattr": attempt_fstat,
    "setattr": lambda path: path.chmod(0o600),
    "readlink": os.readlink,
    "getxattr": lambda path: os.getxattr(path, "user.colour"),
    "setxattr": lambda path: os.setxattr(path, "user.colour", b"red"),
    "listxattr": os.listxattr,
    "removexattr": lambda path: os.removexattr(path, "user.colour"),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "rename": lambda path: path.rename(path.with_name("renamed")),
    "opendir": os.listdir,
    "readdir": os.listdir,
    "fsyncdir": attempt_fsync_of_directory,
}
SILENT = {"release", "releasedir", "forget"}
"""What nobody waits for the answer of."""

NEW = {"mkdir", "mknod", "symlink", "link", "create"}
DIRECTORIES = {"rmdir", "opendir", "readdir", "fsyncdir", "releasedir"}


def prepared(faulty: Served, operation: str) -> Path:
    """The cursed name's path in the mount; what has the name is put into the root volume directly."""
    name = f"cursed-{operation}"
    stored = faulty.root_volume / name
    if os.path.lexists(stored):
        return faulty.top / name
    if operation in DIRECTORIES:
        stored.mkdir()
        for number in range(0 if operation == "rmdir" else 10):
            (stored / str(number)).touch()
    elif operation == "readlink":
        stored.symlink_to("target")
    elif operation not in NEW:
        stored.write_bytes(b"content")
        os.setxattr(stored, "user.colour", b"green")
    return faulty.top / name


def lives_on(faulty: Served) -> bool:
    """Whether the mount still does what it is there for."""
    path = faulty.top / "still-alive"
    path.write_text("yes")
    text = path.read_text()
    path.unlink()
    return faulty.mounted.status is None and text == "yes"


def test_every_kind_of_request_has_its_bug() -> None:
    assert set(ATTEMPTS) | SILENT == set(BUGS)


@pytest.mark.parametrize("operation", ATTEMPTS)
def test_a_bug_is_an_io_error_and_the_mount_lives_on(faulty: Served, operation: str) -> None:
    path = prepared(faulty, operation)

    with refused(errno.EIO):
        ATTEMPTS[operation](path)

    assert lives_on(faulty)


@pytest.mark.parametrize("operation", ATTEMPTS)
def test_a_bug_is_told_with_its_traceback(faulty: Served, operation: str) -> None:
    path = prepared(faulty, operation)

    with refused(errno.EIO):
        ATTEMPTS[operation](path)

    line = rf"ERROR: a bug in katafs operation={operation} path=/\S*"
    faulty.mounted.wait_for_log(rf"(?s){line}\nTraceback .*?\nZeroDivisionError")


def test_a_bug_while_a_file_is_closed_is_told_and_the_mount_lives_on(faulty: Served) -> None:
    prepared(faulty, "release").read_bytes()

    faulty.mounted.wait_for_log(r"(?s)ERROR: a bug in katafs operation=release path=/\S+\nTraceback ")
    assert lives_on(faulty)


def test_a_bug_while_a_directory_is_closed_is_told_and_the_mount_lives_on(faulty: Served) -> None:
    os.listdir(prepared(faulty, "releasedir"))

    faulty.mounted.wait_for_log(r"(?s)ERROR: a bug in katafs operation=releasedir path=/\S+\nTraceback ")
    assert lives_on(faulty)


def test_a_bug_while_inodes_are_forgotten_is_told_and_the_mount_lives_on(faulty: Served) -> None:
    prepared(faulty, "forget").unlink()

    faulty.mounted.wait_for_log(r"(?s)ERROR: a bug in katafs operation=forget( path=/\S+)?\nTraceback ")
    assert lives_on(faulty)


def test_a_bug_while_a_kata_is_made_is_an_io_error_and_the_mount_lives_on(faulty: Served) -> None:
    with refused(errno.EIO):
        faulty.path(BAD_KATA).mkdir()

    assert lives_on(faulty)
    assert BAD_KATA not in faulty.volumes()


def test_a_bug_in_one_request_leaves_another_open_file_alone(faulty: Served) -> None:
    (faulty.root_volume / "bystander").write_bytes(b"content")
    with (faulty.top / "bystander").open("r+b", buffering=0) as bystander:
        with refused(errno.EIO):
            os.stat(faulty.top / "cursed-lookup")
        bystander.write(b"CONTENT")
        content = os.pread(bystander.fileno(), 100, 0)

    assert content == b"CONTENT"


def test_many_bugs_at_once_do_not_end_the_mount(faulty: Served) -> None:
    for _ in range(200):
        with refused(errno.EIO):
            os.stat(faulty.top / "cursed-lookup")

    assert stat.S_ISDIR(faulty.top.stat().st_mode)
    # The log doesn't fill the disk with them.
    assert 0 < faulty.mounted.log().count("ERROR: a bug in katafs operation=lookup") < 200
