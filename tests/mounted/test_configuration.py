"""Settings from outside: `--config` and variables, as the commands that need them take them."""

import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from katafs.settings.settings import KNOWN
from katafs.storers.plain import PlainStorer
from katafs.volumes.directories import DirectoryStore
from tests.harness import needs
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts
from tests.harness.programs import run

KATA = "123456789A"


@pytest.fixture
def config(disk: Path) -> Path:
    path = disk / "katas.toml"
    path.write_text(f'layout = "split"\nprefix = "old-"\nmountpoint = "{disk}/mnt"\n')
    return path


def test_a_mount_goes_by_its_file_and_by_flags_over_it(mount: Mounts, disk: Path, config: Path) -> None:
    (disk / "volumes" / KATA).mkdir(parents=True)

    mounted = mount("--config", str(config), "--prefix", "", "-o", "ro", env={"KATAFS_PREFIX": "new-"})

    assert [path.name for path in mounted.path.iterdir()] == [KATA[:2]]


def test_a_mount_goes_by_variables(mount: Mounts, disk: Path) -> None:
    (disk / "volumes" / KATA).mkdir(parents=True)

    mounted = mount(env={"KATAFS_LAYOUT": "split"})

    assert [path.name for path in mounted.path.iterdir()] == [KATA[:2]]


def test_the_file_may_say_where_to_mount(disk: Path, config: Path) -> None:
    needs.fuse()
    (disk / "volumes").mkdir()
    (disk / "mnt").mkdir()

    run([*PROGRAM, "mount", "--config", config, "--volumes", f"dir:{disk}/volumes", "--daemon"])

    (disk / "mnt" / "AB").mkdir()
    (disk / "mnt" / "AB" / "CDEF0123").mkdir()
    run([*PROGRAM, "umount", disk / "mnt"])
    assert (disk / "volumes" / "old-ABCDEF0123").is_dir()


def test_a_conversion_finds_store_and_old_disk_in_the_file(disk: Path) -> None:
    needs.root()
    (disk / "old" / KATA[:2] / KATA[2:]).mkdir(parents=True)
    (disk / "volumes").mkdir()
    config = disk / "katas.toml"
    config.write_text(f'legacy = "{disk}/old"\nvolumes = "dir:{disk}/volumes"\nprefix = "p-"\n')

    run([*PROGRAM, "convert", KATA, "--config", config])

    assert (disk / "volumes" / f"p-{KATA}").is_dir()
    assert not (disk / "old" / KATA[:2] / KATA[2:]).exists()


@pytest.mark.parametrize("by_file", [True, False], ids=["file", "variables"])
def test_what_works_on_a_store_finds_it_where_a_mount_does(disk: Path, by_file: bool) -> None:
    with closing(DirectoryStore(disk / "volumes", "p-", create_missing=True)) as store:
        PlainStorer(store).create_kata({"id": KATA, "visible_files": {}})
    config = disk / "katas.toml"
    config.write_text(f'volumes = "dir:{disk}/volumes"\nprefix = "p-"\nlayout = "split"\n')
    flags = ["--config", str(config)] if by_file else []
    variables = {} if by_file else {"KATAFS_VOLUMES": f"dir:{disk}/volumes", "KATAFS_PREFIX": "p-"}

    def asked(*arguments: str, status: int | None = 0) -> str:
        return run([*PROGRAM, *arguments, *flags], env=variables, status=status).stdout

    assert asked("ls").split() == [KATA]
    assert asked("lights", KATA, "--json").strip() == "[]"
    assert asked("export", "--all", "--to", str(disk / "out")).split() == [f"{disk}/out/{KATA[:2]}/{KATA[2:]}"]
    assert f"{disk}/volumes" in asked("doctor", status=None)


def test_a_flag_wins_over_the_variable_for_what_works_on_a_store(disk: Path) -> None:
    (disk / "volumes" / KATA).mkdir(parents=True)

    listed = run(
        [*PROGRAM, "ls", "--volumes", "dir:volumes", "--prefix", ""],
        cwd=disk,
        env={"KATAFS_VOLUMES": f"dir:{disk}/none", "KATAFS_PREFIX": "p-"},
    ).stdout

    assert listed.split() == [KATA]


def test_a_mounted_tree_is_read_whatever_store_the_variables_name(disk: Path) -> None:
    with closing(DirectoryStore(disk)) as store:
        PlainStorer(store).create_kata({"id": KATA, "visible_files": {}})

    shown = run([*PROGRAM, "lights", KATA, "--json", "--mount", disk], env={"KATAFS_VOLUMES": "dir:/none"}).stdout

    assert shown.strip() == "[]"


@pytest.mark.parametrize("flag", ["--volumes=docker", "--prefix=p-", "--config=katas.toml"])
def test_a_mounted_tree_and_a_store_at_once_are_wrong_usage(disk: Path, config: Path, flag: str) -> None:
    refused = run([*PROGRAM, "lights", "--mount", disk, flag], cwd=config.parent, status=2)

    assert "--mount: is instead of --volumes, --prefix and --config" in refused.stderr


def test_config_show_says_relative_paths_as_a_file_may_have_them(disk: Path) -> None:
    command = [*PROGRAM, "config", "show", "--legacy", "old", "--volumes", "dir:volumes"]
    shown = tomllib.loads(run(command, cwd=disk, env={"KATAFS_MOUNTPOINT": "mnt"}).stdout)

    assert (shown["legacy"], shown["volumes"]) == (f"{disk}/old", f"dir:{disk}/volumes")
    assert shown["mountpoint"] == f"{disk}/mnt"


def test_config_show_says_where_each_value_comes_from_and_is_a_file_itself(disk: Path, config: Path) -> None:
    shown = run(
        [*PROGRAM, "config", "show", "--config", config, "-o", "ro,timeout=2", "--tags", "off"],
        env={"KATAFS_METRICS": "9100"},
    ).stdout

    assert {
        f'layout = "split"  # file {config}:1',
        "read_only = true  # flag -o ro",
        "timeout = 2.0  # flag -o timeout",
        'tags = "off"  # flag --tags',
        "metrics = 9100  # environment variable KATAFS_METRICS",
        "debug = false  # default",
        "# legacy is not set",
    } < set(shown.splitlines())
    assert len(shown.splitlines()) == len(KNOWN)
    assert tomllib.loads(shown)["prefix"] == "old-"


def test_what_it_shows_of_a_strange_text_is_a_file_too(disk: Path) -> None:
    odd = 'dir:/a"\\\N{SNOWMAN}\N{CAT FACE}\t#'

    shown = run([*PROGRAM, "config", "show", "--volumes", odd]).stdout

    assert tomllib.loads(shown)["volumes"] == odd


@pytest.mark.parametrize(
    "command", [["mount", "/nowhere"], ["convert", "--all"], ["config", "show"]], ids=lambda words: words[0]
)
def test_a_bad_file_is_2_and_one_line(disk: Path, command: list[str]) -> None:
    config = disk / "katas.toml"
    config.write_text("prefix = 'a'\nlayuot = 'flat'\n")

    refused = run([*PROGRAM, *command, "--config", config], status=2)

    assert refused.stderr == f"katafs: {config}:2: unknown setting 'layuot'; did you mean 'layout'?\n"


def test_a_mount_without_a_place_is_wrong_usage() -> None:
    assert "MOUNTPOINT: where to?" in run([*PROGRAM, "mount"], status=2).stderr
