"""Outer directories that are on an old disk only: shown as they are there, and kept so when they come to a volume."""

import os
import stat

import pytest

from katafs.namespace import Layout
from tests.harness.descriptors import remembered
from tests.harness.programs import run
from tests.mounted.served import LegacyServed, fresh_id

_OLD_NS = 1_333_333_333_123_456_789


def outer_of(legacy: LegacyServed, mode: int = 0o2770) -> str:
    """A new outer directory on the old disk that holds nothing, with a mode, owners and times of its own."""
    outer = fresh_id()[:2]
    path = legacy.disk.path / outer
    path.mkdir()
    os.chown(path, 19661, 33)
    path.chmod(mode)
    os.utime(path, ns=(_OLD_NS, _OLD_NS))
    return outer


def told(status: os.stat_result) -> tuple[str, int, int, int]:
    return stat.filemode(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns


WANTED = ("drwxrws---", 19661, 33, _OLD_NS)


def test_an_empty_outer_directory_shows_as_it_is(legacy: LegacyServed) -> None:
    outer = outer_of(legacy)
    assert told((legacy.top / outer).stat()) == WANTED
    assert os.listdir(legacy.top / outer) == []
    assert outer in os.listdir(legacy.top)


def test_an_outer_directory_that_is_kept_in_a_volume_is_as_it_was(legacy: LegacyServed) -> None:
    outer = outer_of(legacy)
    kata = f"{outer}ABCDEF{outer}"
    legacy.disk.make(kata)
    os.utime(legacy.disk.path / outer, ns=(_OLD_NS, _OLD_NS))
    with remembered([legacy.top / outer]):
        number = (legacy.top / outer).stat().st_ino

        (legacy.path(kata) / "lion/new").touch()

        assert told((legacy.top / outer).stat()) == WANTED
        assert told((legacy.root_volume / outer).stat()) == WANTED
        assert (legacy.top / outer).stat().st_ino == number
    assert not (legacy.disk.path / outer).exists()


def test_one_whose_kata_was_listed_is_removed_after_it(legacy: LegacyServed) -> None:
    outer = outer_of(legacy)
    kata = f"{outer}ABCDEF{outer}"
    legacy.disk.make(kata)
    assert legacy.path(kata).name in os.listdir(legacy.path(kata).parent)

    run(["rm", "-rf", str(legacy.path(kata)), str(legacy.top / outer)])

    assert not (legacy.top / outer).exists()
    assert not (legacy.disk.path / outer).exists()


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
def test_what_is_made_in_it_moves_its_mtime_and_keeps_the_rest(legacy: LegacyServed, known: bool) -> None:
    outer = outer_of(legacy)
    if known:
        (legacy.top / outer).stat()
    (legacy.top / outer / "new").mkdir()

    mode, uid, gid, mtime_ns = told((legacy.top / outer).stat())
    assert (mode, uid, gid) == WANTED[:3]
    assert mtime_ns > _OLD_NS
    made = (legacy.top / outer / "new").stat()
    assert (made.st_gid, bool(made.st_mode & stat.S_ISGID)) == (33, True)


def test_a_new_kata_in_it_has_its_group(legacy: LegacyServed) -> None:
    if legacy.layout is Layout.FLAT:
        return  # a kata's directory is in the top then
    outer = outer_of(legacy)
    (legacy.top / outer / "ABCDEF01").mkdir()

    made = (legacy.top / outer / "ABCDEF01").stat()
    assert (made.st_gid, bool(made.st_mode & stat.S_ISGID)) == (33, True)
    assert told((legacy.top / outer).stat())[:3] == WANTED[:3]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (["chmod", "0711"], ("drwx--s--x", 19661, 33, _OLD_NS)),
        (["chown", "1:2"], ("drwxrws---", 1, 2, _OLD_NS)),
        (["touch", "-d", "@5"], ("drwxrws---", 19661, 33, 5_000_000_000)),
    ],
    ids=["chmod", "chown", "touch"],
)
def test_an_outer_directory_is_changed(
    legacy: LegacyServed, change: list[str], wanted: tuple[str, int, int, int]
) -> None:
    outer = outer_of(legacy)
    run([*change, legacy.top / outer])

    assert told((legacy.top / outer).stat()) == wanted
    assert told((legacy.root_volume / outer).stat()) == wanted


def test_an_empty_outer_directory_is_removed(legacy: LegacyServed) -> None:
    outer = outer_of(legacy)
    before = legacy.top.stat().st_mtime_ns
    (legacy.top / outer).rmdir()

    assert outer not in os.listdir(legacy.top)
    assert not (legacy.disk.path / outer).exists()
    assert legacy.top.stat().st_mtime_ns > before


def test_an_outer_directory_in_which_something_was_is_removed(legacy: LegacyServed) -> None:
    outer = outer_of(legacy)
    legacy.disk.make(f"{outer}ABCDEF02")
    (legacy.disk.path / outer / "stray").touch()
    run(["rm", "-rf", legacy.path(f"{outer}ABCDEF02"), legacy.top / outer])

    assert outer not in os.listdir(legacy.top)
    assert not (legacy.disk.path / outer).exists()
    assert not (legacy.root_volume / outer).exists()


def test_the_top_is_as_it_is_on_the_old_disk(legacy: LegacyServed) -> None:
    outer_of(legacy)
    shown, kept = legacy.top.stat(), legacy.disk.path.stat()

    assert (shown.st_mode, shown.st_uid, shown.st_gid) == (kept.st_mode, kept.st_uid, kept.st_gid)
