"""Commands that say a name which a container chose say it in one line, and move no terminal's cursor by it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from katafs.cli.main import katafs
from tests.harness import needs
from tests.harness.avatars import good_avatar
from tests.harness.git_objects import loose_path

KATA = "123456789A"
NAME = "\x1b]0;title\x07\x1b[31m\nkatafs: forged"


@pytest.fixture
def odd(disk: Path) -> Path:
    """A kata, in a store and on an old disk, with an avatar that git keeps; tag 1 is damaged, a strange name in it."""
    needs.programs("git")
    avatar = disk / "volumes" / KATA / "lion"
    good_avatar(avatar)
    sha = (avatar / ".git/refs/tags/1").read_text().strip()
    loose_path(avatar / ".git", sha).unlink()
    os.mkfifo(avatar / ".git/objects/pack" / f"{NAME}.idx")
    shutil.copytree(disk / "volumes" / KATA, disk / "old" / KATA[:2] / KATA[2:], copy_function=os.link, symlinks=True)
    return avatar


def node(avatar: Path) -> None:
    needs.root()
    for path in (avatar, avatar.parents[2] / "old" / KATA[:2] / KATA[2:] / "lion"):
        os.mknod(path / NAME, 0o20666, os.makedev(1, 3))


def stray_tag(avatar: Path) -> None:
    shutil.rmtree(avatar / ".git")
    (avatar / "tags").mkdir()
    (avatar / "tags/0.json").write_text("{}")
    (avatar / "tags" / NAME).write_text("")


def nothing(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "command"),
    [
        (nothing, ["tag", KATA, "lion", "1"]),
        (nothing, ["export", KATA, "--format", "tags", "--to", "out"]),
        (node, ["export", KATA, "--to", "out"]),
        (stray_tag, ["export", KATA, "--to", "out"]),
        (node, ["convert", KATA, "--from", "old", "--dry-run"]),
    ],
)
def test_a_name_is_said_in_one_line(
    odd: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], command: list[str]
) -> None:
    make(odd)
    monkeypatch.chdir(odd.parents[2])

    said = CliRunner().invoke(katafs, [*command, "--volumes", f"dir:{odd.parents[1]}"])

    assert said.exit_code == 1
    lines = said.output.splitlines()
    assert any("forged" in line for line in lines), said.output
    assert all(line.isprintable() and not line.startswith("katafs: forged") for line in lines), said.output
