"""The tree without a mount: what is refused leaves everything as it was, descriptors included."""

import errno
import os
from collections.abc import Callable
from typing import NamedTuple

import pytest

from katafs.rooted.names import RENAME_NOREPLACE
from katafs.tree.core import Core
from tests.harness.refusals import refused
from tests.unit.kernel import Kernel

KATA, OTHER = b"123456789A", b"BBBBBBBBBB"


class Refusal(NamedTuple):
    """What is asked for, and the errno it gets."""

    ask: Callable[[Kernel], object]
    number: int


REFUSALS = {
    "mkdir of a kata that is there": Refusal(lambda tree: tree.mkdir(KATA), errno.EEXIST),
    "mkdir of a kata at a file's name": Refusal(lambda tree: tree.mkdir(b"CCCCCCCCCC"), errno.EEXIST),
    "rmdir of a kata with files": Refusal(lambda tree: tree.rmdir(KATA), errno.ENOTEMPTY),
    "rmdir of a directory with files": Refusal(lambda tree: tree.rmdir(KATA + b"/d"), errno.ENOTEMPTY),
    "rmdir of a file": Refusal(lambda tree: tree.rmdir(KATA + b"/f"), errno.ENOTDIR),
    "unlink of a directory": Refusal(lambda tree: tree.unlink(KATA + b"/d"), errno.EISDIR),
    "unlink of a kata": Refusal(lambda tree: tree.unlink(KATA), errno.EISDIR),
    "rename onto another volume's file": Refusal(lambda tree: tree.rename(KATA + b"/f", OTHER + b"/f"), errno.EXDEV),
    "rename onto a file that must not be replaced": Refusal(
        lambda tree: tree.rename(KATA + b"/g", KATA + b"/f", RENAME_NOREPLACE), errno.EEXIST
    ),
    "rename of a file onto a directory": Refusal(lambda tree: tree.rename(KATA + b"/f", KATA + b"/d"), errno.EISDIR),
    "rename of a kata onto another": Refusal(lambda tree: tree.rename(KATA, OTHER), errno.EXDEV),
    "link onto a file": Refusal(lambda tree: tree.link(KATA + b"/f", KATA + b"/g"), errno.EEXIST),
    "link into another volume": Refusal(lambda tree: tree.link(KATA + b"/f", OTHER + b"/new"), errno.EXDEV),
}


@pytest.fixture
def populated(tree: Kernel) -> Kernel:
    """Two katas with files and a directory, and a file that has a kata's name; nothing of them is known."""
    for kata in (KATA, OTHER):
        tree.mkdir(kata)
        tree.write(kata + b"/f", b"content")
    tree.write(KATA + b"/g", b"content")
    tree.mkdir(KATA + b"/d")
    tree.write(KATA + b"/d/f", b"content")
    tree.write(b"CCCCCCCCCC", b"content")
    tree.forget_all()
    return tree


def kept() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("asked", REFUSALS)
def test_what_is_refused_costs_no_descriptor(populated: Kernel, asked: str) -> None:
    refusal = REFUSALS[asked]
    with refused(refusal.number):
        refusal.ask(populated)
    before = kept()

    for _ in range(5):
        with refused(refusal.number):
            refusal.ask(populated)

    assert kept() == before


def test_a_lookup_that_can_not_be_remembered_costs_no_descriptor(
    populated: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a conversion has taken from under a node is settled first, and that may fail."""
    parent = populated.number(KATA)
    populated.lookup(KATA + b"/d")
    before = kept()

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(Core, "steady", failing)
        for _ in range(5):
            with refused(errno.EIO):
                populated.tree.lookups.lookup(parent, b"d")

    assert kept() == before
