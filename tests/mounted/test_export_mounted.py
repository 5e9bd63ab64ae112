"""`katafs export --mount` of real katas, and a mount of katas that went into the git-free form."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.converter.tag_form import store_as_tags
from katafs.kata_id import KataId
from katafs.storers.git_tags import GitTags
from katafs.volumes.directories import DirectoryStore
from tests.harness import needs, real_katas
from tests.harness.descriptors import held
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts, mounting
from tests.harness.odd_trees import described
from tests.harness.programs import run

pytestmark = pytest.mark.xdist_group("export-mounted")

LAYOUTS = pytest.mark.parametrize("layout", ["flat", "split"])


@pytest.fixture(scope="module")
def server_tree() -> Iterator[Path]:
    """The smaller set of real katas, as it lay on a server's disk."""
    needs.programs("git")
    with real_katas.unpacked("katas-89") as directory:
        yield directory / "katas"


@pytest.fixture
def volumes(server_tree: Path, disk: Path) -> Path:
    """The same, each kata a volume."""
    path = disk / "volumes"
    path.mkdir()
    for kata in server_tree.glob("??/????????"):
        run(["cp", "--archive", kata, path / (kata.parent.name + kata.name)])
    return path


@LAYOUTS
@pytest.mark.usefixtures("volumes")
def test_an_export_from_a_mount_is_what_the_server_had(server_tree: Path, disk: Path, layout: str) -> None:
    with mounting(disk) as mount:
        mounted = mount("--layout", layout).path
        run([*PROGRAM, "export", "--all", "--to", disk / "out", "--mount", mounted])

    katas = sorted(server_tree.glob("??/????????"))
    assert len(katas) == 4
    for kata in katas:
        found = described(disk / "out" / kata.relative_to(server_tree), atimes=False)
        assert found == described(kata, atimes=False), kata


@LAYOUTS
def test_a_sandbox_s_volume_comes_out_of_a_mount_in_its_place(disk: Path, mount: Mounts, layout: str) -> None:
    mounted = mount("--layout", layout, "--sandboxes", "avatar").path
    kata = mounted / ("123456789A" if layout == "flat" else "12/3456789A")
    (kata / "lion/sandbox").mkdir(parents=True)
    (kata / "lion/sandbox/hiker.c").write_text("x")
    assert (disk / "volumes/123456789A_lion/hiker.c").exists()
    run([*PROGRAM, "export", "123456789A", "--to", disk / "out", "--mount", mounted])

    assert described(disk / "out/12/3456789A", atimes=False) == described(kata, atimes=False)


@pytest.mark.parametrize("drop_git", [True, False])
@LAYOUTS
def test_a_mount_shows_the_tags_of_the_git_free_form(
    server_tree: Path, volumes: Path, disk: Path, layout: str, drop_git: bool
) -> None:
    with closing(DirectoryStore(volumes)) as store:
        for path in volumes.iterdir():
            store_as_tags(store, KataId(path.name), drop_git=drop_git)
    shown = 0
    with mounting(disk) as mount:
        mounted = mount("--layout", layout).path
        for avatar in (path.parent for path in server_tree.glob("??/????????/*/.git")):
            outer, inner, name = avatar.relative_to(server_tree).parts
            place = mounted / (f"{outer}{inner}" if layout == "flat" else f"{outer}/{inner}") / name
            with held(avatar) as directory:
                git = GitTags()
                for number in git.numbers(directory) or []:
                    path = place / "tags" / f"{number}.json"
                    assert json.loads(path.read_bytes()) == json.loads(git.read(directory, number))
                    assert path.stat().st_mtime_ns == git.status(directory, number).mtime_ns
                    shown += 1
            assert (place / "increments.json").read_bytes() == (avatar / "increments.json").read_bytes()
    assert shown == 39
