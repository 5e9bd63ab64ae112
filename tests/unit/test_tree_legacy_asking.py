"""The tree without a mount, beside an old disk that another process converts, on a store that hears of that late: it is
asked before a kata seems to be nowhere, and never while others wait for the tree."""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from typing import cast

import pytest

from katafs.errors import StoreUnreachable
from katafs.fuse.operations import Later, Listing, Wanted
from katafs.fuse.replies import Entries
from katafs.kata_id import ROOT_VOLUME, VolumeName
from katafs.mount.converting import ConvertingOperations
from katafs.tree.attributes import Attributes
from katafs.tree.legacy import Unconverted
from katafs.volumes.memory import MemoryStore
from tests.harness.old_disk import FILES, OldDisk
from tests.harness.refusals import refused
from tests.unit.kernel import ME, ROOT, Reply
from tests.unit.legacy import HIKER, KATA, SECOND, Behind, Beside, beside, opened, walked

CONTENT = FILES["lion/sandbox/hiker.c"].encode()


@pytest.fixture
def behind(store: MemoryStore) -> Iterator[Behind]:
    """A store that doesn't notice by itself what another process makes."""
    store.create(ROOT_VOLUME)
    with closing(Behind(store)) as behind:
        yield behind


@pytest.fixture
def asked(behind: Behind) -> list[VolumeName]:
    """What the store was asked for."""
    names: list[VolumeName] = []
    behind.when_asked = names.append
    return names


@pytest.fixture
def lagging(store: MemoryStore, behind: Behind, old: OldDisk, own_process: None) -> Iterator[Beside]:
    """The tree on that store. It is free whenever the store is asked."""
    note = behind.when_asked
    with beside(store, old, behind) as tree:
        held = list[VolumeName]()

        def ask(name: VolumeName) -> None:
            note(name)
            other = threading.Thread(target=lambda: tree.kernel.tree.inodes.getattr(ROOT))
            other.start()
            other.join(5)
            if other.is_alive():
                held.append(name)

        behind.when_asked = ask
        yield tree
        assert held == []


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
def test_a_kata_is_never_missing_while_the_store_does_not_know_of_its_volume_yet(
    asked: list[VolumeName], lagging: Beside, known: bool
) -> None:
    if known:
        walked(lagging.kernel)
    lagging.convert_elsewhere(KATA)

    assert lagging.kernel.change(lambda: lagging.kernel.names(b"12")) == [b"3456789A"]
    assert lagging.kernel.change(lambda: lagging.kernel.read(HIKER)) == CONTENT
    assert set(asked) == {KATA}


def test_a_lookup_finds_it_too(asked: list[VolumeName], lagging: Beside) -> None:
    lagging.convert_elsewhere(KATA)

    assert lagging.kernel.change(lambda: lagging.kernel.read(HIKER)) == CONTENT
    with refused(errno.EEXIST):
        lagging.kernel.change(lambda: lagging.kernel.mkdir(b"12/3456789A"))
    assert asked == [KATA]


def test_a_kata_that_was_removed_meanwhile_is_missing(asked: list[VolumeName], lagging: Beside) -> None:
    lagging.convert_elsewhere(KATA)
    shutil.rmtree(lagging.volume(KATA))

    assert lagging.kernel.change(lambda: lagging.kernel.names(b"12")) == []
    with refused(errno.ENOENT):
        lagging.kernel.change(lambda: lagging.kernel.lookup(b"12/3456789A"))
    assert asked == [KATA]


Request = Callable[[ConvertingOperations, Beside, int], object]

REQUESTS: dict[str, tuple[Request, int | None]] = {
    "lookup": (lambda to, tree, _: to.lookup(tree.kernel.number(b"12"), b"3456789A"), None),
    "getattr": (lambda to, tree, file: to.getattr(file), None),
    "setattr": (lambda to, tree, file: to.setattr(file, Wanted(0o600, None, None, None, None, None), None, ME), None),
    "statfs": (lambda to, tree, file: to.statfs(file), None),
    "getxattr": (lambda to, tree, file: to.getxattr(file, b"user.none", ME), None),
    "setxattr": (lambda to, tree, file: to.setxattr(file, b"user.some", b"", 0, ME), None),
    "listxattr": (lambda to, tree, file: to.listxattr(file, ME), None),
    "open": (lambda to, tree, file: to.open(file, os.O_RDONLY, ME), None),
    "open for writing": (lambda to, tree, file: to.open(file, os.O_WRONLY, ME), None),
    "mkdir": (lambda to, tree, _: to.mkdir(tree.kernel.number(b"12"), b"3456789A", 0o755, ME), errno.EEXIST),
    "rmdir": (lambda to, tree, _: to.rmdir(tree.kernel.number(b"12"), b"3456789A"), errno.ENOTEMPTY),
}
"""Each with the errno that it is to be answered with, if any."""


@pytest.fixture
def operations(lagging: Beside) -> Iterator[ConvertingOperations]:
    """What a mount of that tree serves requests by."""
    operations = ConvertingOperations(lagging.kernel.tree)
    yield operations
    assert operations.close(5)


@pytest.mark.parametrize(("request_for", "refusal"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_has_to_wait_for_the_store_waits_in_a_pool(
    asked: list[VolumeName],
    lagging: Beside,
    operations: ConvertingOperations,
    request_for: Request,
    refusal: int | None,
) -> None:
    file = walked(lagging.kernel)[HIKER]
    lagging.convert_elsewhere(KATA)
    answer = request_for(operations, lagging, file)

    assert asked == []
    assert isinstance(answer, Later)
    with nullcontext() if refusal is None else refused(refusal):
        answer.call()
    assert asked == [KATA]
    assert cast("Attributes", operations.getattr(file)).number == file


NEW = "12ABCDEF01"


def known_from_no_listing(lagging: Beside, old: OldDisk) -> int:
    """A file of a new kata, of which the disk will say that it was never there: it was in no listing."""
    number = lagging.kernel.number(b"12")
    old.make(NEW)
    for name in (b"ABCDEF01", b"lion", b"sandbox", b"hiker.c"):
        number = lagging.kernel.found(number, name).number
    return number


def test_what_no_listing_has_shown_is_asked_for_where_the_kernel_knows_it(
    asked: list[VolumeName], lagging: Beside, old: OldDisk, operations: ConvertingOperations
) -> None:
    file = known_from_no_listing(lagging, old)
    lagging.convert_elsewhere(NEW)
    answer = operations.getattr(file)

    assert asked == []
    assert isinstance(answer, Later)
    assert answer.call().number == file
    assert asked == [NEW]


def test_it_is_asked_for_once_where_it_is_gone(
    asked: list[VolumeName], lagging: Beside, old: OldDisk, operations: ConvertingOperations
) -> None:
    file = known_from_no_listing(lagging, old)
    lagging.convert_elsewhere(NEW)
    shutil.rmtree(lagging.volume(NEW))
    answer = operations.getattr(file)

    assert isinstance(answer, Later)
    with refused(errno.ESTALE):
        answer.call()
    assert asked == [NEW]


def test_an_open_file_is_read_on(asked: list[VolumeName], lagging: Beside, operations: ConvertingOperations) -> None:
    handle = opened(lagging.kernel, HIKER)
    lagging.convert_elsewhere(KATA)
    answer = operations.read(handle, 0, 100)

    assert isinstance(answer, Later)
    assert answer.call() == CONTENT
    assert operations.read(handle, 4, 100) == CONTENT[4:]
    assert asked == [KATA]
    lagging.kernel.tree.files.release(handle)


def test_a_listing_goes_on_with_what_the_store_was_asked_for(
    asked: list[VolumeName],
    lagging: Beside,
    old: OldDisk,
    operations: ConvertingOperations,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its first entries are in the reply by then, and stay there."""
    old.make(NEW)
    handle = operations.opendir(lagging.kernel.number(b"12"))
    assert isinstance(handle, int)
    operations.readdir(handle, 0, Entries(2 * 160))
    lagging.convert_elsewhere(NEW)
    first, second = Entries(4096), Entries(4096)

    assert operations.readdir(handle, 2, first) is None
    assert caplog.records == []  # no fault
    answer = operations.readdir(handle, 3, second)
    assert isinstance(answer, Later)
    assert answer.call() is None
    assert b"3456789A" in first.content()
    assert b"ABCDEF01" in second.content()
    assert asked == [NEW]
    operations.releasedir(handle)


def test_a_store_that_can_not_be_asked_shows_the_kata_closed_and_the_others(
    behind: Behind, lagging: Beside, old: OldDisk, operations: ConvertingOperations
) -> None:
    def unreachable(_: VolumeName) -> None:
        raise StoreUnreachable("the engine hangs")

    behind.when_asked = unreachable
    old.make(NEW)
    outer = lagging.kernel.number(b"12")
    assert lagging.kernel.names(b"12") == [b"3456789A", b"ABCDEF01"]
    lagging.kernel.forget_all()
    lagging.convert_elsewhere(KATA)
    outer = lagging.kernel.number(b"12")
    handle, listing = operations.opendir(outer), Reply()
    assert isinstance(handle, int)

    answer = operations.readdir(handle, 0, cast("Listing", listing))
    assert isinstance(answer, Later)
    answer.call()
    told = {entry.name: entry.told.status.st_mode for entry in listing.entries[2:]}
    assert told == {b"3456789A": stat.S_IFDIR, b"ABCDEF01": old.where(NEW).stat().st_mode}
    operations.releasedir(handle)


@pytest.mark.parametrize("by_whom", ["this mount", "others"])
def test_an_outer_directory_whose_katas_are_gone_can_be_removed(
    asked: list[VolumeName], behind: Behind, lagging: Beside, operations: ConvertingOperations, by_whom: str
) -> None:
    assert lagging.kernel.names(b"12") == [b"3456789A"]
    lagging.convert_elsewhere(KATA)
    behind.look_up(VolumeName(KATA))
    asked.clear()
    shutil.rmtree(lagging.volume(KATA))
    if by_whom == "this mount":
        lagging.volume(KATA).mkdir()
        lagging.kernel.change(lambda: lagging.kernel.rmdir(b"12/3456789A"))
    else:
        behind.look_up(VolumeName(KATA))
        asked.clear()
    answer = operations.rmdir(ROOT, b"12")
    if isinstance(answer, Later):
        answer.call()

    assert asked == ([] if by_whom == "this mount" else [KATA])
    with refused(errno.ENOENT):
        lagging.kernel.lookup(b"12")


def test_what_is_made_is_made_once_whatever_number_it_gets(
    asked: list[VolumeName],
    behind: Behind,
    lagging: Beside,
    operations: ConvertingOperations,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On one file system the number of an inode that a conversion has deleted is soon another's. To ask then and there
    holds others up, where nothing else is right."""
    file = walked(lagging.kernel)[HIKER]
    lagging.convert_elsewhere(KATA)
    monkeypatch.setattr(lagging.core.numbers, "of_inode", lambda _: file)
    behind.when_asked = asked.append

    told = operations.mknod(ROOT, b"pipe", stat.S_IFIFO | 0o600, 0, ME)
    assert cast("Attributes", told).number == file
    assert asked == [KATA]


def test_a_kata_that_comes_back_while_the_store_is_asked_is_the_disks(
    behind: Behind, lagging: Beside, old: OldDisk, operations: ConvertingOperations
) -> None:
    file = known_from_no_listing(lagging, old)
    aside = old.path / ".katafs-aside"
    old.where(NEW).rename(aside)

    def bring_back(_: VolumeName) -> None:
        aside.rename(old.where(NEW))

    behind.when_asked = bring_back
    answer = operations.getattr(file)

    assert isinstance(answer, Later)
    assert answer.call().number == file
    with pytest.raises(Unconverted):
        lagging.kernel.tree.files.open(file, os.O_WRONLY, ME)


def test_a_kata_that_was_the_last_of_its_outer_directory_is_not_missing(lagging: Beside, old: OldDisk) -> None:
    lagging.kernel.names(b"12")
    lagging.convert_elsewhere(KATA)
    assert not old.where(KATA).parent.exists()
    catalog = lagging.core.store.catalog()

    assert catalog.names() == {ROOT_VOLUME, KATA, SECOND}
    assert catalog.katas() == [KATA, SECOND]


def test_others_are_served_while_the_store_does_not_answer(
    behind: Behind, lagging: Beside, operations: ConvertingOperations
) -> None:
    gate, begun = threading.Event(), threading.Event()

    def hang(_: VolumeName) -> None:
        begun.set()
        gate.wait(30)

    behind.when_asked = hang
    file, second = walked(lagging.kernel)[HIKER], lagging.kernel.number(b"34/" + SECOND[2:].encode())
    lagging.convert_elsewhere(KATA)
    waiting = operations.getattr(file)
    assert isinstance(waiting, Later)
    told = waiting.pool.submit(waiting.call)

    assert begun.wait(30)
    assert cast("Attributes", operations.getattr(second)).number == second
    assert operations.opendir(second)
    assert not told.done()
    gate.set()
    assert told.result(30).number == file
