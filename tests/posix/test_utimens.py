"""utimensat and futimens: nanoseconds, UTIME_NOW and UTIME_OMIT, links, and who may set which."""

import mmap
import os
import time

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, make
from tests.posix.place import NOBODY, SERVER, Place, User, acting_as
from tests.posix.syscalls import AT_SYMLINK_NOFOLLOW, UTIME_NOW, UTIME_OMIT, futimens, utimensat

SECOND = 1_000_000_000
STAMPS_NS = [
    0,
    1,
    SECOND - 1,
    1_472_464_800 * SECOND + 123_456_789,
    (2**31 - 1) * SECOND + 999_999_999,
    2**31 * SECOND + 1,
    2**32 * SECOND + 5,
    -SECOND,
    -2 * SECOND + 123_456_789,
    -(2**31 - 1) * SECOND,
]
SPECIAL = {"now": (0, UTIME_NOW), "omit": (0, UTIME_OMIT), "set": (1_000_000_000, 987_654_321)}


def _times(at: Place, name: str, earliest_ns: int) -> tuple[object, object]:
    """The two times, as "now" where they are no older than the case; recorded."""
    status = os.lstat(name)
    shown = tuple("now" if stamp >= earliest_ns else stamp for stamp in (status.st_atime_ns, status.st_mtime_ns))
    at.notes(f"times of {name}", shown)
    return shown[0], shown[1]


def _start_ns() -> int:
    """Now, as the kernel's coarsest clock for time stamps may put it."""
    return time.time_ns() - SECOND


@pytest.mark.parametrize("stamp_ns", STAMPS_NS)
@pytest.mark.parametrize("kind", ["file", "folder"])
@compared
def test_to_the_nanosecond(at: Place, kind: str, stamp_ns: int) -> None:
    make(at, kind, "x")
    os.utime("x", ns=(stamp_ns + 2, stamp_ns))
    assert at.notes("mtime", os.stat("x").st_mtime_ns) == stamp_ns
    assert at.notes("atime", os.stat("x").st_atime_ns) == stamp_ns + 2


@pytest.mark.parametrize("seconds", [2**34 - 1, 2**34, 2**40, -(2**31) - 1, -(2**40)])
@compared
def test_beyond_what_the_disk_can_keep(at: Place, seconds: int) -> None:
    at.file("f")
    at.tries(utimensat, "f", (seconds, 1), (seconds, 1))
    at.notes("mtime", os.stat("f").st_mtime_ns)
    at.notes("atime", os.stat("f").st_atime_ns)


@pytest.mark.parametrize("nanoseconds", [SECOND, -1, UTIME_NOW + 1, UTIME_OMIT - 1])
@compared
def test_nanoseconds_that_make_no_sense(at: Place, nanoseconds: int) -> None:
    at.file("f")
    assert at.tries(utimensat, "f", (1, nanoseconds), (1, 0)) == "EINVAL"
    assert at.tries(utimensat, "f", (1, 0), (1, nanoseconds)) == "EINVAL"


@pytest.mark.parametrize("atime", SPECIAL)
@pytest.mark.parametrize("mtime", SPECIAL)
@pytest.mark.parametrize("way", ["path", "descriptor", "link itself"])
@compared
def test_each_time_by_itself(at: Place, way: str, atime: str, mtime: str) -> None:
    start_ns = _start_ns()
    at.file("f")
    os.symlink("f", "link")
    os.utime("f", ns=(11, 22))
    os.utime("link", ns=(33, 44), follow_symlinks=False)
    if way == "path":
        utimensat("f", SPECIAL[atime], SPECIAL[mtime])
    elif way == "descriptor":
        futimens(at.open("f", os.O_RDONLY), SPECIAL[atime], SPECIAL[mtime])
    else:
        utimensat("link", SPECIAL[atime], SPECIAL[mtime], AT_SYMLINK_NOFOLLOW)
    changed, kept = ("link", "f") if way == "link itself" else ("f", "link")
    omitted = (33, 44) if way == "link itself" else (11, 22)
    values = {"now": "now", "set": 1_000_000_000_987_654_321}
    assert _times(at, changed, start_ns) == (values.get(atime, omitted[0]), values.get(mtime, omitted[1]))
    assert _times(at, kept, start_ns) == ((11, 22) if way == "link itself" else (33, 44))


@pytest.mark.parametrize("kind", EXISTING)
@pytest.mark.parametrize("follow", [True, False])
@compared
def test_every_kind(at: Place, kind: str, follow: bool) -> None:
    make(at, kind, "x")
    at.tries(os.utime, "x", ns=(123, 456), follow_symlinks=follow)
    if not follow:
        assert at.notes("mtime", os.lstat("x").st_mtime_ns) == 456
    elif kind.startswith("link to"):
        assert at.notes("mtime", os.stat("x.target").st_mtime_ns) == 456


@pytest.mark.parametrize("user", [NOBODY, SERVER], ids=str)
@pytest.mark.parametrize("mode", [0o644, 0o666, 0o444])
@pytest.mark.parametrize("atime", SPECIAL)
@pytest.mark.parametrize("mtime", SPECIAL)
@compared
def test_who_may(at: Place, user: User, mode: int, atime: str, mtime: str) -> None:
    start_ns = _start_ns()
    at.file("f", mode=mode, owner=SERVER)
    os.utime("f", ns=(11, 22))
    with acting_as(user):
        at.tries(utimensat, "f", SPECIAL[atime], SPECIAL[mtime])
        _times(at, "f", start_ns)


@compared
def test_touch_of_a_file_one_may_only_write(at: Place) -> None:
    start_ns = _start_ns()
    at.file("f", mode=0o622, owner=SERVER)
    os.utime("f", ns=(11, 22))
    with acting_as(NOBODY):
        assert at.tries(os.utime, "f") == "ok"
        assert at.tries(os.utime, "f", (1, 2)) == "EPERM"
    assert _times(at, "f", start_ns) == ("now", "now")


@compared
def test_changes_ctime_unless_both_are_omitted(at: Place) -> None:
    at.file("f")
    for atime, mtime in ((SPECIAL["set"], SPECIAL["omit"]), (SPECIAL["omit"], SPECIAL["omit"]), ((5, 5), (5, 5))):
        with at.watching("f"):
            utimensat("f", atime, mtime)


@compared
def test_writing_after_setting_moves_mtime_on(at: Place) -> None:
    start_ns = _start_ns()
    at.file("f")
    fd = at.open("f")
    os.utime("f", ns=(11, 22))
    os.write(fd, b"x")
    assert _times(at, "f", start_ns)[1] == "now"


@compared
def test_setting_after_writing_stays(at: Place) -> None:
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"x" * 5000)
    os.utime(fd, ns=(11, 22))
    assert at.notes("before close", os.stat("f").st_mtime_ns) == 22
    os.close(at.descriptors.pop())
    assert at.notes("after close", os.stat("f").st_mtime_ns) == 22
    os.rename("f", "g")
    assert at.notes("after rename", os.stat("g").st_mtime_ns) == 22


@compared
def test_mapped_writes_before_setting_do_not_move_it(at: Place) -> None:

    at.file("f", b"x" * 4096)
    fd = at.open("f")
    with mmap.mmap(fd, 4096) as mapped:
        mapped[0:3] = b"abc"
        mapped.flush()
        os.utime("f", ns=(11, 22))
    os.close(at.descriptors.pop())
    assert at.notes("mtime", os.stat("f").st_mtime_ns) == 22


@compared
def test_what_is_made_after_a_stamp_is_no_older(at: Place) -> None:
    """make(1) and `find -newer` go by that. The kernel's clock for stamps is some ms behind time(2)'s."""
    at.file("stamp")
    older = 0
    for number in range(50):
        os.utime("stamp")
        at.file(f"made{number}")
        older += os.stat(f"made{number}").st_mtime_ns < os.stat("stamp").st_mtime_ns
    assert at.notes("older", older) == 0
