"""`katafs lights` and `katafs tag` on real katas: in a store, and through a mount of either layout."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.kata_id import avatar_name, kata_id
from katafs.storers.reading import Reader
from katafs.volumes.directories import DirectoryStore
from tests.harness import needs, real_katas
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts, mounting
from tests.harness.programs import Finished, run

pytestmark = pytest.mark.xdist_group("lights")

NEW_TITLE = "\x1b]0;title\x07"
KATA = "123456789A"


def katafs(*arguments: str | Path, status: int = 0) -> Finished:
    return run([*PROGRAM, *arguments], status=status, env={"DOCKER_HOST": "unix:///nonexistent/docker.sock"})


@pytest.fixture(scope="module")
def volumes() -> Iterator[Path]:
    """Both sets of real katas, each kata a volume."""
    needs.programs("git")
    with real_katas.unpacked() as directory:
        (directory / "volumes").mkdir()
        for kata in directory.glob("katas/??/????????"):
            kata.rename(directory / "volumes" / (kata.parent.name + kata.name))
        yield directory / "volumes"


@pytest.fixture(scope="module", params=["flat", "split"])
def mounted(request: pytest.FixtureRequest, volumes: Path) -> Iterator[Path]:
    """A mount of them."""
    with mounting(volumes.parent) as mount:
        yield mount("--layout", request.param).path


@pytest.mark.parametrize("command", ["lights", "tag", "export"])
def test_help_has_the_exit_codes_and_examples(command: str) -> None:
    text = katafs(command, "--help").stdout

    assert re.findall(r"^ +(\d)  \w", text, re.MULTILINE) == ["0", "1", "2", "3", "4"]
    assert re.search(rf"Examples:\n +katafs {command} ", text)


def test_a_mount_shows_the_lights_of_its_volumes(volumes: Path, mounted: Path) -> None:
    in_store = katafs("lights", "--json", "--volumes", f"dir:{volumes}", status=1)
    in_mount = katafs("lights", "--json", "--mount", mounted, status=1)

    assert json.loads(in_mount.stdout) == json.loads(in_store.stdout)
    assert in_mount.stderr == in_store.stderr


def test_a_mount_shows_the_tags_of_its_volumes(volumes: Path, mounted: Path) -> None:
    arguments = ["tag", "7E010BE86C", "koala", "13"]
    in_store = katafs(*arguments, "--volumes", f"dir:{volumes}").stdout

    assert katafs(*arguments, "--mount", mounted).stdout == in_store
    assert (mounted / "7E010BE86C" / "koala" / "tags" / "13.json").read_text() == in_store


def test_every_light_of_real_katas_is_shown(volumes: Path) -> None:
    rows = json.loads(katafs("lights", "--json", "--volumes", f"dir:{volumes}", status=1).stdout)

    shown = {(row["kata"], row["avatar"]): [light["colour"] for light in row["lights"]] for row in rows}
    stored = {}
    for path in volumes.glob("*/*/increments.json"):
        increments = json.loads(path.read_text())
        stored[path.parts[-3], path.parts[-2]] = [light.get("colour", light.get("outcome")) for light in increments]
    without: dict[tuple[str, str], list[str]] = {("020123D57E", "hummingbird"): [], ("0237439B3C", "salmon"): []}
    assert shown == stored | without


def test_real_avatars_without_increments_are_a_line_each(volumes: Path) -> None:
    stderr = katafs("lights", "--volumes", f"dir:{volumes}", status=1).stderr

    assert stderr.splitlines() == [
        "katafs: avatar hummingbird of kata 020123D57E: increments.json isn't there",
        "katafs: avatar salmon of kata 0237439B3C: increments.json isn't there",
    ]


def test_the_files_of_real_tags_are_those_that_git_has(volumes: Path) -> None:
    with closing(DirectoryStore(volumes)) as store:
        reader = Reader(store)
        compared = 0
        for git in sorted(volumes.glob("*/*/.git")):
            kata, avatar = kata_id(git.parts[-3]), avatar_name(git.parts[-2])
            assert kata is not None
            assert avatar is not None
            newest = max((light.number for light in reader.lights(kata, avatar).lights), default=0)
            argv = ["git", "-c", "safe.directory=*", "-C", str(git.parent), "show", f"{newest}:manifest.json"]
            assert reader.visible_files(kata, avatar, newest) == json.loads(run(argv).stdout)
            compared += 1
    assert compared == 29


def test_a_sandbox_in_a_volume_of_its_own_leaves_the_lights(mount: Mounts) -> None:
    path = mount("--sandboxes", "avatar").path
    (path / KATA / "lion" / "sandbox").mkdir(parents=True)
    (path / KATA / "lion" / "increments.json").write_text('[{"colour":"red","time":null,"number":1}]')
    volumes = f"dir:{path.parent}/volumes"

    assert sorted(os.listdir(path.parent / "volumes"))[:2] == [KATA, f"{KATA}_lion"]
    assert katafs("lights", KATA, "--volumes", volumes).stdout == f"{KATA}\tlion\t-\t-\tred=1\tR\n"
    assert katafs("lights", KATA, "--mount", path).stdout == f"{KATA}\tlion\t-\t-\tred=1\tR\n"


def test_a_mount_without_katas_has_no_lights(mount: Mounts) -> None:
    assert katafs("lights", "--mount", mount().path).stdout == ""


def test_a_mount_point_without_a_mount_is_3(disk: Path) -> None:
    stderr = katafs("lights", "--mount", disk, status=3).stderr

    assert "nothing is mounted on it" in stderr
    assert len(stderr.splitlines()) == 1


def test_what_a_test_run_printed_does_nothing_to_a_terminal(disk: Path) -> None:
    needs.programs("script")
    tags = disk / KATA / "lion" / "tags"
    tags.mkdir(parents=True)
    (tags / "1.json").write_text(json.dumps({"number": 1, "visible_files": {}, "output": NEW_TITLE}))
    argv = [*PROGRAM, "tag", KATA, "lion", "1", "--output", "--volumes", f"dir:{disk}"]

    on_terminal = run(["script", "--quiet", "--return", "--command", shlex.join(argv), "/dev/null"]).stdout

    assert on_terminal == NEW_TITLE.replace("\x1b", "\N{REPLACEMENT CHARACTER}").replace(
        "\x07", "\N{REPLACEMENT CHARACTER}"
    )
    assert run(argv).stdout == NEW_TITLE
