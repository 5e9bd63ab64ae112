"""One name below a directory's descriptor, and nothing else."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katafs.rooted import names
from tests.harness import needs
from tests.harness.other_mounts import bound
from tests.harness.refusals import refused

COMPONENTS = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@pytest.fixture
def directory(disk: Path) -> Iterator[int]:
    """An O_PATH descriptor of `disk`, as volumes have them."""
    descriptor = os.open(disk, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@given(COMPONENTS)
def test_one_component_passes(name: bytes) -> None:
    assert names.check(name) == name


@pytest.mark.parametrize("name", [b"", b".", b"..", b"/", b"a/b", b"/etc", b"../a", b"a/", b"a\0b", b"\0"])
def test_what_could_lead_elsewhere_is_refused(name: bytes) -> None:
    with refused(errno.EINVAL):
        names.check(name)


def test_look_finds_the_inode(disk: Path, directory: int) -> None:
    (disk / "f").write_text("x")

    descriptor, status = names.look(directory, b"f")
    os.close(descriptor)

    assert (status.st_ino, status.st_size) == ((disk / "f").stat().st_ino, 1)


def test_a_name_that_may_not_be_there_is_looked_at_without_an_error(disk: Path, directory: int) -> None:
    (disk / "f").touch()
    found = names.look_if_there(directory, b"f")

    assert found is not None
    os.close(found[0])
    assert found[1].st_ino == (disk / "f").stat().st_ino
    assert names.look_if_there(directory, b"g") is None
    with refused(errno.EINVAL):
        names.look_if_there(directory, b"../f")


def identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def test_an_inode_that_is_known_is_looked_for(disk: Path, directory: int) -> None:
    (disk / "f").write_text("x")
    (disk / "link").symlink_to("f")

    for name in ("f", "link"):
        descriptor, status = names.look_for(directory, name.encode(), identity(disk / name))
        with refused(errno.EBADF):
            os.read(descriptor, 1)
        os.close(descriptor)
        assert (status.st_dev, status.st_ino) == identity(disk / name)


@pytest.mark.parametrize("other", ["another file", "a link to it", "something mounted"])
def test_what_has_taken_an_inodes_name_is_not_looked_at(disk: Path, directory: int, other: str) -> None:
    known = disk / "known"
    known.touch()
    (disk / "moved").touch()
    wanted = identity(known)
    open_before = len(os.listdir("/proc/self/fd"))

    if other == "something mounted":
        needs.root()
        with bound(disk / "moved", known), refused(errno.ESTALE):
            names.look_for(directory, b"known", wanted)
    else:
        known.rename(disk / "before")
        known.symlink_to("before") if other == "a link to it" else known.touch()
        with refused(errno.ESTALE):
            names.look_for(directory, b"known", wanted)
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_look_gives_a_descriptor_that_can_not_be_read(disk: Path, directory: int) -> None:
    (disk / "f").write_text("x")
    descriptor, _ = names.look(directory, b"f")

    with refused(errno.EBADF):
        os.read(descriptor, 1)
    os.close(descriptor)


def test_look_gives_a_descriptor_that_programs_do_not_inherit(disk: Path, directory: int) -> None:
    (disk / "f").touch()
    descriptor, _ = names.look(directory, b"f")
    inheritable = os.get_inheritable(descriptor)
    os.close(descriptor)

    assert not inheritable


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "f", "..", "missing", "/proc/self/root"])
def test_look_shows_a_link_and_does_not_follow_it(disk: Path, directory: int, target: str) -> None:
    (disk / "link").symlink_to(target)

    descriptor, status = names.look(directory, b"link")
    os.close(descriptor)

    assert stat.S_ISLNK(status.st_mode)


@pytest.mark.parametrize("name", [b"..", b".", b"", b"d/f", b"/etc/passwd", b"d/../f"])
def test_look_refuses_a_path(disk: Path, directory: int, name: bytes) -> None:
    (disk / "d").mkdir()
    (disk / "d" / "f").touch()

    with refused(errno.EINVAL):
        names.look(directory, name)


def test_look_for_a_missing_name_is_not_found(directory: int) -> None:
    with pytest.raises(FileNotFoundError):
        names.look(directory, b"missing")


def test_look_for_a_name_that_is_too_long_says_so(directory: int) -> None:
    with refused(errno.ENAMETOOLONG):
        names.look(directory, b"x" * 256)


@pytest.mark.parametrize("source", ["directory", "file"])
def test_look_does_not_cross_a_mount(disk: Path, directory: int, source: str) -> None:
    needs.root()
    for place in (disk / "from", disk / "to"):
        place.mkdir() if source == "directory" else place.touch()

    for look in (names.look, names.look_if_there):
        with bound(disk / "from", disk / "to"), refused(errno.EXDEV):
            look(directory, b"to")


def test_a_file_is_not_created_through_a_link(disk: Path, directory: int) -> None:
    (disk / "link").symlink_to(disk / "target")

    with pytest.raises(FileExistsError):
        names.create_file(directory, b"link", os.O_WRONLY, 0o644)

    assert not (disk / "target").exists()


def test_a_file_is_not_created_over_another(disk: Path, directory: int) -> None:
    (disk / "f").write_text("kept")

    with pytest.raises(FileExistsError):
        names.create_file(directory, b"f", os.O_WRONLY | os.O_TRUNC, 0o644)

    assert (disk / "f").read_text() == "kept"


def test_a_hard_link_is_made_of_a_symbolic_link_itself(disk: Path, directory: int) -> None:
    (disk / "link").symlink_to("/etc/passwd")
    descriptor, _ = names.look(directory, b"link")

    names.make_link(descriptor, directory, b"second")
    os.close(descriptor)

    assert (disk / "second").lstat().st_ino == (disk / "link").lstat().st_ino


def test_a_listing_has_every_name_as_its_bytes(disk: Path, directory: int) -> None:
    wanted = [b"a", b"\xff\xfe", b"line\nfeed", b"x" * 255, b".hidden"]
    for name in wanted:
        (disk / os.fsdecode(name)).touch()

    assert sorted(names.listing(directory)) == sorted(wanted)


def test_numbers_are_those_of_the_inodes_and_directories_have_none(disk: Path, directory: int) -> None:
    (disk / "f").touch()
    (disk / "link").symlink_to("f")
    (disk / "d").mkdir()

    numbers = {b"f": (disk / "f").stat().st_ino, b"link": (disk / "link").lstat().st_ino, b"d": 0}
    assert names.numbered(directory) == numbers


def test_a_glance_shows_what_is_still_what_it_was(disk: Path, directory: int) -> None:
    for name in ("same", "replaced", "gone"):
        (disk / name).touch()
    (disk / "link").symlink_to("same")
    numbered = names.numbered(directory)
    (disk / "new").touch()
    (disk / "new").rename(disk / "replaced")
    (disk / "gone").unlink()

    found = dict(zip(numbered, names.glance(directory, [*numbered], numbered.values()), strict=True))

    still = {name: (disk / os.fsdecode(name)).lstat() for name in (b"same", b"link")}
    assert found == {**still, b"replaced": None, b"gone": None}


@pytest.mark.parametrize("bad", [b"../same", b"same\0", b"..", b".", b""])
def test_a_glance_looks_at_nothing_that_leads_elsewhere(disk: Path, directory: int, bad: bytes) -> None:
    (disk / "same").touch()
    inode = (disk / "same").stat().st_ino

    with refused(errno.EINVAL):
        names.glance(directory, [b"same", bad], [inode, inode])


def test_a_glance_leaves_what_is_wrong_with_an_entry_to_be_asked(
    disk: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One inode that can't be read must not take the others' listing away."""
    ask, sound = os.stat, disk / "sound"
    for path in (sound, disk / "broken"):
        path.touch()
    wanted = [b"broken", b"sound"]
    inodes = [names.numbered(directory)[name] for name in wanted]

    def failing(name: bytes, **how: Any) -> os.stat_result:  # noqa: ANN401  # as the original's
        if name == b"broken":
            raise OSError(errno.EIO, "the disk is damaged")
        return ask(name, **how)

    monkeypatch.setattr(os, "stat", failing)
    found = names.glance(directory, wanted, inodes)
    monkeypatch.undo()

    assert found == [None, sound.stat()]


def test_a_directory_without_entries_is_empty(disk: Path, directory: int) -> None:
    assert names.is_empty(directory)


@pytest.mark.parametrize("name", [".hidden", "f", "\udcff"])
def test_a_directory_with_an_entry_is_not_empty(disk: Path, directory: int, name: str) -> None:
    (disk / name).touch()

    assert not names.is_empty(directory)


def test_rename_without_flags_replaces(disk: Path, directory: int) -> None:
    (disk / "a").write_text("a")
    (disk / "b").write_text("b")

    names.rename(directory, b"a", directory, b"b", 0)

    assert [(entry.name, entry.read_text()) for entry in disk.iterdir()] == [("b", "a")]


def test_rename_that_must_not_replace_does_not(disk: Path, directory: int) -> None:
    (disk / "a").write_text("a")
    (disk / "b").write_text("b")

    with pytest.raises(FileExistsError):
        names.rename(directory, b"a", directory, b"b", names.RENAME_NOREPLACE)

    assert (disk / "b").read_text() == "b"


def test_rename_that_exchanges_loses_neither(disk: Path, directory: int) -> None:
    (disk / "a").write_text("a")
    (disk / "b").write_text("b")

    names.rename(directory, b"a", directory, b"b", names.RENAME_EXCHANGE)

    assert ((disk / "a").read_text(), (disk / "b").read_text()) == ("b", "a")


@pytest.mark.parametrize(("old", "new"), [(b"..", b"b"), (b"a", b".."), (b"a", b"d/b"), (b"a", b"/tmp/b")])
def test_rename_stays_in_its_directories(disk: Path, directory: int, old: bytes, new: bytes) -> None:
    (disk / "a").touch()

    with refused(errno.EINVAL):
        names.rename(directory, old, directory, new, 0)


LOOKS: dict[str, Callable[[int], object]] = {
    "look": lambda directory: names.look(directory, b"f"),
    "look_if_there": lambda directory: names.look_if_there(directory, b"f"),
    "look_for": lambda directory: names.look_for(directory, b"f", (1, 2)),
}


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "the disk is gone"), MemoryError()], ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize("how", LOOKS)
def test_a_look_that_fails_leaves_nothing_open(
    disk: Path, directory: int, monkeypatch: pytest.MonkeyPatch, how: str, error: Exception
) -> None:
    """A far disk that is gone lets a file be opened and tells nothing of it; every try would cost a descriptor."""
    (disk / "f").touch()
    before = os.listdir("/proc/self/fd")

    def failing(_: int) -> os.stat_result:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(os, "fstat", failing)
        with pytest.raises(type(error)):
            LOOKS[how](directory)

    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("ask", "call"), [(names.listing, "listdir"), (names.numbered, "scandir"), (names.is_empty, "scandir")]
)
def test_a_directory_that_can_not_be_listed_is_not_called_by_a_number(
    directory: int, ask: Callable[[int], object], call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`os` has the descriptor for a filename, where whoever reads it expects bytes."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), descriptor)

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Input/output error") as raised:
        ask(directory)
    assert raised.value.filename is None
