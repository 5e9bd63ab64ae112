"""The parts of a mount that serve other disks: when they come, when they go, and what is told of their volumes."""

import errno
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import Mock

import pytest

from katafs.fuse.operations import Attributes, Later
from katafs.kata_id import VolumeName
from katafs.mount import shrinker
from katafs.mount.operations import Operations
from katafs.mount.parts import Parts
from katafs.mount.shrinker import Shrinker
from katafs.mount.syncs import LastOpened
from katafs.mount.tops import Top, Tops
from katafs.tree.requests import Elsewhere
from katafs.tree.tree import Tree
from katafs.volumes.disks import Disk
from katafs.volumes.memory import MemoryStore
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.unit.fuse_recorder import failing
from tests.unit.kernel import ROOT, Kernel

KATA = b"123456789A"
DISK, MOUNTED_ANEW = Disk(b"9:9"), Disk(b"9:10")


@pytest.fixture
def parts(tree: Kernel) -> Iterator[Parts]:
    """The parts of a tree that isn't mounted."""
    parts = Parts(tree.tree, Mock(), LastOpened())
    yield parts
    parts.stop_asking()
    assert parts.close(60)


@pytest.fixture
def away(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> list[Disk | None]:
    """There is a kata on this disk, or on whatever comes to its place here."""
    (store.path / KATA.decode()).mkdir()
    disk: list[Disk | None] = [DISK]
    monkeypatch.setattr(store, "disk_of", lambda name: disk[0] if name == VolumeName(KATA.decode()) else None)
    return disk


def entered(parts: Parts, tree: Kernel, disk: Disk = DISK) -> Attributes:
    """What is told of the kata, for which nobody has to wait."""
    told = parts.enter(disk, tree.tree.node(ROOT), KATA)
    assert not isinstance(told, Later)
    return told


def serving(tree: Kernel) -> Disk | None:
    """The disk whose part serves the kata."""
    with pytest.raises(Elsewhere) as there:
        tree.lookup(KATA)
    return there.value.disk


def is_at_home(tree: Kernel) -> bool:
    """Whether it is no part's."""
    try:
        tree.lookup(KATA)
    except Elsewhere:
        return False
    return True


def is_nowhere(tree: Kernel, number: int) -> bool:
    """Whether no path is known of the inode."""
    try:
        tree.tree.path_of(number)
    except OSError:
        return True
    return False


@contextmanager
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """In the block whoever opens the kata hangs, with its part's lock held; set once somebody does."""
    hangs, goes_on = threading.Event(), threading.Event()
    opened = MemoryStore.open

    def hanging(store: MemoryStore, volume: VolumeName) -> int:
        hangs.set()
        assert goes_on.wait(60)
        return opened(store, volume)

    with monkeypatch.context() as patched:
        patched.setattr(MemoryStore, "open", hanging)
        try:
            yield hangs
        finally:
            goes_on.set()


def shrinkers() -> int:
    """How many parts there are: each has one."""
    return sum(thread.name == "katafs-shrinker" for thread in threading.enumerate())


def test_a_disk_that_is_mounted_anew_leaves_nothing_of_the_one_before(
    tree: Kernel, parts: Parts, away: list[Disk | None]
) -> None:
    told = parts.enter_made(DISK, tree.tree.node(ROOT), KATA)
    parts.forget([(told.number, 1)])
    until(tree.tree.on(DISK).is_unused, "what was looked up to be forgotten")
    assert shrinkers() == 1
    away[0] = MOUNTED_ANEW
    until(lambda: serving(tree) == MOUNTED_ANEW, "the kata to be the other disk's")
    entered(parts, tree, MOUNTED_ANEW)

    until(lambda: shrinkers() == 1, "the thread of the one before to end")


def test_a_part_stays_whose_volume_was_told_of_and_not_asked_for_yet(
    tree: Kernel, parts: Parts, away: list[Disk | None]
) -> None:
    entered(parts, tree)
    part = tree.tree.on(DISK)
    away[0] = MOUNTED_ANEW
    with refused(errno.ESTALE):
        entered(parts, tree, MOUNTED_ANEW)

    assert tree.tree.on(DISK) is part


def test_a_part_is_left_without_a_wait_for_the_kernel_that_it_asks(
    tree: Kernel, parts: Parts, away: list[Disk | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may wait there for who looks a name up, and so for the lock that is held here."""
    asks, goes_on = threading.Event(), threading.Event()

    def ask(_: Shrinker) -> None:
        asks.set()
        assert goes_on.wait(60)

    monkeypatch.setattr(Shrinker, "_shrink", ask)
    monkeypatch.setattr(shrinker, "_LAST_MOMENT_S", 60)
    told = parts.enter_made(DISK, tree.tree.node(ROOT), KATA)
    tree.tree.on(DISK).surplus.crowded.set()
    assert asks.wait(60)
    parts.forget([(told.number, 1)])
    until(tree.tree.on(DISK).is_unused, "what was looked up to be forgotten")
    away[0] = MOUNTED_ANEW
    until(lambda: serving(tree) == MOUNTED_ANEW, "the kata to be the other disk's")
    entering = threading.Thread(target=lambda: entered(parts, tree, MOUNTED_ANEW))
    entering.start()
    entering.join(10)
    is_entered = not entering.is_alive()
    goes_on.set()
    entering.join()

    assert is_entered


@pytest.mark.usefixtures("away")
def test_that_a_volume_is_there_is_told_while_its_disk_hangs(
    tree: Kernel, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its disk was asked it is nobody's to enter."""
    with stuck(monkeypatch) as hangs:
        first = entered(parts, tree)
        looking = threading.Thread(target=parts.enter_made, args=(DISK, tree.tree.node(ROOT), KATA))
        looking.start()
        assert hangs.wait(60)
        again = entered(parts, tree)

        assert looking.is_alive()
    looking.join(60)
    later = entered(parts, tree)
    assert (first.unasked, stat.S_IMODE(first.status.st_mode)) == (True, 0)
    assert first.number == again.number == later.number
    assert (later.unasked, stat.S_IMODE(later.status.st_mode)) == (True, 0o755)


@pytest.mark.usefixtures("away")
def test_where_a_volume_is_is_known_before_its_disk_was_asked(tree: Kernel, parts: Parts) -> None:
    number = entered(parts, tree).number
    assert tree.tree.path_of(number) == b"/" + KATA
    parts.forget([(number, 1)])

    until(lambda: is_nowhere(tree, number), "the kata to be forgotten")


def test_one_that_can_not_be_made_is_not_told_of(
    tree: Kernel, store: MemoryStore, parts: Parts, away: list[Disk | None]
) -> None:
    (store.path / KATA.decode()).rmdir()
    with refused(errno.ESTALE):
        parts.enter_made(DISK, tree.tree.node(ROOT), KATA)
    (store.path / KATA.decode()).mkdir()
    away[0] = None

    until(lambda: is_at_home(tree), "the part to have left it")


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize(
    ("what", "want"),
    [("threading.Thread.start", RuntimeError("can't start new thread")), ("katafs.mount.lanes.Patient", MemoryError())],
)
def test_what_is_forgotten_while_no_thread_can_be_had_is_forgotten(
    tree: Kernel, parts: Parts, monkeypatch: pytest.MonkeyPatch, what: str, want: Exception
) -> None:
    told = parts.enter_made(DISK, tree.tree.node(ROOT), KATA)
    with monkeypatch.context() as exhausted:
        exhausted.setattr(what, lambda _: failing(want)())
        parts.forget([(told.number, 1)])

    assert tree.tree.on(DISK).is_unused()


@pytest.mark.usefixtures("away")
def test_names_are_looked_up_while_a_part_stops_asking_the_kernel(
    tree: Kernel, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may have its thread wait for who is about to look one up."""
    entered(parts, tree)
    looked_up, close = list[bool](), Shrinker.close

    def looking_up(one: Shrinker) -> None:
        looking = threading.Thread(target=lambda: entered(parts, tree))
        looking.start()
        looking.join(10)
        looked_up.append(not looking.is_alive())
        close(one)

    monkeypatch.setattr(Shrinker, "close", looking_up)
    parts.stop_asking()

    assert looked_up == [True]


def test_what_home_is_asked_for_while_a_part_forgets_it_stays_known(
    tree: Kernel, parts: Parts, away: list[Disk | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = Operations(tree.tree)
    operations.parts = parts
    number = entered(parts, tree).number
    forget = parts.forget

    def forget_and_look_up(forgotten: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        rest = forget(forgotten)
        away[0] = None
        until(lambda: is_at_home(tree), "the part to have left it")
        return rest

    monkeypatch.setattr(parts, "forget", forget_and_look_up)
    operations.forget([(number, 1)])

    assert tree.tree.knows(number)


class Named:
    """The tops of a part that nobody else has; the kernel was told of the kata."""

    def __init__(self, tree: Kernel) -> None:
        self.tops = Tops()
        self.part: Tree = tree.tree.on(DISK)
        self._root = tree.tree.node(ROOT)
        self._number = self.name().number

    def name(self) -> Attributes:
        """It is told so again."""
        return self.tops.name(DISK, self.part, self._root, KATA)

    def top(self) -> Top:
        """The kata's top, which was named."""
        top = self.tops.of(self._number)
        assert top is not None
        return top


@pytest.fixture
def named(tree: Kernel, away: list[Disk | None]) -> Named:
    """The kernel was told of the kata once."""
    assert away == [DISK]
    return Named(tree)


def test_a_top_is_looked_at_once_each_time_that_it_is_named(named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup_top = Mock(wraps=named.part.lookups.lookup_top)
    monkeypatch.setattr(named.part.lookups, "lookup_top", lookup_top)
    top = named.top()
    for _ in range(3):
        top.look(tells=True)
    named.name()
    for _ in range(3):
        top.look(tells=False)

    assert lookup_top.call_count == 2


def test_another_directory_in_its_place_is_told_as_another(named: Named, store: MemoryStore) -> None:
    top = named.top()
    top.look(tells=True)
    (store.path / KATA.decode()).rename(store.path / "before")
    (store.path / KATA.decode()).mkdir()
    top.look(tells=True)
    generations = [named.name().generation]
    with refused(errno.ESTALE):
        top.look(tells=True)
    generations.append(named.name().generation)
    top.look(tells=True)

    assert generations == [0, 1]


def test_nothing_is_changed_by_permissions_that_hold_no_more(named: Named, store: MemoryStore) -> None:
    """What was told is what was seen last, and the kernel may have checked by it without asking for more."""
    top = named.top()
    (store.path / KATA.decode()).chmod(0o755)
    top.look(tells=True)
    (store.path / KATA.decode()).chmod(0o700)
    assert stat.S_IMODE(named.name().status.st_mode) == 0o755
    for _ in range(2):
        with refused(errno.ESTALE):
            top.look(tells=False)
    assert stat.S_IMODE(named.name().status.st_mode) == 0o700
    top.look(tells=False)


def test_who_is_told_what_was_found_is_misled_no_more(named: Named, store: MemoryStore) -> None:
    top = named.top()
    top.look(tells=True)
    (store.path / KATA.decode()).chmod(0o700)
    named.name()
    top.look(tells=True)
    top.look(tells=False)


def test_nobody_passes_by_what_was_guessed_of_one_that_nobody_knew(named: Named) -> None:
    """So that nothing has to be asked again."""
    guessed = named.name().status
    assert (stat.S_IMODE(guessed.st_mode), guessed.st_uid, guessed.st_gid) == (0, 2**32 - 3, 2**32 - 3)
    named.top().look(tells=False)


def test_a_top_stays_its_parts_until_all_that_was_told_is_forgotten(
    named: Named, tree: Kernel, away: list[Disk | None]
) -> None:
    top, number = named.top(), named.name().number
    top.look(tells=True)
    away[0] = None

    assert named.tops.give_back(number, 1) is None
    assert serving(tree) == DISK
    assert named.tops.give_back(number, 1) is top
    named.tops.forget(top)
    assert named.part.is_unused()
    assert tree.lookup(KATA).number == number


def test_one_that_is_named_again_before_its_part_has_forgotten_it_stays_the_parts(
    named: Named, tree: Kernel, away: list[Disk | None]
) -> None:
    forgotten, number = named.top(), named.name().number
    forgotten.look(tells=True)
    away[0] = None
    assert named.tops.give_back(number, 2) is forgotten
    named.name()
    again = named.top()
    named.tops.forget(forgotten)
    assert serving(tree) == DISK
    again.look(tells=True)

    assert named.part.knows(number)
    assert named.tops.give_back(number, 1) is again
    named.tops.forget(again)
    assert tree.lookup(KATA).number == number
