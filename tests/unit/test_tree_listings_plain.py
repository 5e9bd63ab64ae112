"""The tree without a mount: listings of what is inside a volume, which are told without opening anything."""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import pytest

from katafs.rooted import inodes as rooted_inodes
from katafs.rooted import names
from katafs.rooted.answer import answer
from katafs.tree.core import Core
from katafs.tree.inodes import Changes
from katafs.tree.nodes import Node
from katafs.tree.numbers import Numbers
from katafs.volumes.memory import MemoryStore
from tests.harness.other_mounts import bound
from tests.harness.refusals import refused
from tests.unit.kernel import ME, Kernel, Reply

KATA = b"123456789A"
PLACE = KATA + b"/inside"
Glance = Callable[[int, Sequence[bytes], Sequence[int]], list[os.stat_result | None]]


@pytest.fixture
def kata(tree: Kernel) -> Kernel:
    """A tree with a kata, and a directory inside it that has three files and a directory."""
    tree.mkdir(KATA)
    tree.mkdir(PLACE)
    for name in (b"a", b"b", b"c"):
        tree.write(PLACE + b"/" + name, name)
    tree.mkdir(PLACE + b"/d")
    return tree


def test_entries_are_told_without_opening_them(kata: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {name: kata.lookup(PLACE + b"/" + name).number for name in (b"a", b"b", b"c", b"d")}
    kata.forget_all()
    opened = kata.tree.directories.open(kata.number(PLACE))

    look = names.look

    def only_directories(directory: int, name: bytes) -> tuple[int, os.stat_result]:
        assert name == b"d"
        return look(directory, name)

    monkeypatch.setattr(names, "look", only_directories)
    listed = {each.name: each.told for each in kata.listed(opened)[2:]}

    assert {name: told.number for name, told in listed.items()} == numbers
    assert listed[b"a"].status.st_size == 1


def test_a_file_is_opened_by_the_rights_that_were_listed_last(kata: Kernel, store: MemoryStore) -> None:
    number = kata.number(PLACE + b"/a")
    (store.path / os.fsdecode(PLACE) / "a").chmod(0o600)
    kata.entries(PLACE)

    kata.tree.files.release(kata.tree.files.open(number, os.O_RDONLY, ME))


@pytest.mark.parametrize("room", [1, 2, 3, 63, 64, 65, 66, 1000])
def test_every_entry_is_listed_once_however_much_room_there_is(kata: Kernel, room: int) -> None:
    wanted = {b"a", b"b", b"c", b"d", *(b"%03d" % number for number in range(150))}
    for name in wanted - {b"a", b"b", b"c", b"d"}:
        kata.write(PLACE + b"/" + name, b"")
    handle = kata.tree.directories.open(kata.number(PLACE))
    seen: list[bytes] = []
    following = 0
    while taken := kata.listed(handle, following, room):
        following = taken[-1].following
        seen += [each.name for each in taken]

    assert seen[:2] == [b".", b".."]
    assert sorted(seen[2:]) == sorted(wanted)


def test_only_what_was_listed_is_known(kata: Kernel) -> None:
    kata.forget_all()
    handle = kata.tree.directories.open(kata.number(PLACE))
    listed = [each.told.number for each in kata.listed(handle)[2:]]
    kata.tree.forget([(number, 1) for number in listed])
    for room in (3, 4):
        taken = [each.told.number for each in kata.listed(handle, room=room)[2:]]
        known = [number for number in listed if is_known(kata, number)]
        assert known == taken
        kata.tree.forget([(number, 1) for number in taken])


def test_what_comes_before_an_error_is_told_and_known(kata: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel counts a lookup of each entry that it is told of, and of no other."""
    kata.forget_all()
    handle = kata.tree.directories.open(kata.number(PLACE))
    reply, asked = Reply(), count()

    def failing(self: Numbers, status: os.stat_result) -> int:
        if next(asked) == 2:
            raise answer(errno.EXDEV)
        return number_of(self, status)

    number_of = Numbers.of_inode
    monkeypatch.setattr(Numbers, "of_inode", failing)
    with refused(errno.EXDEV):
        kata.tree.directories.fill(handle, 0, reply)
    monkeypatch.undo()
    told = reply.given()[2:]

    assert len(told) == 2
    assert [each.following for each in told] == [3, 4]
    assert all(is_known(kata, each.told.number) for each in told)
    kata.tree.forget([(each.told.number, 1) for each in told])
    assert not any(is_known(kata, each.told.number) for each in told)


def test_what_is_new_is_known_once_the_kernel_has_the_reply(kata: Kernel) -> None:
    """Whoever asks for it meanwhile waits."""
    kata.forget_all()
    reply = filled(kata)
    numbers = [each.told.number for each in reply.entries if each.name in (b"a", b"b", b"c")]
    before = [is_known(kata, number) for number in numbers]
    asked = threading.Thread(target=lambda: before.extend(is_known(kata, number) for number in numbers))
    with reply.within:
        asked.start()
        asked.join(0.1)
        waits = asked.is_alive()
    asked.join()

    assert waits
    assert before == [False] * 3 + [True] * 3
    kata.tree.forget([(number, 1) for number in numbers])
    assert not any(is_known(kata, number) for number in numbers)


def test_nothing_new_is_known_where_the_kernel_did_not_take_the_reply(kata: Kernel) -> None:
    kata.forget_all()
    reply = filled(kata)
    numbers = [each.told.number for each in reply.entries if each.name in (b"a", b"b", b"c")]
    with pytest.raises(ZeroDivisionError), reply.within:
        raise ZeroDivisionError  # instead of giving it

    assert not any(is_known(kata, number) for number in numbers)


def test_two_new_names_of_one_inode_are_two_lookups(kata: Kernel) -> None:
    kata.link(PLACE + b"/a", PLACE + b"/z")
    kata.forget_all()
    told = {each.name: each.told for each in filled(kata).given()}
    number = told[b"a"].number
    kata.tree.forget([(number, 1)])

    assert told[b"z"].number == number
    assert is_known(kata, number)
    kata.tree.forget([(number, 1)])
    assert not is_known(kata, number)


def test_a_name_that_becomes_known_before_the_reply_is_given_is_two_lookups(kata: Kernel) -> None:
    kata.forget_all()
    reply = filled(kata)
    number = kata.lookup(PLACE + b"/a").number
    reply.given()
    kata.tree.forget([(number, 1)])

    assert is_known(kata, number)
    kata.tree.forget([(number, 1)])
    assert not is_known(kata, number)


def test_a_number_that_another_inode_has_taken_is_told_so(kata: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """And once more: the kernel drops what it kept of the inode before by the generation."""
    taken, taking = (kata.lookup(PLACE + b"/" + name).number for name in (b"a", b"b"))
    kata.tree.removal.unlink(kata.number(PLACE), b"a")
    number_of = Numbers.of_inode

    def as_taken(self: Numbers, status: os.stat_result) -> int:
        number = number_of(self, status)
        return taken if number == taking else number

    monkeypatch.setattr(Numbers, "of_inode", as_taken)
    generations = [{each.name: each.told.generation for each in filled(kata).given()}[b"b"] for _ in range(2)]

    assert generations == [1, 1]


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
def test_what_changes_before_the_reply_is_given_stays_what_is_known(kata: Kernel, known: bool) -> None:
    """By another thread: the kernel keeps a change of a file from coming between as little as a lookup."""
    kata.forget_all()
    if known:
        kata.lookup(PLACE + b"/a")
    reply = filled(kata)
    number = kata.lookup(PLACE + b"/a").number
    kata.tree.inodes.setattr(number, Changes(mode=0o600), None, ME)
    reply.given()

    kata.tree.files.release(kata.tree.files.open(number, os.O_RDONLY, ME))


def test_a_number_that_came_to_be_another_inodes_meanwhile_stays_that(
    kata: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kata.forget_all()
    reply = filled(kata)
    number = next(each.told.number for each in reply.entries if each.name == b"a")
    place = kata.number(PLACE)
    monkeypatch.setattr(Numbers, "of_inode", lambda *_: number)
    kata.tree.lookups.lookup(place, b"d")
    monkeypatch.undo()
    reply.given()

    assert kata.tree.path_of(number).endswith(b"/d")


def filled(kata: Kernel) -> Reply:
    """A listing of the directory, which the kernel hasn't yet."""
    reply = Reply()
    kata.tree.directories.fill(kata.tree.directories.open(kata.number(PLACE)), 0, reply)
    return reply


def is_known(tree: Kernel, number: int) -> bool:
    """Whether the tree has a node for the number."""
    try:
        tree.tree.inodes.getattr(number)
    except OSError as problem:
        assert problem.errno == errno.ESTALE  # noqa: PT017  # either may be
        return False
    return True


@pytest.mark.parametrize("name", ["a", "d"])
def test_what_something_foreign_is_mounted_on_is_not_listed(kata: Kernel, store: MemoryStore, name: str) -> None:
    """Of the same file system too: a mount point's number is then all that gives it away."""
    inside = store.path / "123456789A" / "inside"
    foreign = store.path / "foreign"
    foreign.mkdir() if name == "d" else foreign.touch()
    with bound(foreign, inside / name):
        listed = kata.names(PLACE)
    assert os.fsencode(name) not in listed
    assert len(listed) == 3


def renamed_while_looked_at(tree: Kernel, then: Callable[[], None]) -> Glance:
    """A `names.glance` during which something happens, once."""
    glance, happens = names.glance, [then]

    def looked(directory: int, wanted: Sequence[bytes], inodes: Sequence[int]) -> list[os.stat_result | None]:
        found = glance(directory, wanted, inodes)
        if happens:
            happens.pop()()
        return found

    return looked


def test_what_is_renamed_meanwhile_is_not_taken_for_its_old_name(kata: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number would lead to a name that isn't there, and whoever has it would be told ESTALE."""
    number = kata.lookup(PLACE + b"/a").number
    monkeypatch.setattr(
        names, "glance", renamed_while_looked_at(kata, lambda: kata.rename(PLACE + b"/a", PLACE + b"/new"))
    )
    listed = kata.names(PLACE)

    assert listed == [b"b", b"c", b"d"]
    assert kata.tree.inodes.getattr(number).number == number


def test_a_change_that_is_half_done_is_not_taken_for_done(kata: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree would take the kernel to have been told the old mode, and refuse opens until that is void."""
    number = kata.lookup(PLACE + b"/a").number
    handle = kata.tree.directories.open(kata.number(PLACE))
    assert len(kata.listed(handle, room=2)) == 2
    begun, looked = threading.Event(), threading.Event()
    changing = threading.Thread(target=lambda: kata.tree.inodes.setattr(number, Changes(mode=0o600), None, ME))
    set_mode, glance, borrowed = rooted_inodes.set_mode, names.glance, Core.borrowed

    def set_late(descriptor: int, mode: int) -> None:
        begun.set()
        assert looked.wait(60)
        set_mode(descriptor, mode)

    def told(directory: int, wanted: Sequence[bytes], inodes: Sequence[int]) -> list[os.stat_result | None]:
        found = glance(directory, wanted, inodes)
        looked.set()
        return found

    @contextmanager
    def overtaken(core: Core, node: Node) -> Iterator[int]:
        with borrowed(core, node) as directory:
            if not begun.is_set():
                changing.start()
                assert begun.wait(60)
            yield directory

    monkeypatch.setattr(rooted_inodes, "set_mode", set_late)
    monkeypatch.setattr(names, "glance", told)
    monkeypatch.setattr(Core, "borrowed", overtaken)
    listed = {each.name: each.told for each in kata.listed(handle, 2)}
    changing.join()

    assert listed[b"a"].status.st_mode & 0o777 == 0o600
    kata.tree.files.release(kata.tree.files.open(number, os.O_RDONLY, ME))


def test_what_is_replaced_meanwhile_shows_what_replaced_it(kata: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = kata.lookup(PLACE + b"/a").number, kata.lookup(PLACE + b"/b").number
    monkeypatch.setattr(
        names, "glance", renamed_while_looked_at(kata, lambda: kata.rename(PLACE + b"/b", PLACE + b"/a"))
    )
    listed = kata.entries(PLACE)

    assert listed[b"a"].number == new != old
    assert b"b" not in listed


def test_what_is_replaced_behind_the_tree_shows_what_replaced_it(kata: Kernel, store: MemoryStore) -> None:
    inside = store.path / "123456789A" / "inside"
    handle = kata.tree.directories.open(kata.number(PLACE))
    assert len(kata.listed(handle, room=2)) == 2
    (inside / "new").write_bytes(b"longer")
    (inside / "new").rename(inside / "a")
    (inside / "b").unlink()
    listed = {each.name: each.told for each in kata.listed(handle, 2)}

    assert sorted(listed) == [b"a", b"c", b"d"]
    assert listed[b"a"].status.st_size == 6


@pytest.mark.parametrize("seen", [True, False], ids=["anew", "first"])
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "removed"])
def test_a_directory_that_was_removed_behind_the_tree_is_not_an_empty_one(
    kata: Kernel, store: MemoryStore, seen: bool, replaced: bool
) -> None:
    """Whoever copies what it finds, and deletes what it doesn't, would lose everything."""
    inside = store.path / "123456789A" / "inside"
    handle = kata.tree.directories.open(kata.number(PLACE))
    if seen:
        kata.listed(handle)
    shutil.rmtree(inside)
    if replaced:
        inside.mkdir()
        (inside / "new").touch()

    with refused(errno.ESTALE):
        kata.listed(handle)


def test_files_and_directories_in_turn_are_all_listed(kata: Kernel) -> None:
    for number in range(100):
        kata.mkdir(PLACE + b"/%03d" % number) if number % 2 else kata.write(PLACE + b"/%03d" % number, b"")

    assert kata.names(PLACE) == [*(b"%03d" % number for number in range(100)), b"a", b"b", b"c", b"d"]


def test_a_forgotten_directory_that_is_listed_takes_what_is_in_it_along(kata: Kernel) -> None:
    """There must be no second node of it: a move would leave the first one where it was."""
    file, directory = kata.write(PLACE + b"/d/f", b"").number, kata.number(PLACE + b"/d")
    kata.tree.forget([(directory, kata.known.pop(directory))])
    kata.entries(PLACE)
    kata.rename(PLACE + b"/d", PLACE + b"/e")

    assert kata.tree.inodes.getattr(file).number == file


def test_a_directory_that_was_removed_lists_nothing(kata: Kernel) -> None:
    number = kata.number(PLACE + b"/d")
    handle = kata.tree.directories.open(number)
    kata.rmdir(PLACE + b"/d")

    assert [each.name for each in kata.listed(handle)] == [b".", b".."]
    with refused(errno.ENOENT):
        kata.number(PLACE + b"/d")
