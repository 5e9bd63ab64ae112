"""A program that is killed in the middle of a request: others are served, and nothing of it is left behind.

One request that has been begun keeps its program from dying until it is answered; that is the kernel's doing.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from signal import SIGKILL

import pytest

from katafs.namespace import Layout
from tests.harness.faulty_katafs import gated
from tests.harness.programs import run
from tests.harness.status import status_of
from tests.harness.waiting import holds_within, until
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

KATA = "AAAAAAAAAA"
NEW = "AA00000000"
OTHER = "BBBBBBBBBB"
CLIENTS = 24

PROLOGUE = """
import fcntl, os, sys
kata, new = sys.argv[1:]
def opened(path, flags):
    descriptor = os.open(path, flags)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
"""
REQUESTS = {
    "write": "os.write(opened(kata + '/f', os.O_RDWR), b'written')",
    "fsync": "os.fsync(opened(kata + '/f', os.O_RDWR))",
    "fsyncdir": "os.fsync(opened(kata, os.O_RDONLY))",
    "create": "os.mkdir(new)",
    "remove": "os.rmdir(kata)",
}
LEFT = {"create": {KATA, OTHER, NEW}, "remove": {OTHER}}
"""The volumes of katas afterwards: what has been begun is finished."""
BUSY = """
while True:
    with open(kata + "/" + new, "w") as file:
        file.write("x" * 100000)
        file.flush()
        os.fsync(file.fileno())
    os.rename(kata + "/" + new, kata + "/" + new + "-moved")
    os.listdir(kata)
    open(kata + "/" + new + "-moved").read()
    os.unlink(kata + "/" + new + "-moved")
"""


def client(script: str, *arguments: str | Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PROLOGUE + script, *arguments])


@contextmanager
def gate_of(gate: Path) -> Iterator[Path]:
    """The gate, open after the block, whatever happens to the test."""
    try:
        yield Path(f"{gate}.open")
    finally:
        Path(f"{gate}.open").touch()


@pytest.mark.parametrize("part", REQUESTS)
def test_killed_in_a_request(disk: Path, serve: Serve, part: str) -> None:
    for kata in (KATA, OTHER):
        (disk / "volumes" / kata).mkdir(parents=True)
    (disk / "volumes" / OTHER / "manifest.json").write_text("{}")
    if part in ("write", "fsync"):
        (disk / "volumes" / KATA / "f").touch()
    served = serve(layout=Layout.SPLIT, program=gated(part, disk / "gate"))
    with gate_of(disk / "gate") as opens:
        killed = client(REQUESTS[part], served.path(KATA), served.path(NEW))
        until(Path(f"{disk}/gate.reached").exists, "the request to reach its gate")
        killed.kill()
        # In another program, which can be killed: one that hangs would hang the test as well.
        script = 'cd "$1"; ls -l . "$2"; cat manifest.json; : >f; mkdir d; rmdir d; mv f g; rm g'
        run(["sh", "-ec", script, "sh", served.path(OTHER), served.top], timeout=60)
        opens.touch()
        assert killed.wait(60) == -SIGKILL

    until(lambda: nothing_is_open(served), "the killed program's files to be released")
    assert served.volumes() - {"katafs_root"} == LEFT.get(part, {KATA, OTHER})
    if part in ("write", "fsync"):
        check_free(served.path(KATA) / "f", b"written" if part == "write" else b"")


def nothing_is_open(served: Served) -> bool:
    status = status_of(served.top)
    return (status["open_files"], status["open_directories"]) == (0, 0)


def check_free(path: Path, content: bytes) -> None:
    """Nobody holds the file's lock, and it can be read, written and synced."""
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert os.pread(descriptor, 100, 0) == content
    os.write(descriptor, b"another")
    os.fsync(descriptor)
    os.close(descriptor)
    assert path.read_bytes() == b"another"


def test_one_that_waits_behind_it_can_be_killed_and_is_forgotten(disk: Path, serve: Serve) -> None:
    """In the kernel it waits for the directory, in which a name is being made."""
    for kata in (KATA, OTHER):
        (disk / "volumes" / kata).mkdir(parents=True)
    served = serve(program=gated("create", disk / "gate"))
    with gate_of(disk / "gate") as opens:
        first = client("os.mkdir(new)", served.path(KATA), served.path(NEW))
        until(Path(f"{disk}/gate.reached").exists, "the request to reach its gate")
        behind = client("open(kata, 'w').close(); os.mkdir(new)", disk / "begun", served.path("AA11111111"))
        until((disk / "begun").exists, "the other program to come to its request")
        ended = holds_within(lambda: behind.poll() is not None, 0.2)
        behind.kill()
        opens.touch()
        assert (first.wait(60), behind.wait(60)) == (0, -SIGKILL)

    assert not ended
    until(lambda: nothing_is_open(served), "everything to be released")
    assert NEW in served.volumes()


def is_busy(kata: Path, number: int) -> bool:
    return any(name.partition("-")[0] == str(number) for name in os.listdir(kata))


@pytest.mark.parametrize("options", [(), ("-o", "timeout=0")], ids=["kept", "asked"])
def test_many_that_are_killed_wherever_they_are_leave_nothing_open(serve: Serve, options: tuple[str, ...]) -> None:
    served = serve(*options)
    kata = served.make(KATA)
    for number in range(CLIENTS):
        busy = client(BUSY, kata, str(number))
        try:
            until(partial(is_busy, kata, number), "the client to be busy")
            holds_within(lambda: False, number * 0.003)
        finally:
            busy.kill()
        assert busy.wait(60) == -SIGKILL

    until(lambda: nothing_is_open(served), "the killed programs' files to be released")
    run(["rm", "-r", kata])
    assert served.volumes() == {"katafs_root"}
