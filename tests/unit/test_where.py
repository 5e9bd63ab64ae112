"""`katafs where` prints a command for a shell, of names that containers choose."""

import errno
import os
import subprocess

import pytest
from click.testing import CliRunner

from katafs.cli import where
from katafs.cli.main import katafs


@pytest.mark.parametrize("folder", ["lion", "a;touch x", "$(reboot)", "it's", "\x1b[2J", "new\nline", "\udcff"])
def test_the_command_names_the_directory_as_one_word(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    place = {"volume": "123456789A", "path": f"{folder}/f", "location": "type=volume,source=123456789A"}
    monkeypatch.setattr(where, "_place_of", lambda path: place)
    said = CliRunner().invoke(where.where, ["f"], catch_exceptions=False).output
    words = said.rpartition("docker  docker run")[2].rstrip("\n")
    echoed = subprocess.run(["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True).stdout

    assert echoed.split(b"\0")[-3] == b"/kata/" + os.fsencode(folder)
    assert said.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENODATA, "is not kept in a volume that katafs has mounted (No data available)"),
        (errno.ENOTSUP, "is not kept in a volume that katafs has mounted (Operation not supported)"),
        (errno.EIO, "Input/output error"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_where_says_why_a_place_has_no_answer(monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def refused(path: str, name: str) -> bytes:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "getxattr", refused)

    result = CliRunner().invoke(katafs, ["where", "/katas/x"])

    assert (result.stderr, result.exit_code) == (f"katafs: /katas/x: {said}\n", 1)
