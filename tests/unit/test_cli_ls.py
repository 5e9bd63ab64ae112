"""`katafs ls`: each of very many katas is shown at once, and what is wrong is said as by other commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from katafs.cli.main import katafs

FIRST, SECOND = "1111111111", "2222222222"
LOOKING = """
import sys
from katafs.cli import ls
from katafs.cli.main import katafs
avatars_of = ls._avatars_of

def looked_at(store, kata):
    if kata == sys.argv[-1]:
        sys.stdin.read()
    return avatars_of(store, kata)

ls._avatars_of = looked_at
katafs([*sys.argv[1:-1]])
"""


@pytest.mark.parametrize("terminal", ["", "1"], ids=["a pipe", "a terminal"])
def test_a_kata_is_shown_before_the_next_is_looked_at(disk: Path, terminal: str) -> None:
    for kata, avatar in ((FIRST, "lion"), (SECOND, "tiger")):
        (disk / kata / avatar).mkdir(parents=True)
    argv = [sys.executable, "-c", LOOKING, "ls", "--volumes", f"dir:{disk}", SECOND]
    header = ["kata\t\tavatars\n"] if terminal else []
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "FORCE_COLOR": terminal}
    ) as listing:
        assert listing.stdin
        assert listing.stdout
        assert [listing.stdout.readline() for _ in range(len(header) + 1)] == [*header, f"{FIRST}\tlion\n"]
        listing.stdin.close()
        assert listing.stdout.read() == f"{SECOND}\ttiger\n"
    assert listing.returncode == 0


@pytest.mark.parametrize("wanted", ["fedcba9876", "FEDCBA9876", ""], ids=["no id", "no kata", "nothing"])
def test_it_says_what_is_wrong_with_an_id_as_other_commands_do(disk: Path, wanted: str) -> None:
    def told(command: str) -> tuple[int, str]:
        ended = CliRunner().invoke(katafs, [command, wanted, "--volumes", f"dir:{disk}"])
        return ended.exit_code, ended.stderr.splitlines()[-1]

    assert told("ls") == told("lights")
