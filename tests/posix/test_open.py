"""open: flags, kinds, modes, and what the descriptor can do."""

import mmap
import os
import subprocess

import pytest

from tests.posix.compare import compared
from tests.posix.objects import KINDS, PLAIN, contents, listing, make
from tests.posix.place import NOBODY, SERVER, WWW_IN_SERVER, Place, User, acting_as
from tests.posix.syscalls import truncate

FLAGS = {
    "RDONLY": os.O_RDONLY,
    "WRONLY": os.O_WRONLY,
    "RDWR": os.O_RDWR,
    "CREAT": os.O_RDWR | os.O_CREAT,
    "CREAT|EXCL": os.O_RDWR | os.O_CREAT | os.O_EXCL,
    "CREAT|NOFOLLOW": os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
    "CREAT|TRUNC": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "RDONLY|CREAT": os.O_RDONLY | os.O_CREAT,
    "CREAT|DIRECTORY": os.O_RDONLY | os.O_CREAT | os.O_DIRECTORY,
    "TRUNC": os.O_RDWR | os.O_TRUNC,
    "RDONLY|TRUNC": os.O_RDONLY | os.O_TRUNC,
    "APPEND": os.O_WRONLY | os.O_APPEND,
    "NOFOLLOW": os.O_RDONLY | os.O_NOFOLLOW,
    "DIRECTORY": os.O_RDONLY | os.O_DIRECTORY,
    "DIRECTORY|RDWR": os.O_RDWR | os.O_DIRECTORY,
    "DIRECTORY|NOFOLLOW": os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW,
    "PATH": os.O_PATH,
    "PATH|NOFOLLOW": os.O_PATH | os.O_NOFOLLOW,
    "SYNC": os.O_RDWR | os.O_SYNC,
    "DSYNC": os.O_RDWR | os.O_DSYNC,
    "NOATIME": os.O_RDONLY | os.O_NOATIME,
    "NONBLOCK": os.O_RDONLY | os.O_NONBLOCK,
}
OPENABLE = tuple(kind for kind in KINDS if kind == "nothing" or kind in PLAIN)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("kind", OPENABLE)
@compared
def test_every_flag_on_every_kind(at: Place, kind: str, flags: str) -> None:
    make(at, kind, "x")
    nonblock = os.O_NONBLOCK if kind == "fifo" else 0
    at.opens("x", FLAGS[flags] | nonblock)
    listing(at)


@pytest.mark.parametrize("flags", ["RDONLY", "CREAT", "CREAT|EXCL", "DIRECTORY", "PATH", "NOFOLLOW"])
@pytest.mark.parametrize("kind", OPENABLE)
@compared
def test_with_a_slash_behind(at: Place, kind: str, flags: str) -> None:
    make(at, kind, "x")
    at.opens("x/", FLAGS[flags])
    listing(at)


@pytest.mark.parametrize("mode", [0, 0o200, 0o444, 0o644, 0o666, 0o777, 0o4755, 0o2755, 0o7777])
@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
@compared
def test_mode_and_umask(at: Place, mode: int, umask: int) -> None:
    os.umask(umask)
    assert at.opens("f", os.O_CREAT | os.O_RDWR, mode) == "ok"
    assert at.sees("f")["mode"] == oct(mode & ~umask)


@pytest.mark.parametrize("mode", [0, 0o200, 0o400])
@compared
def test_new_file_may_be_written_whatever_its_mode(at: Place, mode: int) -> None:
    at.folder("d", owner=NOBODY)
    with acting_as(NOBODY):
        fd = at.open("d/f", os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)
        assert at.gives(os.write, fd, b"abc") == 3
        assert at.gives(os.pread, fd, 3, 0) == b"abc"
        at.opens("d/f", os.O_RDWR)
    at.sees("d/f")


@pytest.mark.parametrize("mode", [0o600, 0o060, 0o006, 0o400, 0o040, 0o004, 0o200, 0o020, 0o002, 0o606, 0o066])
@pytest.mark.parametrize("user", [NOBODY, SERVER, WWW_IN_SERVER, User(65534, 19661)], ids=str)
@compared
def test_who_may(at: Place, mode: int, user: User) -> None:
    at.file("f", b"abc", mode, owner=SERVER)
    with acting_as(user):
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_TRUNC, os.O_RDONLY | os.O_NOATIME):
            at.opens("f", flags)
    at.sees("f")


@compared
def test_root_needs_no_permission(at: Place) -> None:
    at.file("f", b"abc", 0, owner=SERVER)
    at.folder("d", 0, owner=SERVER)
    assert at.opens("f", os.O_RDWR) == "ok"
    assert at.opens("d/new", os.O_CREAT | os.O_RDWR) == "ok"


@pytest.mark.parametrize("mode", [0o555, 0o333, 0o111, 0o222, 0o666, 0o755])
@compared
def test_creating_needs_write_and_search(at: Place, mode: int) -> None:
    at.folder("d", mode, owner=NOBODY)
    with acting_as(NOBODY):
        outcome = at.opens("d/f", os.O_CREAT | os.O_RDWR)
    assert outcome == ("ok" if mode & 0o300 == 0o300 else "EACCES")


@compared
def test_belongs_to_the_caller(at: Place) -> None:
    at.folder("d", 0o777)
    with acting_as(WWW_IN_SERVER):
        at.opens("d/f", os.O_CREAT | os.O_RDWR)
    assert at.sees("d/f")["uid"] == 33
    assert at.sees("d/f")["gid"] == 33


@compared
def test_descriptor_for_reading_writes_nothing(at: Place) -> None:
    at.file("f", b"abc")
    reader, writer = at.open("f", os.O_RDONLY), at.open("f", os.O_WRONLY)
    assert at.tries(os.write, reader, b"x") == "EBADF"
    assert at.tries(os.read, writer, 1) == "EBADF"
    assert at.tries(os.ftruncate, reader, 0) == "EINVAL"
    assert at.gives(os.write, writer, b"xyz") == 3
    assert at.gives(os.read, reader, 9) == b"xyz"


@compared
def test_reader_and_writer_at_once(at: Place) -> None:
    at.file("f")
    reader = at.open("f", os.O_RDONLY)
    writer = at.open("f", os.O_WRONLY)
    for number in range(20):
        os.write(writer, bytes([65 + number]))
        assert at.gives(os.read, reader, 9) == bytes([65 + number])
    assert at.gives(os.read, reader, 9) == b""


@compared
def test_path_descriptor_is_only_a_place(at: Place) -> None:
    at.file("f", b"abc")
    at.folder("d")
    os.symlink("f", "link")
    file, folder, link = (at.open(name, os.O_PATH | os.O_NOFOLLOW) for name in ("f", "d", "link"))
    assert at.tries(os.read, file, 1) == "EBADF"
    assert at.tries(os.fchmod, file, 0o600) == "EBADF"
    assert at.tries(os.listdir, folder) == "EBADF"
    assert at.gives(os.readlink, b"", dir_fd=link) == b"f"
    assert at.opens("new", os.O_CREAT | os.O_RDWR, dir_fd=folder) == "ok"
    at.sees(file, folder, link)


@compared
def test_truncating_open(at: Place) -> None:
    at.file("f", b"long content")
    reader = at.open("f", os.O_RDONLY)
    with at.watching("f"):
        os.close(os.open("f", os.O_WRONLY | os.O_TRUNC))
    assert at.sees("f")["size"] == 0
    assert at.gives(os.read, reader, 9) == b""


@compared
def test_truncating_open_of_an_empty_file(at: Place) -> None:
    at.file("f")
    with at.watching("f"):
        os.close(os.open("f", os.O_WRONLY | os.O_TRUNC))


@compared
def test_refused_truncation_truncates_nothing(at: Place) -> None:
    at.file("f", b"abc", 0o444, owner=NOBODY)
    with acting_as(NOBODY):
        assert at.opens("f", os.O_WRONLY | os.O_TRUNC) == "EACCES"
        assert at.opens("f", os.O_RDONLY | os.O_TRUNC) == "EACCES"
    assert at.gives(contents, "f") == b"abc"


@compared
def test_created_through_a_dangling_link(at: Place) -> None:
    os.symlink("made", "link")
    assert at.opens("link", os.O_CREAT | os.O_RDWR) == "ok"
    assert at.opens("link", os.O_CREAT | os.O_EXCL | os.O_RDWR) == "EEXIST"
    listing(at)


@compared
def test_running_program_is_not_written(at: Place) -> None:
    with open("/bin/sleep", "rb") as program:
        at.file("program", program.read(), 0o755)
    running = subprocess.Popen(["./program", "100"])
    try:
        assert at.opens("program", os.O_RDWR) == "ETXTBSY"
        assert at.tries(truncate, "program", 0) == "ETXTBSY"
        assert at.tries(os.unlink, "program") == "ok"
    finally:
        running.kill()
        running.wait()


@compared
def test_file_open_for_writing_does_not_run(at: Place) -> None:
    at.file("script", b"#!/bin/sh\nexit 7\n", 0o755)
    fd = os.open("script", os.O_RDWR)
    assert at.tries(subprocess.run, ["./script"]) == "ETXTBSY"
    os.close(fd)
    assert at.notes("exit", subprocess.run(["./script"]).returncode) == 7


@pytest.mark.parametrize("mode", [0o755, 0o644, 0o111, 0o711])
@compared
def test_execute_permission(at: Place, mode: int) -> None:
    with open("/bin/true", "rb") as program:
        at.file("program", program.read(), mode)

    assert at.tries(subprocess.run, ["./program"]) == ("EACCES" if mode == 0o644 else "ok")
    with acting_as(NOBODY):
        assert at.tries(subprocess.run, ["./program"]) == ("EACCES" if mode == 0o644 else "ok")


@compared
def test_direct_io_with_aligned_buffers(at: Place) -> None:

    page = mmap.mmap(-1, 8192)
    page[:] = b"d" * 8192
    fd = at.open("f", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    assert at.gives(os.writev, fd, [page]) == 8192  # PyPy's os.write writes a copy, which may not be aligned
    back = mmap.mmap(-1, 8192)
    assert at.gives(os.preadv, fd, [back], 0) == 8192
    assert back[:] == page[:]
    assert at.gives(contents, "f") == b"d" * 8192


@compared
def test_direct_and_ordinary_descriptors_see_each_other(at: Place) -> None:

    at.file("f", b"1" * 4096)
    ordinary, direct = at.open("f"), at.open("f", os.O_RDWR | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    os.pread(ordinary, 4096, 0)
    page[:] = b"2" * 4096
    os.pwritev(direct, [page], 0)
    assert at.gives(os.pread, ordinary, 4096, 0) == b"2" * 4096
    os.pwrite(ordinary, b"3" * 4096, 0)
    os.preadv(direct, [page], 0)
    assert at.notes("read directly", page[:]) == b"3" * 4096


@compared
def test_many_descriptors_of_one_file(at: Place) -> None:
    at.file("f")
    descriptors = [at.open("f") for _ in range(200)]
    for number, fd in enumerate(descriptors):
        os.pwrite(fd, bytes([number]), number)
    assert at.gives(contents, "f") == bytes(range(200))
