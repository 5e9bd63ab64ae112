"""What new things inherit: groups of setgid folders, umask; and what writing takes away: setuid and setgid bits."""

import mmap
import os
import stat
from collections.abc import Callable

import pytest

from tests.posix.compare import compared
from tests.posix.objects import make
from tests.posix.place import NOBODY, ROOT, SERVER, WWW, WWW_IN_SERVER, Place, User, acting_as
from tests.posix.syscalls import truncate

CREATORS: dict[str, Callable[[str, int], None]] = {
    "open": lambda name, mode: os.close(os.open(name, os.O_CREAT | os.O_RDWR, mode)),
    "mkdir": os.mkdir,
    "mkfifo": os.mkfifo,
    "mknod": lambda name, mode: os.mknod(name, stat.S_IFREG | mode),
    "socket": lambda name, mode: os.mknod(name, stat.S_IFSOCK | mode),
    "symlink": lambda name, mode: os.symlink("target", name),
}


@pytest.mark.parametrize("creator", CREATORS)
@pytest.mark.parametrize("user", [ROOT, NOBODY, WWW_IN_SERVER], ids=str)
@pytest.mark.parametrize("folder_mode", [0o777, 0o2777, 0o3777])
@pytest.mark.parametrize("mode", [0o644, 0o755, 0o2755, 0o2644, 0o6777])
@compared
def test_group_of_a_setgid_folder(at: Place, creator: str, user: User, folder_mode: int, mode: int) -> None:
    at.folder("d", folder_mode, owner=SERVER)
    with acting_as(user):
        assert at.tries(CREATORS[creator], "d/x", mode) == "ok"
    found = at.sees("d/x")
    assert found["gid"] == (SERVER.gid if folder_mode & 0o2000 else user.gid)
    assert found["uid"] == user.uid


@pytest.mark.parametrize("creator", CREATORS)
@pytest.mark.parametrize("umask", [0, 0o002, 0o027, 0o177, 0o777])
@compared
def test_umask_of_the_caller(at: Place, creator: str, umask: int) -> None:
    os.umask(umask)
    CREATORS[creator]("x", 0o777)
    assert at.sees("x")["mode"] == ("0o777" if creator == "symlink" else oct(0o777 & ~umask))


@compared
def test_setgid_goes_down_through_folders_only(at: Place) -> None:
    at.folder("d", 0o2777, owner=SERVER)
    with acting_as(NOBODY):
        os.mkdir("d/e")
        os.mkdir("d/e/f")
        os.mkdir("d/e/f/g", 0o700)
        os.close(os.open("d/e/f/g/file", os.O_CREAT | os.O_RDWR, 0o777))
    assert at.sees("d/e/f/g")["mode"] == "0o2700"
    assert at.sees("d/e/f/g/file")["mode"] == "0o755"


@compared
def test_moved_and_linked_files_keep_their_group(at: Place) -> None:
    at.folder("d", 0o2777, owner=SERVER)
    at.file("f", owner=WWW)
    os.link("f", "d/linked")
    os.rename("f", "d/moved")
    at.folder("e", owner=WWW)
    os.rename("e", "d/e")
    at.sees("d/linked", "d/e")
    assert at.sees("d/moved")["gid"] == WWW.gid


SUID_MODES = [0o4755, 0o2755, 0o6755, 0o6777, 0o4777, 0o4644]
CHANGES: dict[str, Callable[[str, int], object]] = {
    "write": lambda name, fd: os.pwrite(fd, b"X", 0),
    "write nothing": lambda name, fd: os.pwrite(fd, b"", 0),
    "append": lambda name, fd: os.pwrite(fd, b"X", 7),
    "truncate": lambda name, fd: truncate(name, 3),
    "ftruncate": lambda name, fd: os.ftruncate(fd, 3),
    "truncate to the same size": lambda name, fd: truncate(name, 7),
    "open with O_TRUNC": lambda name, fd: os.close(os.open(name, os.O_WRONLY | os.O_TRUNC)),
    "utime": lambda name, fd: os.utime(fd),
    "chmod to the same": lambda name, fd: os.chmod(name, stat.S_IMODE(os.stat(name).st_mode)),
    "chown to the same": lambda name, fd: os.chown(name, -1, -1),
    "setxattr": lambda name, fd: os.setxattr(name, "user.key", b"v"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("mode", SUID_MODES)
@pytest.mark.parametrize("user", [ROOT, SERVER, User(19661, 33), NOBODY], ids=str)
@compared
def test_setuid_bits_after_a_change(at: Place, change: str, mode: int, user: User) -> None:
    at.file("f", b"program", mode, owner=SERVER)
    with acting_as(user):
        try:
            fd = at.open("f", os.O_WRONLY)
        except PermissionError:
            at.notes("open", "EACCES")
            return
        at.tries(CHANGES[change], "f", fd)
        at.sees("f")
    found = at.sees("f")
    if change in ("write", "append", "ftruncate", "open with O_TRUNC") and user != ROOT:
        assert not int(str(found["mode"]), 8) & stat.S_ISUID
    if user == ROOT and change == "write":
        assert found["mode"] == oct(mode)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("mode", [0o2646, 0o6666, 0o2745])
@compared
def test_setgid_without_group_execute_stays_for_members(at: Place, change: str, mode: int) -> None:
    at.file("f", b"program", mode, owner=SERVER)
    with acting_as(SERVER):
        at.tries(CHANGES[change], "f", at.open("f", os.O_WRONLY))
    at.sees("f")


@pytest.mark.parametrize("user", [ROOT, NOBODY], ids=str)
@compared
def test_setuid_bits_after_a_mapped_write(at: Place, user: User) -> None:
    at.file("f", b"x" * 4096, 0o6777)
    with acting_as(user):
        fd = at.open("f")
        with mmap.mmap(fd, 4096) as mapped:
            mapped[0:1] = b"X"
            mapped.flush()
    at.sees("f")


@pytest.mark.parametrize("opener", [ROOT, NOBODY], ids=str)
@pytest.mark.parametrize("writer", [ROOT, NOBODY], ids=str)
@compared
def test_setuid_bits_go_by_who_writes_not_who_opened(at: Place, opener: User, writer: User) -> None:
    at.file("f", b"program", 0o6777)
    with acting_as(opener):
        fd = at.open("f")
    with acting_as(writer):
        os.write(fd, b"X")
    assert at.sees("f")["mode"] == ("0o6777" if writer == ROOT else "0o777")


@compared
def test_each_writer_takes_the_bits_again(at: Place) -> None:
    at.file("f", b"program", 0o6777, owner=SERVER)
    with acting_as(NOBODY):
        fd = at.open("f")
        os.write(fd, b"one")
    assert at.sees("f")["mode"] == "0o777"
    os.chmod("f", 0o6777)
    with acting_as(NOBODY):
        os.write(fd, b"two")
    assert at.sees("f")["mode"] == "0o777"


@pytest.mark.parametrize("kind", ["file", "folder", "fifo"])
@compared
def test_kinds_made_by_root_in_an_ordinary_folder(at: Place, kind: str) -> None:
    at.folder("d", 0o755, owner=SERVER)
    make(at, kind, "d/x")
    assert at.sees("d/x")["gid"] == 0
