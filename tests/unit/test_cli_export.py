"""`katafs export`: what it takes, prints and ends with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from katafs.cli.main import katafs
from katafs.storers.plain import PlainStorer
from katafs.volumes.directories import DirectoryStore
from tests.harness import needs
from tests.harness.mounted import PROGRAM
from tests.harness.programs import NOBODY, run

KATA = "123456789A"
OTHER = "FEDCBA9876"


@pytest.fixture
def volumes(disk: Path) -> Path:
    """Two katas; in one of them a lion that is kept without git."""
    path = disk / "volumes"
    path.mkdir()  # an operator's own, where others may come
    with closing(DirectoryStore(path)) as store:
        storer = PlainStorer(store)
        for kata in (KATA, OTHER):
            storer.create_kata({"id": kata, "visible_files": {"hiker.c": "int x;\n"}})
        storer.start_avatar(KATA, ["lion"])
    return path


def export(volumes: Path, *arguments: str | Path) -> Result:
    """What the command did, exporting to `out` beside the volumes."""
    words = [*map(str, arguments), "--to", str(volumes.parent / "out"), "--volumes", f"dir:{volumes}"]
    return CliRunner().invoke(katafs, ["export", *words])


def test_an_export_prints_where_it_is(volumes: Path) -> None:
    result = export(volumes, KATA)

    path = volumes.parent / "out/12/3456789A"
    assert (result.stdout, result.stderr, result.exit_code) == (f"{path}\n", "", 0)
    assert sorted(os.listdir(path / "lion")) == [".git", "increments.json", "manifest.json", "sandbox"]


def test_the_form_without_git(volumes: Path) -> None:
    assert export(volumes, KATA, "--format", "tags").exit_code == 0
    assert sorted(os.listdir(volumes.parent / "out/12/3456789A/lion")) == ["increments.json", "sandbox", "tags"]


@pytest.mark.parametrize("option", ["--to", "--mount"])
def test_an_empty_path_is_not_the_working_directory(
    volumes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(katafs, ["export", KATA, "--to", "out", "--volumes", f"dir:{volumes}", option, ""])

    assert (result.exit_code, os.listdir(tmp_path)) == (2, [])
    assert result.stderr.endswith(f"Error: Invalid value for '{option}': '' is no path\n")


def test_an_archive(volumes: Path) -> None:
    result = export(volumes, KATA, "--format", "tgz")

    assert result.stdout == f"{volumes.parent}/out/{KATA}.tgz\n"
    assert os.listdir(volumes.parent / "out") == [f"{KATA}.tgz"]


@pytest.mark.parametrize("wanted", [[KATA, OTHER], ["--all"]])
def test_several_katas_are_exported(volumes: Path, wanted: list[str]) -> None:
    result = export(volumes, *wanted)

    out = volumes.parent / "out"
    assert (result.stdout, result.exit_code) == (f"{out}/12/3456789A\n{out}/FE/DCBA9876\n", 0)


def test_a_kata_that_fails_is_one_line_and_the_others_are_exported(volumes: Path) -> None:
    result = export(volumes, "0000000000", OTHER)

    assert result.stderr == f"katafs: kata 0000000000 is not in dir:{volumes}\n"
    assert (result.stdout, result.exit_code) == (f"{volumes.parent}/out/FE/DCBA9876\n", 1)


def test_what_is_there_already_is_one_line(volumes: Path) -> None:
    export(volumes, KATA)
    result = export(volumes, KATA)

    wanted = f"katafs: kata {KATA} can't be exported: {volumes.parent}/out/12/3456789A exists already\n"
    assert (result.stdout, result.stderr, result.exit_code) == ("", wanted, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [KATA, "--all"],
        ["fedcba9876"],
        ["lion"],
        ["../FEDCBA9876"],
        [KATA, "--format", "zip"],
        [KATA, "--mount", "/"],
    ],
    ids=" ".join,
)
def test_wrong_usage(volumes: Path, arguments: list[str]) -> None:
    result = export(volumes, *arguments)

    assert (result.stdout, result.exit_code) == ("", 2)
    assert not (volumes.parent / "out").exists()


@pytest.fixture
def everybodys(disk: Path) -> Iterator[Path]:
    """A directory that everybody may write to, and a store of eight katas in it, of which the last is nobody's own."""
    needs.root()
    disk.chmod(0o777)
    katas = [f"{number}00000000A" for number in range(8)]
    (disk / "volumes").mkdir()
    with closing(DirectoryStore(disk / "volumes")) as store:
        for kata in katas:
            PlainStorer(store).create_kata({"id": kata, "visible_files": {"hiker.c": "int x;\n"}})
    run(["chown", "-R", f"{NOBODY.uid}:{NOBODY.gid}", disk / "volumes" / katas[-1]])
    yield disk
    shutil.rmtree(disk / "out", ignore_errors=True)  # nobody's


@pytest.mark.parametrize("form", ["host-disk", "tags", "tgz"])
def test_that_others_files_need_root_is_said_once_and_the_users_own_are_exported(everybodys: Path, form: str) -> None:
    where = ["--to", f"{everybodys}/out", "--volumes", f"dir:{everybodys}/volumes"]
    result = run([*PROGRAM, "export", "--all", *where, "--format", form], user=NOBODY, status=1)

    assert result.stderr == (
        "katafs: export must be run as root: it keeps the owners of all files, and those of "
        "000000000A, 100000000A, 200000000A and 4 more aren't all this user's\n"
    )
    assert result.stdout == f"{everybodys}/out/{'700000000A.tgz' if form == 'tgz' else '70/0000000A'}\n"
    assert len(os.listdir(everybodys / "out")) == 1


def test_of_one_kata_too(everybodys: Path) -> None:
    where = ["--to", f"{everybodys}/out", "--volumes", f"dir:{everybodys}/volumes"]
    result = run([*PROGRAM, "export", "000000000A", *where], user=NOBODY, status=1)

    assert result.stderr.endswith("and those of 000000000A aren't all this user's\n")


@pytest.mark.parametrize(
    ("to", "said"),
    [("file", "Not a directory"), ("none/out", "No such file or directory"), ("closed", "Permission denied")],
)
def test_a_place_that_can_not_be_used_is_said_once(everybodys: Path, to: str, said: str) -> None:
    (everybodys / "file").touch()
    (everybodys / "closed").mkdir(mode=0o755)
    where = ["--to", f"{everybodys}/{to}", "--volumes", f"dir:{everybodys}/volumes"]
    result = run([*PROGRAM, "export", "--all", *where], user=NOBODY, status=1)

    assert (result.stdout, result.stderr) == ("", f"katafs: --to {everybodys}/{to}: {said}\n")


def test_it_must_be_said_where_to(volumes: Path) -> None:
    assert CliRunner().invoke(katafs, ["export", KATA, "--volumes", f"dir:{volumes}"]).exit_code == 2


def test_a_store_that_is_gone_has_its_own_code(volumes: Path) -> None:
    result = export(volumes / "gone", KATA)

    assert (len(result.stderr.splitlines()), result.exit_code) == (1, 3)


def test_without_the_git_program_a_history_that_is_to_be_rebuilt_is_one_line(volumes: Path) -> None:
    where = ["--to", f"{volumes.parent}/out", "--volumes", f"dir:{volumes}"]
    command = [sys.executable, "-m", "katafs", "export", KATA, *where]

    ended = subprocess.run(command, env={"PATH": "/nonexistent"}, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "the program git is needed" in ended.stderr
    assert os.listdir(volumes.parent / "out") == []
