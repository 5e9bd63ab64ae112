"""What is made in a set-group-ID directory by who is not in its group, on a kernel that leaves it to the daemon."""

import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from katafs.volumes.memory import MemoryStore
from tests.harness import needs
from tests.harness.waiting import until
from tests.unit.kernel import Kernel, Somebody

GROUP, OTHER = 777, 65534


@pytest.fixture
def shared(tree: Kernel, store: MemoryStore) -> Kernel:
    """With a directory `d` of the group's, which hands it on."""
    needs.root()
    tree.mkdir(b"d")
    os.chown(store.path / "katafs_root" / "d", 0, GROUP)
    (store.path / "katafs_root" / "d").chmod(0o2777)
    return tree


@contextmanager
def waiting(uid: int, gid: int, groups: Sequence[int], *program: str) -> Iterator[Somebody]:
    """Somebody who waits for a reply, and the groups that they are in besides."""
    with subprocess.Popen(
        [*program, "cat"], stdin=subprocess.PIPE, user=uid or None, group=gid or None, extra_groups=groups
    ) as process:
        yield Somebody(uid, gid, process.pid)


def modes(tree: Kernel, mode: int, who: Somebody) -> set[int]:
    """The permissions of what they make there, in either way."""
    made = [
        tree.write(b"d/created", b"", mode, who),
        tree.tree.creation.mknod(tree.number(b"d"), b"node", stat.S_IFREG | mode, 0, who),
    ]
    assert {told.status.st_gid for told in made} == {GROUP}
    return {stat.S_IMODE(told.status.st_mode) for told in made}


@pytest.mark.parametrize("mode", [0o2755, 0o6711])
def test_it_is_no_program_of_the_group(shared: Kernel, mode: int) -> None:
    with waiting(OTHER, OTHER, [OTHER]) as who:
        assert modes(shared, mode, who) == {mode & ~stat.S_ISGID}


def test_it_is_none_where_nobody_can_say_in_which_groups_they_are(shared: Kernel) -> None:
    assert modes(shared, 0o2755, Somebody(OTHER, OTHER, 0)) == {0o755}


@pytest.mark.parametrize(
    ("uid", "gid", "groups"), [(OTHER, GROUP, []), (OTHER, OTHER, [1, GROUP]), (0, 0, [])], ids=["own", "among", "root"]
)
def test_who_is_in_the_group_makes_its_programs(shared: Kernel, uid: int, gid: int, groups: Sequence[int]) -> None:
    with waiting(uid, gid, groups) as who:
        assert modes(shared, 0o2755, who) == {0o2755}


def test_so_does_who_has_the_capability_for_it(shared: Kernel) -> None:
    ids = [f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups"]
    with waiting(0, 0, [], "setpriv", *ids, "--inh-caps=+fsetid", "--ambient-caps=+fsetid") as who:
        comm = Path(f"/proc/{who.pid}/comm")
        until(lambda: comm.read_text() == "cat\n", "the program to be cat")

        assert modes(shared, 0o2755, Somebody(OTHER, OTHER, who.pid)) == {0o2755}


def test_what_the_group_may_not_run_keeps_the_bit(shared: Kernel) -> None:
    with waiting(OTHER, OTHER, []) as who:
        assert modes(shared, 0o2644, who) == {0o2644}


def test_elsewhere_it_is_their_own_group_s(shared: Kernel, store: MemoryStore) -> None:
    os.chown(store.path / "katafs_root" / "d", 0, 0)
    (store.path / "katafs_root" / "d").chmod(0o777)
    with waiting(OTHER, GROUP, []) as who:
        assert modes(shared, 0o2755, who) == {0o2755}
