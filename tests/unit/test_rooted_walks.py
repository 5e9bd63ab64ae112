"""A walk stays in its tree while somebody exchanges what is in it, and so does what is built on it."""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katafs.rooted import names
from katafs.rooted.comparing import differences
from katafs.rooted.copying import copy_tree
from katafs.rooted.removing import remove_all
from katafs.rooted.surveys import survey
from katafs.rooted.walks import walk
from tests.harness import needs
from tests.harness.descriptors import held
from tests.harness.refusals import refused

SECRET = b"only for root"


@pytest.fixture
def outside(disk: Path) -> Path:
    """A directory that no tree leads to."""
    (disk / "outside").mkdir()
    (disk / "outside" / "secret").write_bytes(SECRET)
    for number in range(20):
        (disk / "outside" / f"{number}").touch()
    return disk / "outside"


@pytest.fixture
def tree(disk: Path) -> Path:
    """`a`, `d/inner/leaf` and `z`."""
    (disk / "tree" / "d" / "inner").mkdir(parents=True)
    for name in ("a", "d/inner/leaf", "z"):
        (disk / "tree" / name).write_bytes(b"content")
    return disk / "tree"


def paths(top: Path, then: dict[bytes, Callable[[], object]]) -> list[bytes]:
    """The paths in the order that they are met; at some of them something happens before the walk goes on."""
    met = []
    with held(top) as directory:
        for entry, leaving in walk(directory):
            if not leaving:
                met.append(entry.path)
                then.get(entry.path, int)()
    return met


def test_each_entry_is_met_in_order(tree: Path) -> None:
    assert paths(tree, {}) == [b".", b"a", b"d", b"d/inner", b"d/inner/leaf", b"z"]


def test_a_directory_is_left_after_what_is_in_it(tree: Path) -> None:
    with held(tree) as directory:
        assert [step.entry.path for step in walk(directory) if step.leaving] == [b"d/inner", b"d", b"."]


def test_a_link_that_takes_the_place_of_a_directory_is_a_link(tree: Path, outside: Path) -> None:
    def swap() -> None:
        (tree / "d").rename(tree / "away")
        (tree / "d").symlink_to(outside)

    assert paths(tree, {b"a": swap}) == [b".", b"a", b"d", b"z"]


def test_a_directory_that_was_met_is_listed_wherever_it_is_now(tree: Path, outside: Path) -> None:
    def swap() -> None:
        (tree / "d").rename(tree / "away")
        (tree / "d").symlink_to(outside)

    assert paths(tree, {b"d": swap}) == [b".", b"a", b"d", b"d/inner", b"d/inner/leaf", b"z"]


def test_what_is_removed_meanwhile_is_an_error_with_its_path(tree: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        paths(tree, {b"a": (tree / "z").unlink})
    assert caught.value.filename == b"z"


def test_a_whole_walk_leaves_nothing_open(tree: Path) -> None:
    with held(tree) as directory:
        before = os.listdir("/proc/self/fd")
        assert len(list(walk(directory))) == 9
        assert os.listdir("/proc/self/fd") == before


def test_an_end_before_the_end_leaves_nothing_open(tree: Path) -> None:
    with held(tree) as directory:
        before = os.listdir("/proc/self/fd")
        with contextlib.closing(walk(directory)) as steps:
            next(step for step in steps if step.entry.path == b"d/inner/leaf")
        assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def swapped(tree: Path, outside: Path) -> Iterator[Path]:
    """The tree, in which a directory and a link to `outside` change places without end, and a file and a FIFO."""
    needs.root()
    (tree / "e").symlink_to(outside)
    (tree / "dd").mkdir()
    (tree / "dd" / "secret").write_bytes(b"harmless")
    os.mkfifo(tree / "fifo")
    done = threading.Event()

    def swap() -> None:
        with held(tree) as directory:
            while not done.is_set():
                names.rename(directory, b"dd", directory, b"e", names.RENAME_EXCHANGE)
                names.rename(directory, b"z", directory, b"fifo", names.RENAME_EXCHANGE)

    swapping = threading.Thread(target=swap)
    swapping.start()
    yield tree
    done.set()
    swapping.join()


@pytest.mark.timeout(120)
def test_a_copy_never_holds_what_is_outside(swapped: Path, disk: Path) -> None:
    kinds = set()
    target = disk / "target"
    target.mkdir()
    with held(swapped) as left, held(target) as right:
        for _ in range(150):
            copy_tree(left, right)
            found = [path for path in target.rglob("*") if not path.is_symlink()]
            assert SECRET not in {path.read_bytes() for path in found if path.is_file()}
            kinds.add(tuple(stat.S_IFMT((target / name).lstat().st_mode) for name in ("dd", "z")))
            remove_all(right)
    # Both states of both were met, so the exchange did go on.
    assert len({first for first, _ in kinds}) == len({second for _, second in kinds}) == 2


@pytest.mark.timeout(120)
def test_neither_a_survey_nor_a_comparison_leads_outside(swapped: Path) -> None:
    with held(swapped) as directory:
        for _ in range(150):
            # What `dd` holds is met never, once or twice, as the two change places; outside are 21 files more.
            assert survey(directory).entries in (8, 9, 10)
            lines = "\n".join(differences(directory, directory))
            assert "only for" not in lines
            assert "'dd/1'" not in lines


def test_a_link_is_no_top(disk: Path, outside: Path) -> None:
    (disk / "link").symlink_to(outside)
    with held(disk / "link") as link:
        for use in (survey, lambda top: copy_tree(top, top), lambda top: list(differences(top, top))):
            with refused(errno.ENOTDIR):
                use(link)
