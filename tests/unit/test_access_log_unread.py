"""Nobody reads the access log: then requests are served as if there were none."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from katafs.config import MountSettings
from katafs.errors import NoThread
from katafs.fuse.connection import Connection
from katafs.mount.serving import Serving
from tests.unit.kernel import Kernel


@pytest.fixture
def serving(tree: Kernel) -> Iterator[Serving]:
    """What serves a mount, with a socket in the device's place."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with closing(Serving(tree.tree, theirs.detach(), "/mnt", MountSettings("memory"), lambda: None)) as serving:
        serving.start()
        yield serving
        ours.close()


def is_bare(serving: Serving) -> bool:
    """Whether nothing stands between a request and who answers it."""
    connection: Connection = serving._connection  # noqa: SLF001  that is all there is to show
    return connection.methods.serving is connection._dispatcher.methods  # noqa: SLF001  as above


def test_a_mount_that_never_had_a_reader_has_the_bare_methods(serving: Serving) -> None:
    assert is_bare(serving)


def test_when_the_last_reader_has_left_they_are_the_bare_ones_again(serving: Serving) -> None:
    log = serving._log  # noqa: SLF001  as above
    first, second = log.open(), log.open()
    watched = [is_bare(serving)]
    first.close()
    watched.append(is_bare(serving))
    second.close()

    assert watched == [False, False]
    assert is_bare(serving)


def test_where_no_thread_can_be_had_nobody_reads_it(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    log = serving._log  # noqa: SLF001  as above

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NoThread):
            log.open()
    assert is_bare(serving)
    log.open().close()


def test_those_who_read_one_after_the_other_leave_nothing(serving: Serving) -> None:
    for _ in range(50):
        serving._log.open().close()  # noqa: SLF001  as above

    assert is_bare(serving)
