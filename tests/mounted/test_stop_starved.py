"""How a mount ends for which there is no memory: to look whose it is, or to read what is asked of it."""

import errno
import os
import signal
import sys

from tests.harness.mounts import Mounts
from tests.harness.refusals import refused

PROGRAM = """
import sys
from katafs.cli.main import katafs
from katafs.mount import mount_point, session

failures = [MemoryError()] * int(sys.argv.pop(1))
wait, mounts_in = session._wait, mount_point.mounts_in

def starving(*arguments):
    by_signal = wait(*arguments)
    mount_point.mounts_in = lambda table: mounts_in(table) if not failures else failing()
    return by_signal

def failing():
    raise failures.pop()

session._wait = starving
katafs()
"""


def test_it_is_taken_away_when_the_threads_have_given_their_memory_back(mount: Mounts) -> None:
    mounted = mount(program=(sys.executable, "-c", PROGRAM, "1"))

    mounted.stop()

    assert not mounted.path.is_mount()


def test_one_that_is_left_is_a_failure_and_taken_away_at_the_next_start(mount: Mounts) -> None:
    mounted = mount(program=(sys.executable, "-c", PROGRAM, "2"))

    mounted.signal(signal.SIGTERM)
    mounted.ended(status=1)

    told = f"katafs: {mounted.path}: is left there, dead: there is no memory or process"
    assert mounted.log().splitlines()[-1] == told
    with refused(errno.ENOTCONN):
        os.listdir(mounted.path)
    assert os.listdir(mount(at=mounted.path).path) == []


DYING = """
from katafs.cli.main import katafs
from katafs.fuse.intake import Intake

serve = Intake._serve

def dying(intake, reader, size):
    if b"fatal" in bytes(reader.buffer[:size]):
        raise SystemExit  # no Exception: nothing in the thread catches it
    serve(intake, reader, size)

Intake._serve = dying
katafs()
"""


def test_one_whose_requests_nobody_reads_any_more_is_a_failure(mount: Mounts) -> None:
    mounted = mount(program=(sys.executable, "-c", DYING))

    with refused(errno.ECONNABORTED):
        (mounted.path / "fatal").stat()
    mounted.ended(status=1)

    assert mounted.log().splitlines()[-1] == f"katafs: {mounted.path}: no more requests could be read"
    assert not mounted.path.is_mount()
