"""statvfs: what rsync, tar -S, df and the C library read of it."""

import os

from tests.posix.compare import compared
from tests.posix.objects import make
from tests.posix.place import NOBODY, Place, acting_as


@compared
def test_what_must_agree(at: Place) -> None:
    found = os.statvfs(".")
    assert at.notes("f_namemax", found.f_namemax) == 255
    at.notes("f_frsize", found.f_frsize)
    at.notes("f_bsize", found.f_bsize)
    at.notes("f_blocks", found.f_blocks)
    at.notes("f_files", found.f_files)
    assert 0 < found.f_bavail <= found.f_bfree <= found.f_blocks
    assert 0 < found.f_favail <= found.f_ffree <= found.f_files


@compared
def test_every_kind_of_object_answers(at: Place) -> None:
    for kind in ("file", "folder", "fifo", "link to file"):
        name = kind.replace(" ", "-")
        make(at, kind, name)
        at.notes(kind, os.statvfs(name).f_namemax)


@compared
def test_by_descriptor_of_a_file_without_a_name(at: Place) -> None:
    at.file("f")
    fd = at.open("f")
    os.unlink("f")
    assert at.gives(lambda: os.fstatvfs(fd).f_frsize) > 0


@compared
def test_users_may_ask(at: Place) -> None:
    with acting_as(NOBODY):
        assert at.gives(lambda: os.statvfs(".").f_namemax) == 255


@compared
def test_pathconf(at: Place) -> None:
    for name in ("PC_NAME_MAX", "PC_PATH_MAX", "PC_PIPE_BUF"):
        at.gives(os.pathconf, ".", name)
