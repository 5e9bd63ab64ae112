"""What only an inode's owner may change, where the kernel has let somebody who isn't that (any more) come through.

Its check goes by what it was told before; by the time that the change is asked for it may have been told anew."""

import errno
import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from katafs.rooted.syscalls import NOW_NS
from katafs.tree.inodes import Changes
from katafs.volumes.memory import MemoryStore
from tests.harness import needs
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.unit.kernel import Kernel, Somebody

FORMER, OWNER = 65534, 777
OWNERS_ONLY = {
    "chmod": Changes(mode=stat.S_IFREG | 0o4777),
    "chgrp": Changes(gid=FORMER),
    "utimens": Changes(mtime_ns=1),
    "chmod less": Changes(mode=stat.S_IFREG | 0o600),
    "chmod by set-IDs that aren't there": Changes(mode=stat.S_IFREG | 0o6755),
}


@pytest.fixture
def file(tree: Kernel, store: MemoryStore) -> Path:
    """A file that another owns by now, as the kernel was told."""
    needs.root()
    path = store.path / "katafs_root" / "f"
    path.touch()
    os.chown(path, FORMER, FORMER)
    tree.lookup(b"f")
    os.chown(path, OWNER, OWNER)
    path.chmod(0o4755)
    tree.tree.inodes.getattr(tree.number(b"f"))
    return path


@contextmanager
def waiting(*program: str, user: int = FORMER) -> Iterator[Somebody]:
    """Somebody who waits for a reply, in a program that goes on to be `cat`."""
    with subprocess.Popen(
        [*program, "cat"],
        stdin=subprocess.PIPE,
        user=user if not program else None,
        group=user if not program else None,
    ) as process:
        comm = Path(f"/proc/{process.pid}/comm")
        until(lambda: comm.read_text() == "cat\n", "the program to be cat")
        yield Somebody(FORMER, FORMER, process.pid)


def capable(*capabilities: str) -> Sequence[str]:
    """A program that makes of root the former owner, with capabilities."""
    those = ",".join(f"+{each}" for each in capabilities)
    ids = [f"--reuid={FORMER}", f"--regid={FORMER}", "--clear-groups"]
    return ["setpriv", *ids, f"--inh-caps={those}", f"--ambient-caps={those}"]


def change(tree: Kernel, changes: Changes, who: Somebody) -> None:
    tree.tree.inodes.setattr(tree.number(b"f"), changes, None, who)


@pytest.mark.parametrize("changes", OWNERS_ONLY.values(), ids=OWNERS_ONLY)
def test_a_former_owner_changes_nothing(tree: Kernel, file: Path, changes: Changes) -> None:
    before = file.stat()
    with waiting() as who, refused(errno.ESTALE):
        change(tree, changes, who)

    assert file.stat() == before


@pytest.mark.parametrize("changes", OWNERS_ONLY.values(), ids=OWNERS_ONLY)
def test_who_has_the_capabilities_changes_it(tree: Kernel, file: Path, changes: Changes) -> None:
    with waiting(*capable("fowner", "chown")) as who:
        change(tree, changes, who)


def test_the_capability_for_the_one_is_not_for_the_other(tree: Kernel, file: Path) -> None:
    with waiting(*capable("chown")) as who, refused(errno.ESTALE):
        change(tree, OWNERS_ONLY["chmod"], who)
    with waiting(*capable("fowner")) as who, refused(errno.ESTALE):
        change(tree, OWNERS_ONLY["chgrp"], who)


@pytest.mark.parametrize(
    ("first", "count", "named"), [(FORMER, 1, False), (OWNER - 7, 100, True), (OWNER + 1, 9, False)]
)
def test_a_user_namespace_gives_them_over_those_whom_it_names(
    tree: Kernel, file: Path, first: int, count: int, named: bool
) -> None:
    with waiting("unshare", "--user", "--keep-caps") as who:
        for table in ("uid_map", "gid_map"):
            Path(f"/proc/{who.pid}/{table}").write_text(f"0 {first} {count}")
        with nullcontext() if named else refused(errno.ESTALE):
            change(tree, OWNERS_ONLY["chmod"], who)


@pytest.mark.parametrize(
    "changes",
    [
        Changes(),
        Changes(atime_ns=NOW_NS, mtime_ns=NOW_NS),
        Changes(mode=stat.S_IFREG | 0o755),
    ],
    ids=["chown(-1, -1)", "touch", "a write that takes the set-ID bits"],
)
def test_what_others_may_do_they_still_do(tree: Kernel, file: Path, changes: Changes) -> None:
    with waiting() as who:
        change(tree, changes, who)


def test_who_has_it_open_for_writing_still_cuts_it(tree: Kernel, file: Path) -> None:
    """Whatever its mode is by now (ftruncate(2)); through its path the kernel is to ask again."""
    number = tree.number(b"f")
    handle = tree.tree.files.open(number, os.O_WRONLY, Somebody(FORMER, FORMER))
    file.write_text("content")
    file.chmod(0o600)

    with waiting() as who, refused(errno.ESTALE):
        tree.tree.inodes.setattr(number, Changes(size=3), None, who)
    with waiting() as who:
        tree.tree.inodes.setattr(number, Changes(size=3), handle, who)
    assert file.read_text() == "con"
    tree.tree.files.release(handle)


@pytest.mark.parametrize("pid", [0, 1 << 30], ids=["in no namespace of ours", "hidden"])
def test_of_whom_nothing_can_be_seen_the_kernel_is_believed(tree: Kernel, file: Path, pid: int) -> None:
    change(tree, Changes(mode=stat.S_IFREG | 0o700), Somebody(FORMER, FORMER, pid))

    assert stat.S_IMODE(file.stat().st_mode) == 0o700


def test_nor_can_of_whom_the_kernel_says_nothing(tree: Kernel, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with hidepid=1."""

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with waiting(*capable("fowner")) as who, monkeypatch.context() as hidden:
        hidden.setattr(Path, "read_text", refuse)
        change(tree, Changes(mode=stat.S_IFREG | 0o700), who)

    assert stat.S_IMODE(file.stat().st_mode) == 0o700
