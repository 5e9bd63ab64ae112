"""Random sequences of calls on a few names and open files, inside a kata, at its top and in the root volume."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.posix.compare import Pair
from tests.posix.objects import listing
from tests.posix.place import NOBODY, ROOT, SERVER, Place, acting_as
from tests.posix.syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, renameat2, truncate

NAMES = st.sampled_from(["a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "d/f", "d/f/a"])
DATA = st.sampled_from([b"", b"x", b"hello", b"y" * 5000])
OPEN = st.sampled_from(
    [
        os.O_RDWR,
        os.O_RDWR | os.O_CREAT,
        os.O_RDWR | os.O_CREAT | os.O_EXCL,
        os.O_RDWR | os.O_TRUNC,
        os.O_RDONLY,
        os.O_RDWR | os.O_APPEND | os.O_CREAT,
        os.O_RDONLY | os.O_DIRECTORY,
    ]
)
SLOT = st.integers(0, 2)
MODE = st.sampled_from([0o755, 0o700, 0o2775, 0o1777, 0o4600])
OFFSET = st.sampled_from([0, 3, 4096, 10_000])


@dataclass
class Opened:
    """The files that a sequence has open, by slot; an empty slot is a descriptor that no process has."""

    at: Place
    slots: dict[int, int] = field(default_factory=dict)

    def fd(self, slot: int) -> int:
        return self.slots.get(slot, 1 << 20)

    def open(self, slot: int, name: str, flags: int) -> None:
        fd = os.open(name, flags, 0o644)
        self.close(slot)
        self.slots[slot] = fd

    def close(self, slot: int) -> None:
        if slot in self.slots:
            os.close(self.slots.pop(slot))


Step = tuple[str, tuple[Any, ...]]
CALLS: dict[str, tuple[Callable[..., object], tuple[st.SearchStrategy[Any], ...]]] = {
    "open": (lambda opened, *rest: opened.open(*rest), (SLOT, NAMES, OPEN)),
    "close": (lambda opened, slot: opened.close(slot), (SLOT,)),
    "write": (lambda opened, slot, data: os.write(opened.fd(slot), data), (SLOT, DATA)),
    "pwrite": (lambda opened, slot, data, offset: os.pwrite(opened.fd(slot), data, offset), (SLOT, DATA, OFFSET)),
    "read": (lambda opened, slot: os.read(opened.fd(slot), 100), (SLOT,)),
    "pread": (lambda opened, slot, offset: os.pread(opened.fd(slot), 9000, offset), (SLOT, OFFSET)),
    "ftruncate": (lambda opened, slot, size: os.ftruncate(opened.fd(slot), size), (SLOT, OFFSET)),
    "fchmod": (lambda opened, slot, mode: os.fchmod(opened.fd(slot), mode), (SLOT, MODE)),
    "size": (lambda opened, slot: os.fstat(opened.fd(slot)).st_size, (SLOT,)),
    "links": (lambda opened, slot: os.fstat(opened.fd(slot)).st_nlink, (SLOT,)),
    "names": (lambda opened, slot: sorted(os.listdir(opened.fd(slot))), (SLOT,)),
    "mkdir": (lambda opened, name: os.mkdir(name), (NAMES,)),
    "rmdir": (lambda opened, name: os.rmdir(name), (NAMES,)),
    "unlink": (lambda opened, name: os.unlink(name), (NAMES,)),
    "mkfifo": (lambda opened, name: os.mkfifo(name), (NAMES,)),
    "link": (lambda opened, source, target: os.link(source, target, follow_symlinks=False), (NAMES, NAMES)),
    "symlink": (lambda opened, target, name: os.symlink(target, name), (NAMES, NAMES)),
    "rename": (
        lambda opened, source, target, flags: renameat2(source, target, flags),
        (NAMES, NAMES, st.sampled_from([0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE])),
    ),
    "truncate": (lambda opened, name, size: truncate(name, size), (NAMES, OFFSET)),
    "chmod": (
        lambda opened, name, mode: os.chmod(name, mode),
        (NAMES, MODE),
    ),
    "chown": (lambda opened, name, uid: os.lchown(name, uid, uid), (NAMES, st.sampled_from([0, 19661, 65534]))),
    "setxattr": (lambda opened, name: os.setxattr(name, "user.k", b"v"), (NAMES,)),
    "stat": (lambda opened, name: opened.at.sees(name), (NAMES,)),
}
STEPS = st.one_of(*[st.tuples(st.just(name), st.tuples(*arguments)) for name, (_, arguments) in CALLS.items()])
USERS = st.sampled_from([ROOT, ROOT, SERVER, NOBODY])


@pytest.mark.parametrize("place", ["pair", "root_volume", "new_katas"])
@settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(steps=st.lists(st.tuples(USERS, STEPS), min_size=5, max_size=60))
def test_sequences_agree(request: pytest.FixtureRequest, place: str, steps: list[tuple[Any, Step]]) -> None:
    def case(at: Place) -> None:
        os.chmod(".", 0o1777)
        opened = Opened(at)
        try:
            for user, (name, arguments) in steps:
                with acting_as(user):
                    _take(at, opened, name, arguments)
            listing(at)
        finally:
            for slot in list(opened.slots):
                opened.close(slot)

    side_by_side: Pair = request.getfixturevalue(place)
    side_by_side.agree(case)


def _take(at: Place, opened: Opened, name: str, arguments: tuple[Any, ...]) -> None:
    call, _ = CALLS[name]
    if name == "open":
        slot, path, flags = arguments
        arguments = (slot, path, flags | os.O_NONBLOCK)  # a FIFO has nobody at its other end

    def step() -> None:
        at.notes(name, call(opened, *arguments))

    at.tries(step)
