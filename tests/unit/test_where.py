"""`katafs where` prints a command for a shell, of names that containers choose."""

import os
import subprocess

import pytest
from click.testing import CliRunner

from katafs.cli import where


@pytest.mark.parametrize("folder", ["lion", "a;touch x", "$(reboot)", "it's", "\x1b[2J", "new\nline", "\udcff"])
def test_the_command_names_the_directory_as_one_word(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    place = {"volume": "123456789A", "path": f"{folder}/f", "location": "type=volume,source=123456789A"}
    monkeypatch.setattr(where, "_place_of", lambda path: place)
    said = CliRunner().invoke(where.where, ["f"], catch_exceptions=False).output
    words = said.rpartition("docker  docker run")[2].rstrip("\n")
    echoed = subprocess.run(["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True).stdout

    assert echoed.split(b"\0")[-3] == b"/kata/" + os.fsencode(folder)
    assert said.replace("\n", "").isprintable()
