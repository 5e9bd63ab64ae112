"""What ends a daemon that has let go of its terminal: syslog has it."""

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.mount_table import mount_at, tear_off
from tests.harness.programs import run

PROGRAM = """
import sys
from katafs.cli.main import katafs
from katafs.mount import session
from katafs.observe import logs
logs._SYSLOG = sys.argv.pop(1)
fault = sys.argv.pop(1)

def begun(ready, ending, mount):
    begin(ready, ending, mount)
    exec(fault)

begin, session._begin = session._begin, begun
katafs()
"""


class Syslog:
    """A directory with a mount point, and with the socket that a daemon takes for syslog's."""

    def __init__(self, directory: Path, listening: socket.socket) -> None:
        self.path = directory / "mnt"
        self._directory, self._listening = directory, listening
        self._said = ""

    def mount(self, fault: str) -> None:
        """Have a daemon mount, and come to this statement right after it has let go of its terminal."""
        words = ["mount", str(self.path), "--volumes", f"dir:{self._directory}/volumes", "--daemon"]
        run([sys.executable, "-c", PROGRAM, self._directory / "log", fault, *words], timeout=60)

    def wait_for(self, pattern: str) -> None:
        """Wait until something is said that the regular expression matches."""
        while not re.search(pattern, self._said, re.MULTILINE | re.DOTALL):
            self._said += self._listening.recv(1 << 16).rstrip(b"\0").decode() + "\n"


@pytest.fixture
def syslog(disk: Path) -> Iterator[Syslog]:
    needs.fuse()
    for name in ("mnt", "volumes"):
        (disk / name).mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(waiting.DEADLINE_S)
        listening.bind(str(disk / "log"))
        try:
            yield Syslog(disk, listening)
        finally:
            tear_off(disk / "mnt")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise KatafsError('it is')", r"<26>katafs\[\d+\]: CRITICAL: ended by a fault error=\"it is\"$"),
        ("raise OSError(5, 'it is')", r"<26>katafs\[\d+\]: CRITICAL: ended by a fault error=\"\[Errno 5\] it is\"$"),
        ("1 / 0", r"<26>katafs\[\d+\]: CRITICAL: a bug in katafs\nTraceback .*\nZeroDivisionError: division by zero$"),
    ],
    ids=["fault", "system", "bug"],
)
def test_what_ends_it_is_in_syslog(syslog: Syslog, fault: str, said: str) -> None:
    syslog.mount(f"from katafs.errors import KatafsError; {fault}")

    syslog.wait_for(said)
    waiting.until(lambda: mount_at(syslog.path) is None, "the end of the mount")


def test_what_nobody_can_be_given_is_in_syslog(syslog: Syslog) -> None:
    syslog.mount("type('Odd', (), {'__del__': lambda _: 1 / 0})()")

    syslog.wait_for(r"<27>katafs\[\d+\]: ERROR: a bug in katafs object=.*\nTraceback .*ZeroDivisionError")


def test_what_ends_a_thread_of_it_is_in_syslog(syslog: Syslog) -> None:
    syslog.mount("import threading; threading.Thread(target=lambda: 1 / 0, name='some-thread').start()")

    syslog.wait_for(r"<26>katafs\[\d+\]: CRITICAL: a bug in katafs of=some-thread\nTraceback .*ZeroDivisionError")
