"""The tree without a mount: what open directories take of memory, however many of them somebody opens."""

import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from katafs.rooted import names
from katafs.tree import listings
from tests.harness.refusals import refused
from tests.unit.conftest import Trees
from tests.unit.kernel import Kernel

NAMES = 100
FITTING = 3
"""So many listings of the directory fit."""
MANY = 50


@pytest.fixture
def tree(tree_of: Trees, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A tree with one directory of many names."""
    tree = tree_of()
    tree.mkdir(b"d")
    for number in range(NAMES):
        tree.write(b"d/%03d" % number, b"")
    one = listings.Listed([b".", b"..", *tree.names(b"d")], []).size_bytes()
    monkeypatch.setattr(listings, "LIMIT_BYTES", FITTING * one)
    return tree


def begun(tree: Kernel) -> int:
    """A handle of the directory of which only the first entries were read."""
    handle = tree.tree.directories.open(tree.number(b"d"))
    assert len(tree.listed(handle, 0, 10)) == 10
    return handle


def rest(tree: Kernel, handle: int) -> list[bytes]:
    return [taken.name for taken in tree.listed(handle, 10)]


def test_listings_that_nobody_goes_on_with_make_room(tree: Kernel) -> None:
    handles = [begun(tree) for _ in range(MANY)]

    kept = [handle for handle in handles if tree.tree.directories._listings.get(handle)]  # noqa: SLF001  # memory has no other sign

    assert kept == handles[-FITTING:]


def test_one_that_had_to_make_room_goes_on_where_it_was(tree: Kernel) -> None:
    first = begun(tree)
    expected = rest(tree, begun(tree))
    for _ in range(MANY):
        begun(tree)

    assert rest(tree, first) == expected


def test_one_that_can_not_go_on_is_no_shorter_directory(tree: Kernel) -> None:
    first = begun(tree)
    for _ in range(MANY):
        begun(tree)
    tree.unlink(b"d/000")

    with refused(errno.ENOMEM):
        rest(tree, first)
    assert len(tree.listed(first)) == NAMES + 1, "from the beginning it can be read again"


def test_a_reading_may_begin_anywhere(tree: Kernel) -> None:
    """lseek(2) to where another descriptor of the directory is."""
    expected = rest(tree, begun(tree))

    assert rest(tree, tree.tree.directories.open(tree.number(b"d"))) == expected


def test_one_alone_may_be_larger_than_all_together(tree: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "LIMIT_BYTES", 1)

    assert len(rest(tree, begun(tree))) == NAMES + 2 - 10


def test_a_closed_one_takes_nothing(tree: Kernel) -> None:
    goes_on = begun(tree)
    for _ in range(MANY):
        tree.tree.directories.release(begun(tree))
        tree.listed(goes_on, 10, 1)

    assert tree.tree.directories._listings.get(goes_on)  # noqa: SLF001  # as above


def test_one_that_is_read_anew_takes_no_more(tree: Kernel) -> None:
    other, anew = begun(tree), begun(tree)
    for _ in range(MANY):
        tree.listed(anew, 0, 10)

    assert tree.tree.directories._listings.get(other)  # noqa: SLF001  # as above


def test_the_one_that_was_asked_for_longest_ago_makes_room(tree: Kernel) -> None:
    handles = [begun(tree) for _ in range(FITTING)]
    tree.listed(handles[0], 10, 1)
    begun(tree)

    kept = [handle for handle in handles if tree.tree.directories._listings.get(handle)]  # noqa: SLF001  # as above

    assert kept == [handles[0], *handles[2:]]


def test_nobody_waits_for_the_names_of_a_large_directory(tree: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    began, told = threading.Event(), threading.Event()
    numbered = names.numbered

    def slowly(directory: int) -> dict[bytes, int]:
        began.set()
        assert told.wait(60), "whoever asks for something else waits for the listing"
        return numbered(directory)

    monkeypatch.setattr(names, "numbered", slowly)
    with ThreadPoolExecutor(1) as another:
        listing = another.submit(begun, tree)
        assert began.wait(60)
        tree.tree.inodes.getattr(tree.number(b"d"))
        told.set()
        listing.result()
