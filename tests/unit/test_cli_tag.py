"""`katafs tag` on katas kept with git and without."""

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from katafs.cli.main import katafs
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Storer
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.store import VolumeStore
from tests.harness import needs
from tests.harness.mounted import PROGRAM
from tests.harness.programs import run

KATA = "123456789A"
NOW = [2016, 8, 29, 10, 0, 0]
START = {"hiker.c": "one\ntwo\nthree\n", "makefile": "all:\n"}
CHANGED = {"hiker.c": "one\n2\nthree\n", "é.txt": "new\n"}


@pytest.fixture(params=[PlainStorer, GitStorer], ids=["plain", "git"])
def lion(request: pytest.FixtureRequest, disk: Path) -> Path:
    """An avatar with tags 0 and 1, kept without git and with it."""
    make: Callable[[VolumeStore], Storer] = request.param
    if make is GitStorer:
        needs.programs("git")
    with closing(DirectoryStore(disk)) as opened:
        storer = make(opened)
        storer.create_kata({"id": KATA, "visible_files": START})
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", CHANGED, NOW, "1 failed\n", "red")
    return disk / KATA / "lion"


def tag(lion: Path, *arguments: str, avatar: str = "lion", kata: str = KATA) -> Result:
    volumes = lion.parents[1]
    return CliRunner().invoke(katafs, ["tag", kata, avatar, *arguments, "--volumes", f"dir:{volumes}"])


def refused(result: Result) -> str:
    """The one line that says why."""
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_a_tag_is_printed_as_its_json(lion: Path) -> None:
    assert json.loads(tag(lion, "1").stdout) == {
        "number": 1,
        "colour": "red",
        "time": NOW,
        "visible_files": CHANGED,
        "output": "1 failed\n",
    }


def test_tag_0_is_the_start(lion: Path) -> None:
    shown = json.loads(tag(lion, "0").stdout)

    assert (shown["colour"], shown["time"], shown["visible_files"]) == (None, None, START)


def test_a_file_is_printed_as_it_was(lion: Path) -> None:
    assert tag(lion, "0", "--file", "hiker.c").stdout_bytes == START["hiker.c"].encode()


def test_a_files_name_may_be_any_text(lion: Path) -> None:
    assert tag(lion, "1", "--file", "é.txt").stdout == "new\n"


def test_the_output_is_printed_as_it_was(lion: Path) -> None:
    assert tag(lion, "1", "--output").stdout == "1 failed\n"


def test_a_diff_goes_from_one_tag_to_the_other(lion: Path) -> None:
    assert tag(lion, "0", "--diff", "1", "--file", "x").exit_code == 2
    assert tag(lion, "0", "--diff", "1").stdout.splitlines() == [
        *("diff hiker.c hiker.c", "--- hiker.c", "+++ hiker.c"),
        *("@@ -1,3 +1,3 @@", " one", "-two", "+2", " three"),
        *("diff makefile makefile", "--- makefile", "+++ /dev/null"),
        *("@@ -1,1 +0,0 @@", "-all:"),
        *("diff output output", "--- /dev/null", "+++ output"),
        *("@@ -0,0 +1,1 @@", "+1 failed"),
        *("diff é.txt é.txt", "--- /dev/null", "+++ é.txt"),
        *("@@ -0,0 +1,1 @@", "+new"),
    ]


def test_a_diff_of_a_tag_with_itself_is_empty(lion: Path) -> None:
    assert tag(lion, "1", "--diff", "1").stdout == ""


def test_a_tag_that_is_not_there_is_one_line(lion: Path) -> None:
    assert "tag 7 of avatar lion" in refused(tag(lion, "7"))
    assert "tag 8 of avatar lion" in refused(tag(lion, "1", "--diff", "8"))


def test_an_avatar_that_was_not_started_is_one_line(lion: Path) -> None:
    assert "avatar bat was not started" in refused(tag(lion, "0", avatar="bat"))


def test_a_kata_that_is_not_there_is_one_line(lion: Path) -> None:
    assert "FEDCBA9876 is not in" in refused(tag(lion, "0", kata="FEDCBA9876"))


def test_a_file_that_is_not_there_is_one_line(lion: Path) -> None:
    assert "has no makefile" in refused(tag(lion, "1", "--file", "makefile"))


def test_an_output_that_is_not_there_is_one_line(lion: Path) -> None:
    assert "has no output" in refused(tag(lion, "0", "--output"))


@pytest.mark.parametrize(
    "arguments",
    [["-1"], ["x"], [], ["1", "--diff", "x"], ["1", "--output", "--file", "hiker.c"], ["1", "--output", "--diff", "0"]],
    ids=" ".join,
)
def test_wrong_usage_is_2(lion: Path, arguments: list[str]) -> None:
    assert tag(lion, *arguments).exit_code == 2


@pytest.mark.parametrize(("kata", "avatar"), [("fedcba9876", "lion"), (KATA, "unicorn"), (KATA, "../lion")])
def test_what_is_no_id_or_no_avatar_is_wrong_usage(lion: Path, kata: str, avatar: str) -> None:
    assert tag(lion, "1", kata=kata, avatar=avatar).exit_code == 2


def test_missing_increments_keep_no_tag_from_being_shown(lion: Path) -> None:
    (lion / "increments.json").unlink()

    assert tag(lion, "1", "--output").stdout == "1 failed\n"


def _broken(lion: Path) -> None:
    if (lion / ".git").exists():
        for path in (lion / ".git" / "objects").glob("??/*"):
            path.chmod(0o644)
            path.write_bytes(b"damaged")
    else:
        (lion / "tags" / "1.json").write_text('{"number":1,')


def test_a_broken_tag_is_one_line(lion: Path) -> None:
    _broken(lion)

    assert "avatar lion of kata 123456789A" in refused(tag(lion, "1"))


def test_a_tag_that_is_a_link_is_not_followed(disk: Path) -> None:
    lion = disk / KATA / "lion"
    (lion / "tags").mkdir(parents=True)
    (disk / "secret").write_text('{"number":1,"visible_files":{},"output":"secret"}')
    (lion / "tags" / "1.json").symlink_to(disk / "secret")

    assert "secret" not in refused(tag(lion, "1"))


def test_bytes_that_are_not_utf_8_come_out_as_they_are(disk: Path) -> None:
    lion = disk / KATA / "lion"
    (lion / "tags").mkdir(parents=True)
    (lion / "tags" / "1.json").write_bytes(b'{"number":1,"visible_files":{"a":"\xe9\\u00e9\\ud800"},"output":"\xff"}')

    assert tag(lion, "1", "--output").stdout_bytes == b"\xff"
    assert tag(lion, "1").stdout_bytes == (lion / "tags" / "1.json").read_bytes()


@pytest.mark.parametrize("part", [[], ["--output"], ["--file", "hiker.c"], ["--diff", "0"]], ids=" ".join)
def test_a_closed_stdout_is_no_fault(lion: Path, part: list[str]) -> None:
    words = ["tag", KATA, "lion", "1", *part, "--volumes", f"dir:{lion.parents[1]}"]
    ended = run(["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *words])

    assert ended.stderr == ""


def test_a_patch_can_be_applied(disk: Path) -> None:
    needs.programs("git")
    old = "".join(f"line {number}\n" for number in range(60))
    new = old.replace("line 3\n", "").replace("line 20\n", "line 20\nmore\n").replace("line 26\n", "other\n")
    (disk / "patched").mkdir()
    (disk / "patched" / "a").write_text(old)
    with closing(DirectoryStore(disk)) as opened:
        storer = PlainStorer(opened)
        storer.create_kata({"id": KATA, "visible_files": {"a": old}})
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", {"a": new + "end\n", "b": "x\n"}, NOW, "", "red")

    patch = tag(disk / KATA / "lion", "0", "--diff", "1").stdout
    subprocess.run(["git", "apply", "-p0", "-"], input=patch, text=True, cwd=disk / "patched", check=True)

    assert patch.count("@@ -") == 4
    assert (disk / "patched" / "a").read_text() == new + "end\n"
    assert (disk / "patched" / "b").read_text() == "x\n"
    shutil.rmtree(disk / "patched")
