"""Inode numbers: the same in stat and in listings, never 0, unique in the tree, the same after a restart."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.other_mounts import memory_disk
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

FIRST, SECOND, THIRD = "123456789A", "12AAAAAAAA", "FF00000000"


def fill(directory: Path) -> None:
    """Directories, files, a link and a hard link."""
    (directory / "lion" / "sandbox").mkdir(parents=True)
    for number in range(20):
        (directory / "lion" / "sandbox" / str(number)).write_text(str(number))
    os.link(directory / "lion" / "sandbox" / "1", directory / "lion" / "same")
    (directory / "lion" / "link").symlink_to("same")
    os.mkfifo(directory / "fifo")


def numbers_by_stat(top: Path) -> dict[str, int]:
    """Each path's number, the top's included, from lstat."""
    return {str(path.relative_to(top)): path.lstat().st_ino for path in [top, *sorted(top.rglob("*"))]}


def numbers_by_listing(top: Path) -> dict[str, int]:
    """Each path's number, from its parent's listing."""
    found = {".": top.stat().st_ino}
    for directory, _, _ in os.walk(top):
        with os.scandir(directory) as entries:
            found |= {os.path.relpath(entry.path, top): entry.inode() for entry in entries}
    return found


@pytest.fixture
def store(disk: Path) -> Path:
    """Three katas, an avatar's volume, and strays; all on one disk."""
    store = disk / "volumes"
    for kata in (FIRST, SECOND, THIRD):
        fill(store / kata)
    (store / f"{FIRST}_wolf").mkdir()
    (store / f"{FIRST}_wolf" / "hiker.c").touch()
    (store / "AAAAAAAAAA_bear").mkdir()
    (store / "katafs_root" / "12").mkdir(parents=True)
    (store / "katafs_root" / "readme.txt").touch()
    return store


@pytest.fixture
def disks(store: Path) -> Iterator[Path]:
    """The same, but two of the katas and an avatar's volume are on disks of their own, whose numbers are the same."""
    needs.root()
    with ExitStack() as mounted:
        for volume in (SECOND, THIRD, f"{FIRST}_wolf"):
            mounted.enter_context(memory_disk(store / volume))
        for kata in (SECOND, THIRD):
            fill(store / kata)
        (store / f"{FIRST}_wolf" / "hiker.c").touch()
        yield store


@pytest.fixture(params=["one disk", "four disks"])
def volumes(request: pytest.FixtureRequest) -> Path:
    """Either."""
    path: Path = request.getfixturevalue("store" if request.param == "one disk" else "disks")
    return path


@pytest.fixture(params=Layout, ids=lambda layout: layout.value)
def served(request: pytest.FixtureRequest, serve: Serve, volumes: Path) -> Served:
    """A mount of them, in either layout."""
    return serve(layout=request.param)


def test_a_listing_has_the_numbers_of_stat(served: Served) -> None:
    by_stat = numbers_by_stat(served.top)

    assert numbers_by_listing(served.top) == by_stat
    assert len(by_stat) > 80


def test_no_number_is_0_and_only_hard_links_share_one(served: Served) -> None:
    names: dict[int, list[str]] = {}
    for path, number in numbers_by_stat(served.top).items():
        names.setdefault(number, []).append(path)
    shared = [sorted(Path(path).name for path in paths) for paths in names.values() if len(paths) > 1]

    assert 0 not in names
    assert shared == [["1", "same"]] * 3


def test_numbers_are_the_same_after_a_restart(served: Served, serve: Serve) -> None:
    before = numbers_by_stat(served.top)
    served.mounted.stop()
    again = serve(layout=served.layout)

    assert numbers_by_stat(again.top) == before


def test_numbers_do_not_depend_on_what_is_looked_at_first(served: Served, serve: Serve) -> None:
    paths = sorted(numbers_by_stat(served.top).items(), reverse=True)
    served.mounted.stop()
    again = serve(layout=served.layout)

    assert [(path, (again.top / path).lstat().st_ino) for path, _ in paths] == paths


def test_dot_and_dot_dot_have_the_numbers_of_what_they_are(served: Served) -> None:
    kata = served.path(FIRST)

    assert (kata / ".").stat().st_ino == kata.stat().st_ino
    assert os.stat(f"{kata}/..").st_ino == kata.parent.stat().st_ino


def test_an_inodes_number_survives_what_is_done_to_it(served: Served) -> None:
    path = served.path(FIRST) / "lion" / "sandbox" / "2"
    before = path.stat().st_ino
    path.write_text("more")
    path.chmod(0o600)
    moved = path.rename(path.with_name("moved"))

    assert moved.stat().st_ino == before


def test_a_file_is_one_through_either_layouts_path(served: Served) -> None:
    inside = Path("lion") / "sandbox" / "3"

    assert (served.path(FIRST) / inside).stat().st_ino == (served.alias(FIRST) / inside).stat().st_ino


def test_the_whole_tree_is_one_device(served: Served) -> None:
    """find -xdev and rsync -x must not stop at a volume that is on another disk."""
    assert {path.lstat().st_dev for path in served.top.rglob("*")} == {served.top.stat().st_dev}
