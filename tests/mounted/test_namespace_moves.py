"""What can't be renamed from one volume to another, and what `mv` makes of it; a directory in a kata's way."""

import errno
import os
from pathlib import Path

import pytest

from tests.harness.programs import run
from tests.harness.refusals import refused
from tests.mounted.conftest import Serve
from tests.mounted.served import Served, fresh_id


def fill(directory: Path) -> dict[str, str]:
    """Files, a directory, a link in it; what `content` finds there."""
    (directory / "lion" / "sandbox").mkdir(parents=True)
    (directory / "manifest.json").write_text("{}")
    (directory / "lion" / "sandbox" / "hiker.c").write_text("int")
    (directory / "lion" / "link").symlink_to("../manifest.json")
    return content(directory)


def content(directory: Path) -> dict[str, str]:
    found = {}
    for path in directory.rglob("*"):
        text = os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_text()
        found[str(path.relative_to(directory))] = text
    return found


def test_a_whole_kata_moves_to_another_id(served: Served) -> None:
    old, new = fresh_id(), fresh_id()
    wanted = fill(served.make(old))
    served.path(new).parent.mkdir(exist_ok=True)
    run(["mv", served.path(old), served.path(new)])

    assert content(served.path(new)) == content(served.volume(new)) == wanted
    assert old not in served.volumes()


def test_a_plain_directory_that_moves_to_a_katas_place_is_a_kata(served: Served) -> None:
    kata = fresh_id()
    plain = served.top / f"plain-{kata}"
    plain.mkdir()
    wanted = fill(plain)
    served.path(kata).parent.mkdir(exist_ok=True)
    run(["mv", plain, served.path(kata)])

    assert content(served.volume(kata)) == wanted
    assert not plain.exists()


def test_a_kata_that_moves_to_a_plain_place_is_no_kata(served: Served) -> None:
    kata = fresh_id()
    wanted = fill(served.make(kata))
    plain = served.top / f"plain-{kata}"
    run(["mv", served.path(kata), plain])

    assert content(served.root_volume / plain.name) == wanted
    assert kata not in served.volumes()


def test_a_kata_moves_in_from_another_file_system(served: Served, disk: Path) -> None:
    kata = fresh_id()
    (disk / "kata").mkdir()
    wanted = fill(disk / "kata")
    served.path(kata).parent.mkdir(exist_ok=True)
    run(["mv", disk / "kata", served.path(kata)])

    assert content(served.volume(kata)) == wanted


def test_mv_without_clobber_keeps_the_kata_that_is_there(served: Served) -> None:
    old, new = fresh_id(), fresh_id()
    fill(served.make(old))
    (served.make(new) / "manifest.json").write_text("kept")
    run(["mv", "-nT", served.path(old), served.path(new)], status=None)

    assert content(served.path(new)) == {"manifest.json": "kept"}


def test_a_kata_is_not_renamed(served: Served) -> None:
    old, new = fresh_id(), fresh_id()
    served.make(old)
    served.path(new).parent.mkdir(exist_ok=True)

    with refused(errno.EXDEV):
        served.path(old).rename(served.path(new))


def test_a_file_is_not_renamed_into_another_kata(served: Served) -> None:
    old, new = served.make(fresh_id()), served.make(fresh_id())
    (old / "f").write_text("kept")

    with refused(errno.EXDEV):
        (old / "f").rename(new / "f")

    assert (old / "f").read_text() == "kept"


def test_a_file_is_not_linked_into_another_kata(served: Served) -> None:
    old, new = served.make(fresh_id()), served.make(fresh_id())
    (old / "f").touch()

    with refused(errno.EXDEV):
        os.link(old / "f", new / "f")


def test_a_file_is_not_renamed_between_a_kata_and_the_top(served: Served) -> None:
    kata = served.make(fresh_id())
    (kata / "f").touch()

    with refused(errno.EXDEV):
        (kata / "f").rename(served.top / f"f-{kata.name}")


def test_within_a_kata_a_directory_is_renamed(served: Served) -> None:
    kata = served.make(fresh_id())
    wanted = fill(kata)
    (kata / "lion").rename(kata / "wolf")

    assert content(kata) == {path.replace("lion", "wolf", 1): text for path, text in wanted.items()}


def test_an_outer_directory_with_katas_is_not_renamed(split: Served) -> None:
    kata = fresh_id()
    split.make(kata)

    with refused(errno.EXDEV):
        split.path(kata).parent.rename(split.top / f"old-{kata}")

    assert split.path(kata).is_dir()


@pytest.fixture
def in_the_way(serve: Serve) -> Served:
    """A mount whose root volume has a directory named like a kata, with a file."""
    served = serve()
    (served.root_volume / "123456789A").mkdir()
    (served.root_volume / "123456789A" / "f").write_text("in the root volume")
    return served


def test_a_directory_named_like_a_kata_is_shown_as_it_is(in_the_way: Served) -> None:
    assert os.listdir(in_the_way.top) == ["123456789A"]
    assert (in_the_way.top / "123456789A" / "f").read_text() == "in the root volume"


def test_a_directory_named_like_a_kata_makes_no_volume(in_the_way: Served) -> None:
    (in_the_way.top / "123456789A" / "g").write_text("beside it")

    assert (in_the_way.root_volume / "123456789A" / "g").read_text() == "beside it"
    assert in_the_way.volumes() == {"katafs_root"}


def test_no_kata_is_made_over_a_directory_that_has_its_name(in_the_way: Served) -> None:
    with pytest.raises(FileExistsError):
        (in_the_way.top / "123456789A").mkdir()

    assert in_the_way.volumes() == {"katafs_root"}


def test_a_volume_takes_the_place_of_a_directory_that_has_its_name(in_the_way: Served) -> None:
    """Any volume so named is served; the directory stays where it is."""
    (in_the_way.volume("123456789A")).mkdir()
    (in_the_way.volume("123456789A") / "g").touch()

    assert os.listdir(in_the_way.top / "123456789A") == ["g"]
    assert os.listdir(in_the_way.top) == ["123456789A"]
    assert (in_the_way.root_volume / "123456789A" / "f").read_text() == "in the root volume"


def test_a_directory_that_was_hidden_is_back_when_the_volume_is_gone(in_the_way: Served) -> None:
    in_the_way.volume("123456789A").mkdir()
    run(["ls", in_the_way.top / "123456789A"])
    (in_the_way.top / "123456789A").rmdir()

    assert os.listdir(in_the_way.top / "123456789A") == ["f"]
