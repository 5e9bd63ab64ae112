"""`katafs convert --format tags`: from the disk and in volumes."""

import os
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from katafs.cli.main import katafs
from katafs.namespace import Layout
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.tree_store import TreeStore
from tests.harness import needs

KATA = "123456789A"
FILES = {"cyber-dojo.sh": "make test"}


@pytest.fixture
def old(disk: Path) -> Path:
    """A server's disk, with a kata whose lion git keeps; and beside it no volumes yet."""
    needs.root()
    path = disk / "old"
    path.mkdir()
    (disk / "volumes").mkdir()
    with closing(TreeStore(path, Layout.SPLIT)) as server:
        storer = GitStorer(server)
        storer.create_kata({"id": KATA, "visible_files": FILES})
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", FILES, (2016, 8, 29, 10, 0, 0), "1 failed", "red")
    return path


def convert(old: Path, *arguments: str) -> Result:
    """What the command did."""
    return CliRunner().invoke(katafs, ["convert", *arguments, "--volumes", f"dir:{old.parent}/volumes"])


def lion(old: Path) -> set[str]:
    """What the avatar's directory in the volume has."""
    return set(os.listdir(old.parent / "volumes" / KATA / "lion"))


def colours(old: Path) -> list[str | None]:
    """The colours of the avatar's tags, as the storer without git has them."""
    with closing(DirectoryStore(old.parent / "volumes")) as store:
        return [tag["colour"] for tag in PlainStorer(store).tags(KATA, "lion")]


def test_a_kata_from_the_disk_has_both_forms(old: Path) -> None:
    result = convert(old, KATA, "--from", str(old), "--format", "tags")

    assert (result.exit_code, result.stdout.split(";")[0]) == (0, "moved 1")
    assert lion(old) >= {".git", "tags"}
    assert colours(old) == [None, "red"]


def test_git_goes_where_that_is_asked_for(old: Path) -> None:
    assert convert(old, "--all", "--from", str(old), "--format", "tags", "--drop-git").exit_code == 0
    assert ".git" not in lion(old)
    assert colours(old) == [None, "red"]


def test_a_kata_in_a_volume_needs_no_disk(old: Path) -> None:
    convert(old, KATA, "--from", str(old))

    outcomes = [convert(old, selection, "--format", "tags").stdout.split(";")[0] for selection in ("--all", KATA)]

    assert outcomes == ["stored 1", "already 1"]
    assert colours(old) == [None, "red"]


def test_an_avatar_whose_git_is_damaged_is_refused_and_its_kata_is_in_the_volume(old: Path) -> None:
    (old / "12/3456789A/lion/.git/refs/tags/1").write_text("0" * 39 + "1\n")

    result = convert(old, KATA, "--from", str(old), "--format", "tags", "--drop-git")

    assert (result.exit_code, result.stdout.split(";")[0]) == (1, "refused 1")
    assert result.stderr.startswith(f"{KATA}: refused: lion: ")
    assert lion(old) >= {".git"}
    assert "tags" not in lion(old)


def test_a_kata_that_is_in_no_volume_is_said_to_be_missing(old: Path) -> None:
    result = convert(old, KATA, "--format", "tags")

    assert (result.exit_code, result.stderr) == (1, f"{KATA}: missing: is in no volume\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([KATA, "--drop-git", "--from", "/"], "only with --format tags"),
        ([KATA, "--format", "tags", "--keep"], "not with --dry-run or --keep"),
        ([KATA], "where are the katas?"),
        (["--from", "/"], "name katas by ID"),
        ([KATA, "--all", "--from", "/"], "name katas by ID"),
        (["--outer", "1", "--from", "/"], "is not two characters"),
        (["--all", "--from", ""], "'' is no path"),
        (["--all", "--from", "/", "--report", ""], "'' is no path"),
    ],
)
def test_wrong_usage_is_said(old: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.chdir(old)  # nobody's, if an empty path should be taken for the working directory

    result = convert(old, *arguments)

    assert result.exit_code == 2
    assert says in result.stderr
