"""The command line: help, exit codes, and what each command prints."""

import re
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from katafs import __version__
from tests.harness import needs
from tests.harness.mounted import PROGRAM, Mounted
from tests.harness.mounts import Mounts
from tests.harness.other_mounts import bound
from tests.harness.programs import Finished, as_user, run

KATA = "123456789A"

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}

WITH_DEFAULT = """
import sys
from pathlib import Path
from katafs.cli import main, stores
stores.DEFAULT_DIRECTORY = Path(sys.argv.pop(1))
stores._SIGNS_OF_AN_ENGINE = ()
main.katafs()
"""
"""Runs katafs where there is no engine, with another default directory than the machine's own, which the tests leave
alone."""


def _katafs(*arguments: str | Path, status: int = 0) -> Finished:
    return run([*PROGRAM, *arguments], status=status, env=NO_ENGINE)


@pytest.fixture
def katas(mount: Mounts) -> Path:
    """A mount with two katas, of which one has two avatars."""
    path = mount().path
    (path / KATA / "lion" / "sandbox").mkdir(parents=True)
    (path / KATA / "panda").mkdir()
    (path / KATA / "lion" / "sandbox" / "hiker.c").write_text("int main;")
    (path / "FEDCBA9876").mkdir()
    return path


@pytest.mark.parametrize("command", ["", "mount", "umount", "ls", "where", "doctor"])
def test_help_has_the_exit_codes_and_examples(command: str) -> None:
    text = _katafs(*command.split(), "--help").stdout

    codes = re.findall(r"^ +(\d)  \w", text, re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "4"]
    assert re.search(r"Examples?:\n +katafs ", text)


def test_the_version_is_the_packages() -> None:
    assert _katafs("--version").stdout.split()[-1] == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        ["mount"],
        ["mount", "/nowhere", "--layout", "round"],
        ["mount", "/nowhere", "--sandboxes", "none"],
        ["mount", "/nowhere", "--volumes", "ftp:there"],
        ["mount", "/nowhere", "--volumes", "dir:"],
        ["mount", "/nowhere", "--prefix", "../outside/"],
        ["mount", "/nowhere", "-o", "sideways"],
        ["mount", "/nowhere", "-o", "timeout=soon"],
        ["mount", "/nowhere", "-o", "timeout=-1"],
        ["umount"],
        ["ls", "not-an-id"],
        ["where"],
        ["frobnicate"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert _katafs(*arguments, status=2).stdout == ""


@pytest.mark.parametrize("volumes", ["dir:/nonexistent/volumes", "docker"])
@pytest.mark.parametrize("command", [["ls"], ["mount", "/nowhere"]], ids=["ls", "mount"])
def test_a_store_that_is_unreachable_is_3_and_one_line(command: list[str], volumes: str) -> None:
    stderr = _katafs(*command, "--volumes", volumes, status=3).stderr

    assert "/nonexistent/" in stderr
    assert len([line for line in stderr.splitlines() if not line.startswith("katafs: INFO:")]) == 1


def test_a_store_in_which_no_root_volume_can_be_made_is_one_line(mount: Mounts, disk: Path) -> None:
    needs.root()
    (disk / "volumes").mkdir()
    with bound(disk / "volumes", disk / "volumes", "ro"):
        refused = mount(ready=False)
        refused.ended(status=3)
        mount("--read-only").stop()

    (line,) = [line for line in refused.log().splitlines() if not line.startswith("katafs: INFO:")]
    store = f"dir:{disk}/volumes"
    assert line == f"katafs: the root volume katafs_root can't be made in {store}: Read-only file system"


def test_output_that_cannot_be_written_is_one_line(katas: Path, disk: Path) -> None:
    for arguments in (["ls", "--volumes", f"dir:{disk}/volumes"], ["where", katas / KATA], ["--version"], ["--help"]):
        refused = run(["sh", "-c", 'exec "$@" >/dev/full', "sh", *PROGRAM, *arguments], status=1, env=NO_ENGINE)

        assert refused.stderr == "katafs: No space left on device\n"


@pytest.mark.parametrize(
    "words",
    ["ls", f"ls {KATA}", "lights FEDCBA9876", "lights FEDCBA9876 --json", "status {mnt}", "status {mnt} --json",
     "where {mnt}/FEDCBA9876", "config show", "export --all --to {mnt}/../out", "--version", "--help"],
)  # fmt: skip
@pytest.mark.parametrize("closed", [">&-", "0<&- >&- 2>&-"])
def test_closed_output_is_no_fault(katas: Path, disk: Path, words: str, closed: str) -> None:
    arguments = words.format(mnt=katas).split()
    env = {**NO_ENGINE, "KATAFS_VOLUMES": f"dir:{disk}/volumes"}

    assert run(["sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *arguments], env=env).stderr == ""


def test_ls_names_a_kata_that_can_not_be_read_and_goes_on(katas: Path, disk: Path) -> None:
    needs.root()
    assert katas.is_dir()
    (disk / "volumes" / KATA).chmod(0o700)
    listed = run(
        [*PROGRAM, "ls", "--volumes", f"dir:{disk}/volumes"], status=1, env=NO_ENGINE, user=as_user(65534, 65534)
    )

    assert listed.stderr == f"katafs: kata {KATA}: Permission denied\n"
    assert listed.stdout.split() == ["FEDCBA9876"]


def test_ls_names_a_volume_that_is_refused_and_goes_on(katas: Path, disk: Path) -> None:
    assert katas.is_dir()
    (disk / "volumes" / "ABCDEF0000").write_text("no directory")
    listed = run([*PROGRAM, "ls", "--volumes", f"dir:{disk}/volumes"], status=1, env=NO_ENGINE)

    assert listed.stderr.startswith("katafs: volume ABCDEF0000 is refused: ")
    assert KATA in listed.stdout.split()
    assert "FEDCBA9876" in listed.stdout.split()


def test_the_first_line_logged_says_which_store(mount: Mounts, disk: Path) -> None:
    assert mount().log().splitlines()[0] == f"katafs: INFO: volumes store=dir:{disk}/volumes"


def test_the_default_store_without_an_engine_is_a_directory(disk: Path) -> None:
    needs.fuse()
    (disk / "mnt").mkdir()
    program = (sys.executable, "-c", WITH_DEFAULT, str(disk / "default"))
    mounted = Mounted(disk / "mnt", [], disk / "log", {"DOCKER_HOST": ""}, program)
    try:
        mounted.wait_until_ready()
        assert f"katafs: INFO: volumes store=dir:{disk}/default" in mounted.log().splitlines()
    finally:
        failure = mounted.finish()
    assert failure is None


@pytest.mark.parametrize("engine", ["", NO_ENGINE["DOCKER_HOST"]], ids=["none", "down"])
def test_what_needs_katas_makes_no_default_store(disk: Path, engine: str) -> None:
    """Where an engine is only down, katas would be converted into a directory that no mount of the engine shows."""
    (disk / "old" / "12" / "3456789A").mkdir(parents=True)
    convert = ["convert", "--all", "--from", disk / "old"]
    for command in (["ls"], ["lights"], ["export", "--all", "--to", disk / "to"], convert):
        program = [sys.executable, "-c", WITH_DEFAULT, disk / "default", *command]
        refused = run(program, status=3, env={"DOCKER_HOST": engine})
        said = (
            "(it is asked because of DOCKER_HOST; --volumes names another store)"
            if engine
            else f"{disk}/default does not exist"
        )
        assert said in refused.stderr
    assert not (disk / "default").exists()
    assert (disk / "old" / "12" / "3456789A").is_dir()


def test_an_engine_of_which_only_the_data_is_there_is_asked_and_it_is_said_why(disk: Path) -> None:
    """A Docker that was removed may have left it, and one that is down has it, too."""
    data = disk / "docker"
    data.mkdir()
    signs = WITH_DEFAULT.replace("_SIGNS_OF_AN_ENGINE = ()", f"_SIGNS_OF_AN_ENGINE = ('{data}',)")
    no_socket = (
        "from katafs.volumes import docker_engine\ndocker_engine._DEFAULT_URL = 'unix:///nonexistent/docker.sock'"
    )
    refused = run([sys.executable, "-c", no_socket + signs, disk / "default", "ls"], status=3, env={"DOCKER_HOST": ""})
    assert f"(it is asked because of {data}; --volumes names another store)" in refused.stderr


def test_ls_shows_every_kata_with_its_avatars(katas: Path, disk: Path) -> None:
    shown = _katafs("ls", "--volumes", f"dir:{disk}/volumes").stdout

    assert [line.split() for line in shown.splitlines()] == [[KATA, "lion", "panda"], ["FEDCBA9876"]]
    assert katas.is_dir()


def test_ls_of_a_kata_shows_its_avatars_and_their_volumes(katas: Path, disk: Path) -> None:
    shown = _katafs("ls", KATA, "--volumes", f"dir:{disk}/volumes").stdout

    assert [line.split() for line in shown.splitlines()] == [["lion", KATA], ["panda", KATA]]
    assert katas.is_dir()


def test_ls_shows_no_avatar_whose_start_was_broken_off(katas: Path, disk: Path) -> None:
    """As a kill leaves one, with a volume of its own for the sandbox or without."""
    for avatar in ("bear", "wolf"):
        (katas / KATA / avatar).mkdir()
        (disk / "volumes" / KATA / avatar / ".katafs-starting").touch()
    (disk / "volumes" / f"{KATA}_wolf").mkdir()
    shown = _katafs("ls", KATA, "--volumes", f"dir:{disk}/volumes").stdout
    assert re.findall(r"^(\w+)", shown, re.MULTILINE) == ["lion", "panda"]


def test_ls_cuts_nothing_on_a_narrow_terminal(katas: Path, disk: Path) -> None:
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "12"}
    shown = run([*PROGRAM, "ls", KATA, "--volumes", f"dir:{disk}/volumes"], env={**NO_ENGINE, **terminal}).stdout

    assert katas.is_dir()
    assert "…" not in shown
    assert {"lion", "panda"} <= set(shown.split())


def test_ls_of_a_kata_that_is_not_there_fails(disk: Path) -> None:
    stderr = _katafs("ls", KATA, "--volumes", f"dir:{disk}", status=1).stderr

    assert KATA in stderr
    assert len(stderr.splitlines()) == 1


def test_where_says_volume_path_and_how_a_container_gets_there(katas: Path, disk: Path) -> None:
    shown = _katafs("where", katas / KATA / "lion" / "sandbox").stdout

    assert [line.split(maxsplit=1) for line in shown.splitlines()[:2]] == [["volume", KATA], ["path", "/lion/sandbox"]]
    mount = f"--mount type=bind,source={disk}/volumes/{KATA},target=/kata"
    assert re.search(rf"docker run .*{re.escape(mount)} .*/kata/lion/sandbox", shown)


def test_where_of_what_belongs_to_no_kata_is_the_root_volume(katas: Path) -> None:
    (katas / "readme.txt").write_text("x")

    shown = _katafs("where", katas / "readme.txt").stdout

    assert [line.split() for line in shown.splitlines()[:2]] == [["volume", "katafs_root"], ["path", "/readme.txt"]]


@pytest.mark.parametrize("name", ["elsewhere", "missing"])
def test_where_of_a_path_outside_fails_with_one_line(disk: Path, name: str) -> None:
    (disk / "elsewhere").write_text("x")

    stderr = _katafs("where", disk / name, status=1).stderr

    assert name in stderr
    assert len(stderr.splitlines()) == 1


SCRIPT = str(Path(sys.executable).with_name("katafs"))
"""PyPy itself can't be started there by `python -m`, which looks for modules in the working directory."""

STANDING = """
cd "$1"; echo there; read killed
umount -l "$2"
shift 2
exec "$@"
"""


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("--version", 0, ""),
        ("status {path}", 4, "nothing is mounted there"),
        ("export {id} --to copies --volumes dir:{store}", 1, "--to copies: No such file or directory"),
    ],
)
def test_who_stands_in_a_dead_mount_that_was_taken_away_is_told_as_elsewhere(
    mount: Mounts, disk: Path, words: str, status: int, told: str
) -> None:
    mounted = mount()
    kata = mounted.path / KATA
    kata.mkdir()
    command = words.format(path=mounted.path, id=KATA, store=disk / "volumes").split()
    argv = ["sh", "-ec", STANDING, "sh", str(kata), str(mounted.path), SCRIPT, *command]
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as standing:
        assert standing.stdout is not None
        assert standing.stdout.readline() == "there\n"
        mounted.kill()
        _, stderr = standing.communicate("killed\n", timeout=60)

    assert standing.returncode == status
    assert told in stderr
    assert len(stderr.splitlines()) <= 1


def test_where_on_a_dead_mount_says_that(mount: Mounts) -> None:
    mounted = mount()
    mounted.kill()

    stderr = _katafs("where", mounted.path, status=1).stderr

    assert stderr == f"katafs: {mounted.path}: Transport endpoint is not connected\n"
