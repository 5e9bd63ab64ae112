"""O_APPEND while a container appends too: neither overwrites the other."""

import os

from katafs.volumes.memory import MemoryStore
from tests.unit.kernel import ME, Kernel


def test_an_append_after_a_truncating_open_does_not_overwrite_what_a_container_appended(
    tree: Kernel, store: MemoryStore
) -> None:
    number = tree.write(b"log", b"an old line\n").number
    handle = tree.tree.files.open(number, os.O_WRONLY | os.O_APPEND | os.O_TRUNC, ME)
    log = store.path / "katafs_root" / "log"
    log.write_bytes(b"theirs\n")
    tree.tree.files.write(handle, 0, b"ours\n", appends=True)
    tree.tree.files.release(handle)

    assert log.read_bytes() == b"theirs\nours\n"


def test_an_append_that_a_stat_overtook_does_not_overwrite_what_a_container_appended(
    tree: Kernel, store: MemoryStore
) -> None:
    """The kernel chose the write's offset before another process's stat told it of the new end."""
    number = tree.write(b"log", b"first\n").number
    handle = tree.tree.files.open(number, os.O_WRONLY | os.O_APPEND, ME)
    log = store.path / "katafs_root" / "log"
    with log.open("ab") as file:
        file.write(b"theirs\n")
    tree.tree.inodes.getattr(number)
    tree.tree.files.write(handle, len(b"first\n"), b"ours\n", appends=True)
    tree.tree.files.release(handle)

    assert log.read_bytes() == b"first\ntheirs\nours\n"
