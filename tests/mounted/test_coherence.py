"""What is changed behind a mount shows: within its timeout, or at once where it has none."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.waiting import until
from tests.mounted.served import Served, fresh_id


@pytest.fixture(scope="module")
def uncached() -> Iterator[Served]:
    """A mount of which the kernel keeps nothing."""
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield Served(mount("-o", "timeout=0"), directory / "volumes", Layout.FLAT)
    remove_directory(directory)


def both(served: Served) -> tuple[Path, Path]:
    """A new kata's directory on the mount, and behind it."""
    kata = fresh_id()
    return served.make(kata), served.volume(kata)


def test_a_file_that_was_changed_shows_soon(served: Served) -> None:
    shown, behind = both(served)
    (shown / "f").write_text("old")
    (behind / "f").write_text("new and longer")

    until(lambda: (shown / "f").read_text() == "new and longer", "the new content")


def test_a_file_that_was_replaced_shows_soon(served: Served) -> None:
    shown, behind = both(served)
    (shown / "f").write_text("old")
    (behind / "g").write_text("new")
    (behind / "g").replace(behind / "f")

    until(lambda: (shown / "f").read_text() == "new", "the new file")


def test_a_mode_that_was_changed_shows_soon(served: Served) -> None:
    shown, behind = both(served)
    (shown / "f").touch(0o644)
    (behind / "f").chmod(0o600)

    until(lambda: (shown / "f").stat().st_mode & 0o777 == 0o600, "the new mode")


def test_a_file_that_was_removed_is_gone_soon(served: Served) -> None:
    shown, behind = both(served)
    (shown / "f").touch()
    (behind / "f").unlink()

    until(lambda: not (shown / "f").exists(), "the file to be gone")


def test_a_directory_that_took_a_files_place_shows_soon(served: Served) -> None:
    shown, behind = both(served)
    (shown / "f").touch()
    (behind / "f").unlink()
    (behind / "f").mkdir()

    until(lambda: (shown / "f").is_dir(), "the directory")


def test_a_volume_that_was_made_is_listed_soon(served: Served) -> None:
    kata = fresh_id()
    served.volume(kata).mkdir()

    until(lambda: served.path(kata).name in os.listdir(served.path(kata).parent), "the kata in the listing")


def test_a_volume_that_was_removed_is_gone_soon(served: Served) -> None:
    shown, behind = both(served)
    behind.rmdir()

    until(lambda: not shown.exists(), "the kata to be gone")
    until(lambda: shown.name not in os.listdir(shown.parent), "the kata to be gone from the listing")


def test_a_volume_that_was_put_in_anothers_place_shows_soon(served: Served) -> None:
    """An operator restores a kata from a backup."""
    shown, behind = both(served)
    (shown / "f").write_text("old")
    behind.rename(served.store / f"old-{behind.name}")
    behind.mkdir()
    (behind / "f").write_text("restored")

    until(lambda: (shown / "f").exists() and (shown / "f").read_text() == "restored", "the restored kata")


def test_what_is_written_to_a_restored_kata_goes_there(served: Served) -> None:
    shown, behind = both(served)
    behind.rename(served.store / f"old-{behind.name}")
    behind.mkdir()
    (behind / "restored").touch()
    until(lambda: (shown / "restored").exists(), "the restored kata")
    (shown / "f").write_text("new")

    assert (behind / "f").read_text() == "new"


def test_without_a_timeout_content_shows_at_once(uncached: Served) -> None:
    shown, behind = both(uncached)
    for number in range(50):
        (behind / "f").write_text("x" * number)

        assert (shown / "f").read_text() == "x" * number


def test_without_a_timeout_attributes_show_at_once(uncached: Served) -> None:
    shown, behind = both(uncached)
    (shown / "f").touch()
    for mode in range(0o400, 0o700):
        (behind / "f").chmod(mode)

        assert (shown / "f").stat().st_mode & 0o777 == mode


def test_without_a_timeout_names_show_and_go_at_once(uncached: Served) -> None:
    shown, behind = both(uncached)
    for _ in range(50):
        (behind / "f").touch()
        assert (shown / "f").exists()
        (behind / "f").unlink()
        assert not (shown / "f").exists()


def test_what_is_changed_through_the_mount_shows_behind_it_at_once(served: Served) -> None:
    shown, behind = both(served)
    for number in range(50):
        (shown / "f").write_text("x" * number)

        assert (behind / "f").read_text() == "x" * number


def test_an_open_file_shows_what_is_appended_behind_it(uncached: Served) -> None:
    shown, behind = both(uncached)
    (behind / "f").write_text("one")
    with (shown / "f").open("rb", buffering=0) as reading:
        first = reading.read()
        with (behind / "f").open("ab") as writing:
            writing.write(b"two")
        until(lambda: os.fstat(reading.fileno()).st_size == 6, "the new size")
        second = os.pread(reading.fileno(), 100, 3)

    assert (first, second) == (b"one", b"two")


@pytest.fixture(scope="module")
def keeping_absences() -> Iterator[Served]:
    """A mount of which the kernel keeps for an hour what isn't there."""
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield Served(mount("-o", "negative_timeout=3600"), directory / "volumes", Layout.FLAT)
    remove_directory(directory)


def test_a_name_that_is_not_there_is_kept_where_it_is_asked_for(keeping_absences: Served) -> None:
    shown, behind = both(keeping_absences)
    assert not (shown / "f").exists()
    (behind / "f").touch()

    assert not (shown / "f").exists()


def test_what_is_made_through_the_mount_is_there_all_the_same(keeping_absences: Served) -> None:
    shown, _ = both(keeping_absences)
    for name in ("f", "d", "l"):
        assert not (shown / name).exists()
    (shown / "f").touch()
    (shown / "d").mkdir()
    os.link(shown / "f", shown / "l")

    assert sorted(os.listdir(shown)) == ["d", "f", "l"]
    assert all((shown / name).exists() for name in ("f", "d", "l"))


def test_that_a_volume_is_not_there_is_not_kept(keeping_absences: Served) -> None:
    kata = fresh_id()
    assert not keeping_absences.path(kata).exists()
    keeping_absences.volume(kata).mkdir()

    until(lambda: keeping_absences.path(kata).exists(), "the kata")
