"""`katafs lights` on katas kept with git and without, and on what old or broken ones look like."""

import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from katafs.cli.main import katafs
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Storer
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.store import VolumeStore
from tests.harness import needs

KATA = "123456789A"
OTHER = "FEDCBA9876"
RUNS = [("red", [2016, 8, 29, 10, 0, 0]), ("amber", [2016, 8, 29, 10, 5, 0]), ("green", [2016, 8, 29, 11, 30, 9])]
ROW = f"{KATA}\tlion\t2016-08-29 10:00:00\t2016-08-29 11:30:09\tred=1 amber=1 green=1\tRAG"

STORERS = pytest.mark.parametrize("make", [PlainStorer, GitStorer], ids=["plain", "git"])


def lights(volumes: Path, *arguments: str, colours: bool = False) -> Result:
    """What the command did; a terminal is what rich takes for one."""
    env = {"FORCE_COLOR": "1" if colours else None, "NO_COLOR": None, "TERM": "xterm"}
    return CliRunner().invoke(katafs, ["lights", *arguments, "--volumes", f"dir:{volumes}"], env=env)


def store(volumes: Path, make: Callable[[VolumeStore], Storer] = PlainStorer) -> Path:
    """Store a kata, in which a lion ran its tests three times; the avatar's directory."""
    if make is GitStorer:
        needs.programs("git")
    with closing(DirectoryStore(volumes)) as opened:
        storer = make(opened)
        storer.create_kata({"id": KATA, "visible_files": {"hiker.c": "int x;\n"}})
        storer.start_avatar(KATA, ["lion"])
        for colour, time in RUNS:
            storer.avatar_ran_tests(KATA, "lion", {"hiker.c": "int x;\n"}, time, f"{colour}\n", colour)
    return volumes / KATA / "lion"


@pytest.fixture
def lion(disk: Path) -> Path:
    """An avatar that is kept without git."""
    return store(disk)


@pytest.fixture
def git_lion(disk: Path) -> Path:
    """An avatar that is kept with git."""
    return store(disk, GitStorer)


def write(lion: Path, increments: Any) -> None:  # noqa: ANN401 whatever may be in such a file
    (lion / "increments.json").write_text(json.dumps(increments))


@STORERS
def test_an_avatar_is_a_row(disk: Path, make: Callable[[VolumeStore], Storer]) -> None:
    store(disk, make)

    result = lights(disk, KATA)

    assert (result.stdout, result.stderr, result.exit_code) == (f"{ROW}\n", "", 0)


@STORERS
def test_json_has_every_light(disk: Path, make: Callable[[VolumeStore], Storer]) -> None:
    store(disk, make)

    assert json.loads(lights(disk, "--json").stdout) == [
        {
            "kata": KATA,
            "avatar": "lion",
            "first": RUNS[0][1],
            "last": RUNS[2][1],
            "counts": {"red": 1, "amber": 1, "green": 1},
            "lights": [{"number": n, "colour": colour, "time": time} for n, (colour, time) in enumerate(RUNS, 1)],
            "problems": [],
        }
    ]


def test_every_kata_is_shown_in_order(disk: Path, lion: Path) -> None:
    shutil.copytree(disk / KATA, disk / OTHER)
    shutil.copytree(lion, disk / KATA / "bat")

    shown = [line.split("\t")[:2] for line in lights(disk).stdout.splitlines()]

    assert shown == [[KATA, "bat"], [KATA, "lion"], [OTHER, "lion"]]


def test_json_of_nothing_is_an_empty_list(disk: Path) -> None:
    assert json.loads(lights(disk, "--json").stdout) == []


def test_json_of_several_avatars_is_one_document(disk: Path, lion: Path) -> None:
    shutil.copytree(lion, disk / KATA / "bat")

    assert [row["avatar"] for row in json.loads(lights(disk, "--json").stdout)] == ["bat", "lion"]


def test_a_terminal_has_a_coloured_light_for_each_tag(disk: Path, lion: Path) -> None:
    shown = lights(disk, KATA, colours=True).stdout

    assert shown.endswith("\x1b[31m●\x1b[0m\x1b[33m●\x1b[0m\x1b[32m●\x1b[0m\n")
    assert "lion" in shown


@pytest.mark.parametrize(
    ("setting", "charset"),
    [({"NO_COLOR": "1"}, "utf-8"), ({"TERM": "dumb"}, "utf-8"), ({}, "ascii")],
    ids=["no colours wanted", "no colours there", "no such character"],
)
def test_a_terminal_that_cannot_show_coloured_lights_has_letters(
    disk: Path, lion: Path, setting: dict[str, str], charset: str
) -> None:
    env = {"FORCE_COLOR": "1", "NO_COLOR": None, "TERM": "xterm", **setting}

    result = CliRunner(charset=charset).invoke(katafs, ["lights", "--volumes", f"dir:{disk}"], env=env)

    assert re.sub(r"\x1b\[\d+m", "", result.stdout).endswith(" 1 red 1 amber 1 green  RAG\n")
    assert result.exit_code == 0


def test_lights_that_time_out_have_a_letter(disk: Path, lion: Path) -> None:
    write(lion, [{"colour": "timed_out", "time": RUNS[0][1], "number": n} for n in (1, 2, 3)])

    assert lights(disk).stdout.split("\t")[4:] == ["timed_out=3", "TTT\n"]


def test_a_colour_of_2012_is_an_outcome(disk: Path, git_lion: Path) -> None:
    write(git_lion, [{"outcome": colour, "time": time, "number": n} for n, (colour, time) in enumerate(RUNS, 1)])

    assert lights(disk).stdout == f"{ROW}\n"


@pytest.mark.parametrize("time", [None, [2016], [2016, 13, 1, 0, 0, 0], [10**30, 1, 1, 0, 0, 0], "now"], ids=repr)
def test_a_time_that_is_none_shows_no_time(disk: Path, git_lion: Path, time: object) -> None:
    write(git_lion, [{"colour": colour, "time": time, "number": n} for n, (colour, _) in enumerate(RUNS, 1)])

    result = lights(disk)

    assert result.stdout == f"{KATA}\tlion\t-\t-\tred=1 amber=1 green=1\tRAG\n"
    assert result.exit_code == 0


@pytest.mark.parametrize("colour", ["\x1b[2J", "red\ngreen", 3, "", "x" * 99, None], ids=repr)
def test_a_colour_that_is_no_word_is_unknown(disk: Path, git_lion: Path, colour: object) -> None:
    write(git_lion, [{"colour": colour, "time": None, "number": 1}])

    assert lights(disk).stdout == f"{KATA}\tlion\t-\t-\tunknown=3\t???\n"


def test_a_test_run_that_was_never_tagged_is_no_light(disk: Path, git_lion: Path) -> None:
    entries = json.loads((git_lion / "increments.json").read_text())
    write(git_lion, [*entries, {"colour": "red", "time": RUNS[0][1], "number": 4}])

    assert lights(disk).stdout == f"{ROW}\n"


def test_a_light_that_a_kill_kept_from_the_increments_is_shown(disk: Path, lion: Path) -> None:
    write(lion, json.loads((lion / "increments.json").read_text())[:2])

    assert lights(disk).stdout == f"{ROW}\n"


def test_an_avatar_with_nothing_but_increments_has_its_lights(disk: Path, lion: Path) -> None:
    shutil.rmtree(lion / "tags")

    assert lights(disk).stdout == f"{ROW}\n"


def test_missing_increments_are_one_line_beside_the_tags(disk: Path, git_lion: Path) -> None:
    (git_lion / "increments.json").unlink()

    result = lights(disk)

    assert result.stdout == f"{KATA}\tlion\t-\t-\tunknown=3\t???\n"
    assert result.stderr == f"katafs: avatar lion of kata {KATA}: increments.json isn't there\n"
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "content", ["[{", '{"colour":"red"}', "[1]", "[" * 100_000], ids=["cut", "object", "1", "deep"]
)
def test_broken_increments_are_one_line(disk: Path, git_lion: Path, content: str) -> None:
    (git_lion / "increments.json").write_text(content)

    result = lights(disk)

    assert "increments.json" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (result.stdout.split("\t")[5], result.exit_code) == ("???\n", 1)


def test_broken_increments_keep_no_other_avatar_from_being_shown(disk: Path, lion: Path) -> None:
    shutil.copytree(lion, disk / KATA / "bat")
    (disk / KATA / "bat" / "increments.json").write_text("[{")

    assert f"{ROW}\n" in lights(disk).stdout


@pytest.mark.parametrize("name", ["increments.json", "tags", ".git"])
def test_a_link_is_not_followed(disk: Path, lion: Path, name: str) -> None:
    secret = disk.parent / f"{disk.name}-secret"
    shutil.copytree(lion, secret)
    try:
        shutil.rmtree(lion)
        lion.mkdir()
        (lion / name).symlink_to(secret / name)

        assert "RAG" not in lights(disk).stdout
    finally:
        shutil.rmtree(secret)


@pytest.mark.parametrize("name", ["increments.json", "tags", ".git"])
def test_a_fifo_is_not_waited_for(disk: Path, lion: Path, name: str) -> None:
    shutil.rmtree(lion)
    lion.mkdir()
    os.mkfifo(lion / name)

    assert lights(disk).exit_code == 1


def test_a_kata_that_has_only_an_avatars_volume_is_one_line(disk: Path) -> None:
    (disk / f"{KATA}_lion").mkdir()

    result = lights(disk)

    assert KATA in result.stderr
    assert (len(result.stderr.splitlines()), result.exit_code) == (1, 1)


def test_a_kata_that_is_not_there_is_one_line(disk: Path) -> None:
    result = lights(disk, KATA)

    assert result.stderr == f"katafs: kata {KATA} is not in dir:{disk}\n"
    assert (result.stdout, result.exit_code) == ("", 1)


@pytest.mark.parametrize("kata", ["fedcba9876", "FEDCBA987", "lion", "../FEDCBA9876"])
def test_what_is_no_id_is_wrong_usage(disk: Path, kata: str) -> None:
    result = lights(disk, kata)

    assert (result.stdout, result.exit_code) == ("", 2)
    assert kata in result.stderr


def test_a_mount_is_instead_of_a_store(disk: Path) -> None:
    assert lights(disk, "--mount", str(disk)).exit_code == 2
