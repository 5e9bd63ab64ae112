"""Where volumes are made, and what room there is."""

from contextlib import closing
from pathlib import Path

import pytest

from katafs.converter.room import Room, home
from katafs.errors import StoreUnreachable
from katafs.volumes.directories import DirectoryStore


def test_a_store_that_is_gone_is_said_to_be(disk: Path) -> None:
    (disk / "volumes").mkdir()
    with closing(DirectoryStore(disk / "volumes")) as store:
        assert home(store) is not None
        (disk / "volumes").rmdir()
        with pytest.raises(StoreUnreachable, match="is gone"):
            home(store)


@pytest.mark.parametrize(
    ("there", "wanted", "fits"),
    [
        (Room(10, 10), Room(10, 10), True),
        (Room(10, 10), Room(11, 1), False),
        (Room(10, 10), Room(1, 11), False),
        (Room(10, None), Room(1, 11), True),
    ],
)
def test_bytes_and_inodes_must_both_fit(there: Room, wanted: Room, fits: bool) -> None:
    assert there.holds(wanted) is fits
