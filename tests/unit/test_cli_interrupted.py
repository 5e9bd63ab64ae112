"""Ctrl-C: a command is ended by it, as a shell wants to see, without a word, and leaves nothing half done."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from katafs.storers.places import Places
from katafs.storers.plain import PlainStorer
from katafs.volumes.directories import DirectoryStore
from tests.harness.crashes import Forked

KATA = "123456789A"


def _interrupt_self(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("has_output", [True, False])
def test_an_export_ends_by_it_and_leaves_nothing(disk: Path, has_output: bool) -> None:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        Places.kata = _interrupt_self  # type: ignore[method-assign, assignment]
        if not has_output:
            sys.stdout = None  # as Python has it where it was closed

    (disk / "volumes").mkdir()
    with closing(DirectoryStore(disk / "volumes")) as store:
        PlainStorer(store).create_kata({"id": KATA, "visible_files": {"hiker.c": "int x;\n"}})
    words = ["export", KATA, "--to", str(disk / "out"), "--volumes", f"dir:{disk / 'volumes'}"]

    running = Forked(words, disk / "output", prepare=prepare)

    assert running.ended() == -signal.SIGINT
    assert running.output() == ""
    assert os.listdir(disk / "out") == []


def test_a_command_that_is_not_all_loaded_ends_by_it_without_a_word(disk: Path) -> None:
    (disk / "rich.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    env = {**os.environ, "PYTHONPATH": str(disk)}
    argv = [sys.executable, "-m", "katafs", "--version"]
    ended = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
