"""Completion in real shells, by the scripts that `katafs document` writes."""

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.mounted import PROGRAM
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run

PATH = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def share() -> Iterator[Path]:
    """Where `katafs document` wrote."""
    path = fresh_directory()
    run([*PROGRAM, "document", path / "share"])
    yield path / "share"
    remove_directory(path)


class Terminal:
    """An interactive shell at a terminal of its own."""

    def __init__(self, directory: Path, *argv: str) -> None:
        self._master, slave = pty.openpty()
        self._said = b""
        env = {**os.environ, **PATH, "TERM": "vt100", "PS1": "$ ", "HOME": str(directory)}
        self._shell = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, cwd=directory, env=env, start_new_session=True
        )
        os.close(slave)
        os.set_blocking(self._master, False)

    def type(self, keys: str, until: str) -> None:
        """Type, and wait until the terminal shows something."""
        self._said = b""
        os.write(self._master, keys.encode())
        waiting.until(lambda: until in self._read(), f"{until!r} on the terminal after {keys!r}")

    def _read(self) -> str:
        with contextlib.suppress(BlockingIOError):
            self._said += os.read(self._master, 65536)
        return self._said.decode(errors="replace")

    def end(self) -> None:
        """End the shell, which has nothing to lose."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._master)


@pytest.fixture
def bash(disk: Path, share: Path) -> Iterator[Terminal]:
    """A bash that has read the script."""
    (disk / "here").mkdir()
    (disk / "herring").write_text("")
    bash = Terminal(disk, "bash", "--norc", "--noprofile", "-i")
    bash.type(f"source {share}/bash-completion/completions/katafs; echo sour''ced\n", "sourced")
    yield bash
    bash.end()


@pytest.fixture
def zsh(disk: Path, share: Path) -> Iterator[Terminal]:
    """A zsh that finds the script by itself."""
    needs.programs("zsh")
    zsh = Terminal(disk, "zsh", "-f", "-i")
    zsh.type(f"fpath=({share}/zsh/site-functions $fpath); autoload -U compinit; compinit -u; echo rea''dy\n", "ready")
    yield zsh
    zsh.end()


def test_bash_completes_a_command(bash: Terminal) -> None:
    bash.type("katafs wher\t--help\n", "Usage: katafs where")


def test_bash_completes_an_option(bash: Terminal) -> None:
    bash.type("katafs ls --vol\tdir:/nonexistent/volumes\n", "the directory of volumes /nonexistent/volumes")


def test_bash_completes_an_options_value(bash: Terminal) -> None:
    bash.type("katafs mount --layout sp\t--help\n", "katafs mount --layout split --help")


def test_bash_completes_a_mount_point_with_directories_alone(bash: Terminal) -> None:
    bash.type("katafs umount he\t\n", "katafs umount here")


def test_fish_completes_commands_and_options(share: Path) -> None:
    needs.programs("fish")
    script = share / "fish/vendor_completions.d/katafs.fish"

    shown = [
        run(["fish", "--no-config", "-c", f"source {script}; complete -C {line!r}"], env=PATH).stdout.split("\n")
        for line in ("katafs wher", "katafs ls --vol")
    ]

    assert [[line.split("\t")[0] for line in lines if line] for lines in shown] == [["where"], ["--volumes"]]


@pytest.mark.parametrize(
    ("keys", "until"),
    [
        ("katafs wher\t--help\n", "Usage: katafs where"),
        ("katafs ls --vol\tdir:/nonexistent/volumes\n", "the directory of volumes /nonexistent/volumes"),
    ],
    ids=["command", "option"],
)
def test_zsh_completes_commands_and_options(keys: str, until: str, zsh: Terminal) -> None:
    zsh.type(keys, until)
