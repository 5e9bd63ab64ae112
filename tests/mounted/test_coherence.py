"""What is changed behind a mount shows: within its timeout, or at once where it has none."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from katafs.namespace import Layout
from katafs.rooted.inodes import is_settled
from tests.harness.counted_katafs import counted, requests_of
from tests.harness.faulty_katafs import asking
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts, mounting
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

    def is_listed() -> bool:
        above = served.path(kata).parent  # which comes with it in a split layout
        return above.is_dir() and served.path(kata).name in os.listdir(above)

    until(is_listed, "the kata in the listing")


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
def uncached_asking() -> Iterator[Served]:
    """The same, and the kernel reads no file itself."""
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield Served(mount("-o", "timeout=0", program=asking()), directory / "volumes", Layout.FLAT)
    remove_directory(directory)


def test_an_open_file_shows_what_changes_twice_within_a_tick_of_the_clock(uncached_asking: Served) -> None:
    """Before Linux 6.13 both changes have one mtime, and the size is the same: neither tells the second from the
    first, which was read in between."""
    shown, behind = both(uncached_asking)
    (behind / "f").write_text("0000")
    with (shown / "f").open("rb", buffering=0) as reading, (behind / "f").open("r+b", buffering=0) as writing:
        for number in range(1, 2000):
            os.pwrite(writing.fileno(), b"%04d" % number, 0)

            assert os.pread(reading.fileno(), 10, 0) == b"%04d" % number


def test_an_open_file_shows_what_changes_without_another_time(mount: Mounts, disk: Path) -> None:
    """The same on any kernel: the second change has the first one's mtime, and the kernel keeps content."""
    served = Served(mount("-o", "timeout=0.01", program=asking()), disk / "volumes", Layout.FLAT)
    shown, behind = both(served)
    (behind / "f").write_text("0000")
    with (shown / "f").open("rb", buffering=0) as reading, (behind / "f").open("r+b", buffering=0) as writing:
        rounds = 0
        while rounds < 20:
            time.sleep(0.03)
            os.pwrite(writing.fileno(), b"a%03d" % rounds, 0)
            first = os.fstat(writing.fileno())
            os.pread(reading.fileno(), 10, 0)
            if is_settled(first):  # on a busy machine that took longer than a tick: once more
                continue
            os.pwrite(writing.fileno(), second := b"b%03d" % rounds, 0)
            os.utime(writing.fileno(), ns=(first.st_mtime_ns, first.st_mtime_ns))

            until(lambda: os.pread(reading.fileno(), 10, 0) == second, "the second change")
            rounds += 1


def test_what_is_told_of_a_file_that_has_just_changed_is_true(mount: Mounts, disk: Path) -> None:
    """To the nanosecond, also where the kernel was told otherwise so that it drops the content that it kept."""
    served = Served(mount("-o", "timeout=0.01", program=asking()), disk / "volumes", Layout.FLAT)
    shown, behind = both(served)
    with (behind / "f").open("w+b", buffering=0) as writing, (shown / "f").open("rb", buffering=0) as reading:
        for number in range(30):
            os.pwrite(writing.fileno(), b"%04d" % number, 0)
            written_ns = os.fstat(writing.fileno()).st_mtime_ns
            until(lambda: os.fstat(reading.fileno()).st_mtime_ns == written_ns, "the new time")  # noqa: B023  # at once
            for _ in range(30):
                os.pread(reading.fileno(), 10, 0)
                told = [os.fstat(reading.fileno()).st_mtime_ns, (shown / "f").stat().st_mtime_ns]

                assert told == [written_ns] * 2


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


@pytest.fixture(scope="module", params=[PROGRAM, asking()], ids=["passthrough", "asking"])
def keeping(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A mount of which the kernel keeps for an hour what is there; it reads files itself where it can, or never."""
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield Served(mount("-o", "timeout=3600", program=request.param), directory / "volumes", Layout.FLAT)
    remove_directory(directory)


def test_the_next_open_shows_at_once_what_was_put_in_a_files_place(keeping: Served) -> None:
    shown, behind = both(keeping)
    (shown / "f").write_text("old")
    for number in range(20):
        assert (shown / "f").exists()
        (behind / "g").write_text(f"{number}")
        (behind / "g").replace(behind / "f")

        assert (shown / "f").read_text() == f"{number}"


def test_the_next_open_shows_at_once_what_was_put_in_the_place_of_a_file_that_is_open(keeping: Served) -> None:
    """What is open stays what it is, also to who opens it anew by its descriptor."""
    shown, behind = both(keeping)
    (shown / "f").write_text("0")
    with ExitStack() as held:
        for number in range(1, 10):
            file = held.enter_context((shown / "f").open())
            (behind / "g").write_text(f"{number}")
            (behind / "g").replace(behind / "f")

            assert (shown / "f").read_text() == f"{number}"
            assert Path(f"/proc/self/fd/{file.fileno()}").read_text() == f"{number - 1}"
            assert file.read() == f"{number - 1}"


@pytest.mark.parametrize("lost", ["name", "directory"])
def test_what_is_open_is_opened_anew_by_its_descriptor_where_its_name_has_gone(keeping: Served, lost: str) -> None:
    shown, behind = both(keeping)
    (shown / "d").mkdir()
    (shown / "d/f").write_text("kept")
    with (shown / "d/f").open() as file:
        if lost == "name":
            (behind / "d/f").unlink()
        else:
            shutil.rmtree(behind / "d")

        assert Path(f"/proc/self/fd/{file.fileno()}").read_text() == "kept"


def test_the_next_open_shows_at_once_what_took_a_name_that_was_looked_up_a_moment_ago(keeping: Served) -> None:
    """The file that had it is still there, under another one."""
    shown, behind = both(keeping)
    for number in range(20):
        (behind / f"f{number}").write_text("old")
        assert (shown / f"f{number}").exists()
        (behind / f"f{number}").rename(behind / f"g{number}")
        (behind / f"f{number}").write_text("new")

        assert (shown / f"f{number}").read_text() == "new"


def test_the_next_open_shows_at_once_what_was_written_in_place(keeping: Served) -> None:
    """Also where only ctime tells, as after `cp --preserve` or a restored backup."""
    shown, behind = both(keeping)
    (behind / "f").write_text("00")
    os.utime(behind / "f", ns=(5, 5))
    for number in range(10, 30):
        before = (shown / "f").read_text()
        (behind / "f").write_text(f"{number}")
        os.utime(behind / "f", ns=(5, 5))

        assert before != (shown / "f").read_text() == f"{number}"


def test_what_has_not_changed_is_not_read_again(disk: Path, mount: Mounts) -> None:
    """By requests: the kernel keeps the content of a file that it doesn't read itself from one opening to the next."""
    mounted = mount("-o", "timeout=3600", program=counted(disk / "requests", asks=True))
    served = Served(mounted, disk / "volumes", Layout.FLAT)
    shown, behind = both(served)
    (behind / "f").write_text("content")
    first = requests_of(disk / "requests", (shown / "f").read_bytes)["read"]

    until(lambda: requests_of(disk / "requests", (shown / "f").read_bytes)["read"] == 0, "an opening without a reading")
    assert first > 0


def test_hard_links_are_one_inode_with_one_cache(keeping: Served) -> None:
    shown, behind = both(keeping)
    (shown / "d").mkdir()
    (shown / "f").write_text("old")
    os.link(shown / "f", shown / "d" / "g")
    names = shown / "f", shown / "d" / "g"
    with names[0].open("r+b", buffering=0) as one, names[1].open("rb", buffering=0) as two:
        for number in range(100, 120):
            names[number % 2].write_text(f"{number}" * (number % 3 + 1))
            os.utime(names[0], ns=(number, number))
            told = [(path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns) for path in names]

            assert told[0] == told[1] == ((behind / "f").stat().st_ino, 3 * (number % 3 + 1), number)
            assert os.pread(one.fileno(), 100, 0) == os.pread(two.fileno(), 100, 0) == names[0].read_bytes()
    names[0].unlink()
    assert (names[1].stat().st_nlink, names[1].read_text()) == (1, "119" * 3)
