"""What stands on an old disk: which of its entries are katas, outer directories, strays, and none of these."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.errors import StoreUnreachable
from katafs.kata_id import KataId
from katafs.volumes.legacy_disk import LegacyDisk, Piece, piece_of

KATA = KataId("123456789A")
SETTLED_NS = 1_222_222_222_000_000_000


@pytest.fixture
def old(disk: Path) -> Iterator[LegacyDisk]:
    """A disk with one kata."""
    (disk / "12" / "3456789A").mkdir(parents=True)
    with closing(LegacyDisk(disk)) as old:
        yield old


def test_a_kata_is_a_directory_at_its_place(old: LegacyDisk) -> None:
    assert old.outers() == ["12"]
    assert old.katas_in("12") == [KATA]
    assert old.strays_in("12") == []
    assert old.stands(piece_of(KATA))
    assert piece_of(KATA).label == KATA
    os.close(old.open(KATA))


@pytest.mark.parametrize("name", ["3456789", "3456789AB", "3456789a", "lion", "XYZ45678"])
def test_what_is_no_inner_name_is_a_stray(old: LegacyDisk, disk: Path, name: str) -> None:
    (disk / "12" / name).mkdir()
    assert old.strays_in("12") == [name.encode()]
    assert old.katas_in("12") == [KATA]
    piece = old.stray("12", name.encode())
    assert piece == Piece("12", name.encode())
    assert old.stands(piece)
    assert piece.label == f"12/{name}"


@pytest.mark.parametrize("name", ["1", "123", "ab", "readme.txt", "123456789A"])
def test_what_is_no_outer_name_is_a_stray_at_the_top(old: LegacyDisk, disk: Path, name: str) -> None:
    (disk / name).mkdir()
    assert old.strays_in("") == [name.encode()]
    assert old.outers() == ["12"]


def _file(path: Path) -> None:
    path.write_text("")


def _link_to_kata(path: Path) -> None:
    path.symlink_to("3456789A")


def _link_to_outer(path: Path) -> None:
    path.symlink_to("12")


@pytest.mark.parametrize("make", [_file, os.mkfifo, _link_to_outer])
def test_an_outer_name_that_is_no_directory_is_a_stray(old: LegacyDisk, disk: Path, make: object) -> None:
    assert callable(make)
    make(disk / "AB")
    assert old.outers() == ["12"]
    assert old.strays_in("") == [b"AB"]
    assert old.stray("", b"AB") == Piece("", b"AB")
    assert old.katas_in("AB") == []
    assert not old.stands(piece_of(KataId("AB3456789A")))


@pytest.mark.parametrize("make", [_file, os.mkfifo, _link_to_kata])
def test_an_inner_name_that_is_no_directory_is_a_stray(old: LegacyDisk, disk: Path, make: object) -> None:
    assert callable(make)
    make(disk / "12" / "FFFFFFFF")
    assert old.katas_in("12") == [KATA]
    assert old.strays_in("12") == [b"FFFFFFFF"]
    assert not old.stands(piece_of(KataId("12FFFFFFFF")))
    with pytest.raises(FileNotFoundError):
        old.open(KataId("12FFFFFFFF"))


def test_a_name_of_any_bytes_is_a_stray(old: LegacyDisk, disk: Path) -> None:
    (Path(os.fsdecode(os.fsencode(disk) + b"/new\nline \xff"))).write_text("")
    assert old.strays_in("") == [b"new\nline \xff"]


@pytest.mark.parametrize(("outer", "name"), [("", ".katafs-lock"), ("", "lost+found"), ("12", ".katafs-done-x")])
def test_what_is_katafs_own_or_the_file_systems_is_no_piece(old: LegacyDisk, disk: Path, outer: str, name: str) -> None:
    (disk / outer / name).mkdir() if name != ".katafs-lock" else None
    assert old.strays_in(outer) == []
    assert old.stray(outer, name.encode()) is None


def test_lost_and_found_in_an_outer_directory_is_a_stray(old: LegacyDisk, disk: Path) -> None:
    (disk / "12" / "lost+found").mkdir()
    assert old.strays_in("12") == [b"lost+found"]


def test_what_is_part_of_an_id_is_no_stray(old: LegacyDisk) -> None:
    assert old.stray("", b"12") is None
    assert old.stray("12", b"3456789A") is None
    assert old.stray("12", b"nothing") is None


def _made_old(directory: Path) -> None:
    os.utime(directory, ns=(SETTLED_NS, SETTLED_NS))


def test_a_listing_shows_what_came_and_went_at_once(old: LegacyDisk, disk: Path) -> None:
    for number in range(50):
        (disk / "12" / f"{number:08X}").mkdir()
        assert len(old.katas_in("12")) == number + 2
    for number in range(50):
        (disk / "12" / f"{number:08X}").rmdir()
        assert len(old.katas_in("12")) == 50 - number


def test_a_listing_shows_what_came_though_the_mtime_was_set_back(old: LegacyDisk, disk: Path) -> None:
    _made_old(disk / "12")
    for _ in range(2):
        # Twice, and with what settles it in between, so that the listing may be kept.
        while os.stat(disk / "12").st_ctime_ns + 50_000_000 > _now(disk):
            pass
        assert old.katas_in("12") == [KATA]
    (disk / "12" / "FFFFFFFF").mkdir()
    _made_old(disk / "12")
    assert old.katas_in("12") == [KATA, "12FFFFFFFF"]


def _now(disk: Path) -> int:
    (disk / "clock").write_text("tick")
    return (disk / "clock").stat().st_mtime_ns


def test_an_outer_directory_that_goes_away_has_no_katas(old: LegacyDisk, disk: Path) -> None:
    assert old.katas_in("12") == [KATA]
    (disk / "12" / "3456789A").rmdir()
    (disk / "12").rmdir()
    assert (old.katas_in("12"), old.strays_in("12"), old.outers()) == ([], [], [])
    assert not old.stands(piece_of(KATA))


def test_a_directory_that_is_missing_is_said(disk: Path) -> None:
    with pytest.raises(StoreUnreachable, match="missing can't be opened: No such file"):
        LegacyDisk(disk / "missing")


def test_keys_of_pieces_differ(disk: Path) -> None:
    pieces = [piece_of(KATA), Piece("12", b"x"), Piece("", b"12"), Piece("", b"12x"), Piece("12", b""), Piece("", b"")]
    keys = {piece.key for piece in pieces}
    assert len(keys) == len(pieces)
    assert all(0 <= key < 2**56 for key in keys)
