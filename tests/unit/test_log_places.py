"""Where a log goes: stderr with a form for every command, and syslog for a daemon that has let go of its terminal."""

import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.observe import logs
from tests.harness.programs import in_child

PROGRAM = """
import logging
from katafs.observe import logs
logs.{set_up}
logging.getLogger("katafs.test").warning("lost the engine", extra={{"error": "no answer"}})
logging.getLogger("katafs.test").info("answers again")
"""
IN_JOURNAL = ["sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"', "sh", sys.executable, "-c"]
LOST = 'katafs: WARNING: lost the engine error="no answer"\n'


def said_on_stderr(set_up: str) -> str:
    argv = [sys.executable, "-c", PROGRAM.format(set_up=set_up)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stderr


def test_a_command_without_a_log_of_its_own_says_its_warnings() -> None:
    assert said_on_stderr("shape_warnings()") == LOST


def test_a_daemon_says_more() -> None:
    assert said_on_stderr("log_to_stderr(logging.INFO)") == LOST + "katafs: INFO: answers again\n"


def test_the_journal_is_told_the_level_of_a_commands_warnings() -> None:
    argv = [*IN_JOURNAL, PROGRAM.format(set_up="shape_warnings()")]

    assert subprocess.run(argv, capture_output=True, text=True, check=True).stderr == f"<4>{LOST}"


@pytest.mark.parametrize(
    ("program", "arguments", "status"),
    [("main import katafs", ["convert", "--sideways"], 2), ("mount_helper import main as katafs", ["docker"], 1)],
    ids=["command", "fstab"],
)
def test_the_journal_is_told_that_wrong_usage_is_an_error(program: str, arguments: list[str], status: int) -> None:
    argv = [*IN_JOURNAL, f"from katafs.cli.{program}; katafs()", *arguments]

    finished = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert finished.returncode == status
    assert {line[:3] for line in finished.stderr.splitlines()} == {"<3>"}


@pytest.fixture
def syslog(disk: Path) -> Iterator[socket.socket]:
    """The socket that syslog would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(30)
        listening.bind(str(disk / "log"))
        yield listening


def let_go(path: Path) -> list[str]:
    """Log as a daemon does; what its standard streams are afterwards."""
    logs._SYSLOG = str(path)  # noqa: SLF001  the machine's own isn't the tests'
    logs.log_to_syslog()
    logging.getLogger("katafs.test").warning("failed", extra={"operation": "lookup"})
    return [os.readlink(f"/proc/self/fd/{stream}") for stream in range(3)]


def test_a_detached_daemon_logs_to_syslog_with_its_id_and_level(syslog: socket.socket, disk: Path) -> None:
    streams = in_child(let_go, disk / "log")

    said = syslog.recv(4096).rstrip(b"\0").decode()
    # The facility is daemon, 3, and the level warning, 4 (syslog(3)).
    assert re.fullmatch(r"<28>katafs\[\d+\]: WARNING: failed operation=lookup", said)
    assert streams == ["/dev/null"] * 3


def test_without_a_syslog_it_is_silent(disk: Path) -> None:
    assert in_child(let_go, disk / "none") == ["/dev/null"] * 3
