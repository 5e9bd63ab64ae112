"""What a mount's listings show while they are read, and of how many entries."""

import os

import pytest

from tests.harness.programs import run
from tests.mounted.served import Served, fresh_id

MANY = 2000


def test_a_big_directory_is_listed_whole(flat: Served) -> None:
    kata = flat.make(fresh_id())
    volume = flat.volume(kata.name)
    for number in range(MANY):
        (volume / f"file-{number}").touch()

    assert sorted(os.listdir(kata)) == sorted(f"file-{number}" for number in range(MANY))


def test_long_names_are_listed_whole(flat: Served) -> None:
    """Few fit into one reply, so the listing is asked for in many parts."""
    kata = flat.make(fresh_id())
    names = [f"{number:03}".ljust(255, "x") for number in range(500)]
    for name in names:
        (kata / name).touch()

    assert sorted(os.listdir(kata)) == names


def test_types_are_told_with_the_names(flat: Served) -> None:
    kata = flat.make(fresh_id())
    (kata / "directory").mkdir()
    (kata / "file").touch()
    (kata / "link").symlink_to("file")
    with os.scandir(kata) as entries:
        kinds = {entry.name: (entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries}

    assert kinds == {"directory": (True, False), "file": (False, False), "link": (False, True)}


def test_a_name_is_seen_once_while_others_come_and_go(flat: Served) -> None:
    kata = flat.make(fresh_id())
    for number in range(1000):
        (kata / f"stays-{number}").touch()
    seen = []
    with os.scandir(kata) as entries:
        for index, entry in enumerate(entries):
            seen.append(entry.name)
            if index % 10 == 0:
                (kata / f"comes-{index}").touch()
                (kata / f"goes-{index}").touch()
                (kata / f"goes-{index}").unlink()

    assert sorted(name for name in seen if name.startswith("stays")) == sorted(f"stays-{i}" for i in range(1000))
    assert len(seen) == len(set(seen))


def test_everything_is_removed_while_it_is_listed(flat: Served) -> None:
    kata = flat.make(fresh_id())
    for number in range(1000):
        (kata / str(number)).touch()
    with os.scandir(kata) as entries:
        for entry in entries:
            os.unlink(entry.path)

    assert os.listdir(kata) == []


def test_the_top_is_listed_with_all_katas(served: Served) -> None:
    katas = [fresh_id() for _ in range(300)]
    for kata in katas:
        served.make(kata)
    found = run(["find", served.top, "-mindepth", "1", "-type", "d", "-printf", "%P\n"]).stdout.replace("/", "").split()

    assert set(katas) <= set(found)


def test_katas_are_not_listed_twice_while_one_is_made(served: Served) -> None:
    served.make(fresh_id())
    with os.scandir(served.top) as entries:
        names = [next(entries).name]
        served.make(fresh_id())
        names += [entry.name for entry in entries]

    assert len(names) == len(set(names))


NAMES = [b"\xff\xfe", b"line\nfeed", b"\x01", b"back\\slash", b"x" * 255, b"caf\xe9"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_listed_as_its_bytes(served: Served, name: bytes) -> None:
    kata = fresh_id()
    path = bytes(served.make(kata))
    os.close(os.open(path + b"/" + name, os.O_CREAT | os.O_WRONLY))

    assert os.listdir(path) == os.listdir(bytes(served.volume(kata))) == [name]
