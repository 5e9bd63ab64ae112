"""A request that waits, for the store or for the disk, keeps nobody else from being served.

Shown by the order of things, not by the clock: the part that waits does so until the test lets it go on.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from katafs.namespace import Layout
from tests.harness.faulty_katafs import gated
from tests.harness.programs import run
from tests.harness.waiting import until
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

WAITING = "AAAAAAAAAA"
NEW = "AA00000000"
OTHER = "BBBBBBBBBB"


class Waiting:
    """A request under way that has come to its gate."""

    def __init__(self, gate: Path, thread: Thread) -> None:
        self._gate = gate
        self._thread = thread

    @property
    def waits(self) -> bool:
        """Whether it has no answer yet."""
        return self._thread.is_alive()

    def let_go(self) -> None:
        """Open the gate, and wait until the request is answered."""
        Path(f"{self._gate}.open").touch()
        self._thread.join(60)


@contextmanager
def at_its_gate(gate: Path, request: Callable[[], object]) -> Iterator[Waiting]:
    """Starts the request and comes when it waits; it never stays so, whatever happens to the test."""
    thread = Thread(target=request, daemon=True)
    thread.start()
    waiting = Waiting(gate, thread)
    try:
        until(Path(f"{gate}.reached").exists, "the request to reach its gate")
        yield waiting
    finally:
        waiting.let_go()


def fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


REQUESTS: dict[str, Callable[[Served], object]] = {
    "create": lambda served: served.path(NEW).mkdir(),
    "remove": lambda served: served.path(WAITING).rmdir(),
    "fsync": lambda served: fsync(served.path(WAITING) / "f"),
    "fsyncdir": lambda served: fsync(served.path(WAITING)),
}


@pytest.fixture(params=REQUESTS)
def waiting(request: pytest.FixtureRequest, disk: Path, serve: Serve) -> Iterator[tuple[Served, Waiting]]:
    """A mount with one request that waits, in each of the places where requests do.

    It is a split one, because the kernel itself keeps others out of a directory in which a name is being made or
    removed, or which is being synced: what is looked at meanwhile lies in another."""
    for kata in (WAITING, OTHER):
        (disk / "volumes" / kata).mkdir(parents=True)
    (disk / "volumes" / OTHER / "manifest.json").write_text("{}")
    if request.param == "fsync":
        (disk / "volumes" / WAITING / "f").touch()
    served = serve(layout=Layout.SPLIT, program=gated(request.param, disk / "gate"))
    with at_its_gate(disk / "gate", lambda: REQUESTS[request.param](served)) as begun:
        yield served, begun


def test_others_are_served_meanwhile(waiting: tuple[Served, Waiting]) -> None:
    """As a program, which can be killed: a request that hangs would hang the test as well."""
    served, request = waiting
    script = 'cd "$1"; ls -l . "$2"; cat manifest.json; echo x >f; mkdir d; rmdir d; mv f g; rm g'
    run(["sh", "-ec", script, "sh", served.path(OTHER), served.top], timeout=60)

    assert request.waits


def test_in_the_end_it_is_answered(waiting: tuple[Served, Waiting]) -> None:
    _, request = waiting
    request.let_go()

    assert not request.waits
