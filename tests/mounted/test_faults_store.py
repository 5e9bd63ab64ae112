"""A directory of volumes that goes away while it is mounted, as an unmounted disk does, and comes back."""

import errno
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

KATA = "123456789A"
OTHER = "BBBBBBBBBB"


@pytest.fixture
def served(disk: Path, serve: Serve) -> Iterator[Served]:
    """A mount with one kata that the kernel knows and one that it doesn't; the kernel keeps nothing."""
    for kata in (KATA, OTHER):
        (disk / "volumes" / kata).mkdir(parents=True)
        (disk / "volumes" / kata / "manifest.json").write_text("{}")
    served = serve("-o", "timeout=0")
    served.mounted.expect("is gone")
    yield served
    if elsewhere_of(served).exists():
        elsewhere_of(served).rename(served.store)


def elsewhere_of(served: Served) -> Path:
    """Where the store's directory is taken to."""
    return served.store.with_name("elsewhere")


def take_away(served: Served) -> Path:
    """Moves the store's directory; where it is now."""
    return served.store.rename(elsewhere_of(served))


def test_a_kata_is_never_called_missing(served: Served) -> None:
    take_away(served)

    with refused(errno.EIO):
        served.path(OTHER).stat()


def test_an_id_that_nobody_has_is_not_called_missing_either(served: Served) -> None:
    take_away(served)

    with refused(errno.EIO):
        served.path("CCCCCCCCCC").stat()


def test_no_kata_is_made(served: Served) -> None:
    elsewhere = take_away(served)

    with refused(errno.EIO):
        served.path("CCCCCCCCCC").mkdir()

    assert "CCCCCCCCCC" not in os.listdir(elsewhere)


def test_an_empty_directory_in_its_place_is_not_taken_for_it(served: Served) -> None:
    """What an unmount leaves behind."""
    take_away(served)
    served.store.mkdir()

    with refused(errno.EIO):
        served.path(OTHER).stat()
    with refused(errno.EIO):
        served.path("CCCCCCCCCC").mkdir()

    assert os.listdir(served.store) == []
    served.store.rmdir()


def test_the_listing_does_not_show_fewer_katas(served: Served) -> None:
    take_away(served)

    assert sorted(os.listdir(served.top)) == [KATA, OTHER]


def test_a_kata_that_can_not_be_reached_does_not_show_as_an_empty_directory(served: Served) -> None:
    take_away(served)

    with refused(errno.EIO):
        os.listdir(served.path(OTHER))


def test_an_open_file_stays_readable_and_writable(served: Served) -> None:
    with (served.path(KATA) / "manifest.json").open("r+b", buffering=0) as file:
        elsewhere = take_away(served)
        read = file.read()
        file.write(b"more")

    assert (read, (elsewhere / KATA / "manifest.json").read_bytes()) == (b"{}", b"{}more")


def test_a_working_directory_stays_readable(served: Served) -> None:
    directory = os.open(served.path(KATA), os.O_RDONLY)
    os.stat("manifest.json", dir_fd=directory)
    take_away(served)
    file = os.open("manifest.json", os.O_RDONLY, dir_fd=directory)
    content = os.read(file, 100)
    os.close(file)
    os.close(directory)

    assert content == b"{}"


def test_strays_stay_readable(served: Served) -> None:
    (served.top / "readme.txt").write_text("stray")
    take_away(served)

    assert (served.top / "readme.txt").read_text() == "stray"


def test_it_is_told_in_one_line(served: Served) -> None:
    take_away(served)
    with refused(errno.EIO):
        served.path(OTHER).stat()

    said = f'katafs: WARNING: failed operation=lookup error="the directory of volumes {served.store} is gone'
    served.mounted.wait_for_log(re.escape(said))
    assert "Traceback" not in served.mounted.log()


def test_it_heals_by_itself(served: Served) -> None:
    elsewhere = take_away(served)
    with refused(errno.EIO):
        served.path(OTHER).stat()
    elsewhere.rename(served.store)

    until(lambda: (served.path(OTHER) / "manifest.json").exists(), "the kata to be back")
    assert (served.path(OTHER) / "manifest.json").read_text() == "{}"


def test_the_mount_is_unmounted_as_ever(served: Served) -> None:
    take_away(served)

    served.mounted.signal(signal.SIGTERM)
    served.mounted.ended()
