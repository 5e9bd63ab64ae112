"""The tree of a mount that changes nothing, and of one whose volumes share a store with others."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.refusals import refused
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

KATA = "123456789A"


def store_in(disk: Path) -> Path:
    """A store with one kata."""
    volume = disk / "volumes" / KATA
    volume.mkdir(parents=True)
    (volume / "manifest.json").write_text("{}")
    return volume.parent


@pytest.fixture(scope="module", params=["--read-only", "-oro"])
def read_only(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A mount that changes nothing, by either way to say so."""
    directory = fresh_directory()
    store_in(directory)
    with mounting(directory) as mount:
        yield Served(mount(request.param), directory / "volumes", Layout.FLAT)
    remove_directory(directory)


def test_a_read_only_mount_shows_what_is_there(read_only: Served) -> None:
    assert (read_only.path(KATA) / "manifest.json").read_text() == "{}"
    assert os.listdir(read_only.top) == [KATA]


def test_a_read_only_mount_makes_no_volume(read_only: Served) -> None:
    os.listdir(read_only.top)

    assert read_only.volumes() == {KATA}


CHANGES: dict[str, Callable[[Served], object]] = {
    "mkdir of a kata": lambda served: served.path("BBBBBBBBBB").mkdir(),
    "mkdir": lambda served: (served.path(KATA) / "lion").mkdir(),
    "create": lambda served: (served.path(KATA) / "new").touch(),
    "write": lambda served: (served.path(KATA) / "manifest.json").write_text(""),
    "unlink": lambda served: (served.path(KATA) / "manifest.json").unlink(),
    "rmdir of a kata": lambda served: served.path(KATA).rmdir(),
    "chmod": lambda served: served.path(KATA).chmod(0o700),
    "rename": lambda served: (served.path(KATA) / "manifest.json").rename(served.path(KATA) / "m"),
    "a stray": lambda served: (served.top / "readme.txt").touch(),
    "utime": lambda served: os.utime(served.path(KATA) / "manifest.json"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_read_only_mount_refuses(read_only: Served, change: str) -> None:
    with refused(errno.EROFS):
        CHANGES[change](read_only)

    assert (read_only.volume(KATA) / "manifest.json").read_text() == "{}"


def test_a_read_only_mount_of_a_split_tree_shows_katas(disk: Path, serve: Serve) -> None:
    store_in(disk)
    served = serve("--read-only", layout=Layout.SPLIT)

    assert os.listdir(served.top) == ["12"]
    assert (served.path(KATA) / "manifest.json").read_text() == "{}"
    assert (served.alias(KATA) / "manifest.json").read_text() == "{}"


def test_volumes_are_named_with_the_prefix(serve: Serve) -> None:
    served = serve("--prefix", "cyber-")
    served.make(KATA)
    (served.top / "readme.txt").touch()

    assert served.volumes() == {"cyber-katafs_root", f"cyber-{KATA}"}


def test_volumes_without_the_prefix_are_somebody_elses(disk: Path, serve: Serve) -> None:
    store_in(disk)
    served = serve("--prefix", "cyber-")

    assert os.listdir(served.top) == []
    with pytest.raises(FileNotFoundError):
        served.path(KATA).stat()


def test_two_prefixes_are_two_trees(disk: Path, serve: Serve) -> None:
    (disk / "a").mkdir()
    (disk / "b").mkdir()
    first, second = serve("--prefix", "a-", at=disk / "a"), serve("--prefix", "b-", at=disk / "b")
    first.make(KATA)

    assert (os.listdir(first.top), os.listdir(second.top)) == ([KATA], [])
