"""Avatars' sandboxes as volumes of their own."""

import errno
import os
import stat
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness.programs import run
from tests.harness.refusals import refused
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

KATA = "123456789A"


@pytest.fixture
def own(serve: Serve) -> Served:
    """A mount whose new sandboxes are volumes."""
    return serve("--sandboxes", "avatar")


@pytest.fixture
def lion(own: Served) -> Path:
    """An avatar that was started."""
    path = own.make(KATA) / "lion"
    path.mkdir()
    (path / "sandbox").mkdir()
    return path


def test_a_new_sandbox_is_a_volume(own: Served, lion: Path) -> None:
    (lion / "sandbox" / "hiker.c").write_text("int")

    assert own.volumes() == {"katafs_root", KATA, f"{KATA}_lion"}
    assert (own.volume(KATA, "lion") / "hiker.c").read_text() == "int"


def test_a_new_sandbox_of_a_split_tree_is_a_volume(serve: Serve) -> None:
    own = serve("--sandboxes", "avatar", layout=Layout.SPLIT)
    run(["mkdir", "-p", own.path(KATA) / "lion" / "sandbox"])

    assert own.volumes() == {"katafs_root", KATA, f"{KATA}_lion"}


def test_it_is_not_made_twice(lion: Path) -> None:
    with pytest.raises(FileExistsError):
        (lion / "sandbox").mkdir()


def test_it_is_listed_once(lion: Path) -> None:
    assert os.listdir(lion) == ["sandbox"]


def test_the_rest_of_the_avatar_is_in_the_katas_volume(own: Served, lion: Path) -> None:
    (lion / "manifest.json").write_text("{}")

    assert (own.volume(KATA) / "lion" / "manifest.json").read_text() == "{}"


def test_only_a_sandbox_of_an_avatar_is_one(own: Served) -> None:
    (own.make(KATA) / "unicorn" / "sandbox").mkdir(parents=True)
    (own.path(KATA) / "sandbox").mkdir()

    assert own.volumes() == {"katafs_root", KATA}


def test_an_empty_one_is_removed_with_its_volume(own: Served, lion: Path) -> None:
    (lion / "sandbox").rmdir()

    assert own.volumes() == {"katafs_root", KATA}
    assert os.listdir(lion) == []


def test_one_that_is_not_empty_is_not_removed(own: Served, lion: Path) -> None:
    (lion / "sandbox" / "hiker.c").touch()

    with refused(errno.ENOTEMPTY):
        (lion / "sandbox").rmdir()


def test_an_avatar_with_one_is_not_empty(lion: Path) -> None:
    with refused(errno.ENOTEMPTY):
        lion.rmdir()


def test_a_kata_with_one_is_not_empty(own: Served, lion: Path) -> None:
    with refused(errno.ENOTEMPTY):
        own.path(KATA).rmdir()

    assert own.volume(KATA).is_dir()


def test_nothing_is_moved_out_of_one(lion: Path) -> None:
    (lion / "sandbox" / "hiker.c").touch()

    with refused(errno.EXDEV):
        (lion / "sandbox" / "hiker.c").rename(lion / "hiker.c")


def test_nothing_is_linked_into_one(lion: Path) -> None:
    (lion / "hiker.c").touch()

    with refused(errno.EXDEV):
        os.link(lion / "hiker.c", lion / "sandbox" / "hiker.c")


def test_a_whole_avatar_is_removed_with_its_volume(own: Served, lion: Path) -> None:
    (lion / "sandbox" / "hiker.c").touch()
    (lion / "sandbox" / "hiker.c").unlink()
    (lion / "sandbox").rmdir()
    lion.rmdir()
    own.path(KATA).rmdir()

    assert own.volumes() == {"katafs_root"}


def test_a_kata_of_which_only_avatars_volumes_exist_is_shown(own: Served) -> None:
    own.appear(KATA, "lion")
    own.appear(KATA, "wolf")

    assert sorted(os.listdir(own.path(KATA))) == ["lion", "wolf"]
    assert os.listdir(own.path(KATA) / "wolf") == ["sandbox"]


def test_such_a_katas_own_directory_can_not_be_written_to(own: Served) -> None:
    own.appear(KATA, "lion")

    with refused(errno.EROFS):
        (own.path(KATA) / "manifest.json").touch()


def test_such_a_kata_is_a_directory_whose_sandboxes_can_be_written_to(own: Served) -> None:
    volume = own.appear(KATA, "lion")
    (own.path(KATA) / "lion" / "sandbox" / "hiker.c").write_text("int")

    assert stat.S_ISDIR(own.path(KATA).stat().st_mode)
    assert (volume / "hiker.c").read_text() == "int"
