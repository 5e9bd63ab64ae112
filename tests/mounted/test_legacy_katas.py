"""Whole katas beside an old disk: new ones, those that are there already, those that go or move."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from tests.harness.old_disk import FILES
from tests.harness.programs import run
from tests.harness.refusals import refused
from tests.mounted.served import LegacyServed, fresh_id

RACERS = 8
_RACE = "read go; mkdir {} 2>/dev/null && echo made; true"


def test_a_new_kata_is_a_volume(legacy: LegacyServed) -> None:
    kata = fresh_id()
    (legacy.make(kata) / "manifest.json").write_text("{}")

    assert legacy.is_converted(kata)
    assert legacy.disk.left() & {kata[:2], f"{kata[:2]}/{kata[2:]}"} == set()


def test_a_new_kata_beside_old_ones_is_a_volume(legacy: LegacyServed) -> None:
    beside = legacy.old()
    kata = f"{beside[:2]}FFFFFF{beside[:2]}"

    legacy.make(kata)

    assert legacy.path(kata).is_dir()
    assert legacy.volume(kata).is_dir()
    assert not legacy.is_on_disk(kata)
    assert legacy.is_untouched(beside)


def test_a_new_kata_moves_the_mtime_of_what_it_is_in(legacy: LegacyServed) -> None:
    beside = legacy.old()
    kata = f"{beside[:2]}FFFFFE{beside[:2]}"
    above = legacy.path(kata).parent
    before = above.stat()

    legacy.path(kata).mkdir()

    after = above.stat()
    assert after.st_mtime_ns > before.st_mtime_ns
    assert (after.st_ino, after.st_mode, after.st_uid) == (before.st_ino, before.st_mode, before.st_uid)


def test_a_kata_on_the_old_disk_exists_already(legacy: LegacyServed) -> None:
    kata = legacy.old()
    with refused(errno.EEXIST):
        legacy.path(kata).mkdir()

    assert legacy.is_untouched(kata)
    assert (legacy.path(kata) / "manifest.json").read_text() == FILES["manifest.json"]


def _racing(path: Path) -> list[str]:
    """What each of several printed that try to make the directory at the same moment."""
    waiting_end, starting_end = os.pipe()
    script = _RACE.format(path)
    racers = [
        subprocess.Popen(["sh", "-c", script], stdin=waiting_end, stdout=subprocess.PIPE, text=True)
        for _ in range(RACERS)
    ]
    os.close(waiting_end)
    os.close(starting_end)
    return [racer.communicate(timeout=60)[0] for racer in racers]


def test_of_eight_that_make_a_kata_beside_old_ones_one_succeeds(legacy: LegacyServed) -> None:
    for number in range(5):
        beside = legacy.old()
        assert sorted(_racing(legacy.path(f"{beside[:2]}FFFF{number:02X}{beside[:2]}"))) == [""] * 7 + ["made\n"]


def test_of_eight_that_start_an_avatar_in_an_old_kata_one_succeeds(legacy: LegacyServed) -> None:
    for _ in range(5):
        kata = legacy.old()
        assert sorted(_racing(legacy.path(kata) / "wolf")) == [""] * 7 + ["made\n"]
        assert legacy.is_converted(kata)


def test_an_old_kata_that_is_not_empty_is_not_removed(legacy: LegacyServed) -> None:
    kata = legacy.old()
    with refused(errno.ENOTEMPTY):
        legacy.path(kata).rmdir()

    assert (legacy.path(kata) / "manifest.json").read_text() == FILES["manifest.json"]


def test_an_empty_old_kata_is_removed(legacy: LegacyServed) -> None:
    kata = legacy.old({})
    legacy.path(kata).rmdir()

    assert not legacy.path(kata).exists()
    assert not legacy.volume(kata).exists()
    assert not legacy.is_on_disk(kata)


def test_rm_r_of_an_old_kata_leaves_nothing_of_it(legacy: LegacyServed) -> None:
    kata = legacy.old()
    run(["rm", "-rf", legacy.path(kata)])

    assert legacy.path(kata).name not in os.listdir(legacy.path(kata).parent)
    assert not legacy.volume(kata).exists()
    assert not legacy.is_on_disk(kata)
    legacy.path(kata).mkdir()
    assert os.listdir(legacy.path(kata)) == []


def test_mv_of_an_old_kata_to_another_id(legacy: LegacyServed) -> None:
    kata, other = legacy.old(), fresh_id()
    legacy.path(other).parent.mkdir(exist_ok=True)

    run(["mv", legacy.path(kata), legacy.path(other)])

    assert not legacy.path(kata).exists()
    assert not legacy.is_on_disk(kata)
    assert {name: (legacy.path(other) / name).read_text() for name in FILES} == FILES
    assert legacy.is_converted(other)


def test_a_kata_in_an_outer_directory_of_its_own_takes_that_along(legacy: LegacyServed) -> None:
    kata = legacy.old()
    outer = legacy.disk.path / kata[:2]
    outer.chmod(0o2775)
    os.chown(outer, 19661, 33)

    (legacy.path(kata) / "new").touch()

    kept = (legacy.top / kata[:2]).stat()
    assert (kept.st_mode & 0o7777, kept.st_uid, kept.st_gid) == (0o2775, 19661, 33)
    assert not outer.exists()


@pytest.mark.parametrize("changed", [True, False], ids=["converted", "only read"])
def test_the_other_layouts_path_leads_to_an_old_kata(legacy: LegacyServed, changed: bool) -> None:
    kata = legacy.old()
    alias = legacy.alias(kata)
    assert (alias / "manifest.json").read_text() == FILES["manifest.json"]
    if changed:
        (alias / "new").touch()

    assert alias.samefile(legacy.path(kata))
    assert legacy.is_converted(kata) == changed
