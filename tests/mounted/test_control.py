"""The directory `.katafs` of a mount: there when it is named, listed by nothing, closed to others, never changed."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.programs import NOBODY, run
from tests.harness.refusals import refused
from tests.harness.status import status_of
from tests.mounted.conftest import Serve
from tests.mounted.served import Served, fresh_id

NAME = ".katafs"


def control(served: Served) -> Path:
    return served.top / NAME


def test_it_is_there_when_it_is_named(served: Served) -> None:
    assert "status.json" in os.listdir(control(served))
    assert status_of(served.top)["mount_point"] == str(served.top)


LISTINGS: dict[str, Callable[[Path, Path], str]] = {
    "ls -a": lambda top, _: run(["ls", "-aR", top]).stdout,
    "find": lambda top, _: run(["find", top]).stdout,
    "tar": lambda top, _: run(["tar", "-cvf", "/dev/null", "-C", top, "."]).stdout,
    "rsync": lambda top, disk: run(["rsync", "-av", f"{top}/", disk / "copy"]).stdout,
    "rsync again": lambda top, disk: run(["rsync", "-ani", "--delete", f"{top}/", disk / "copy"]).stdout,
    "du": lambda top, _: run(["du", "-a", top]).stdout,
}


@pytest.mark.parametrize("how", LISTINGS)
def test_nothing_that_walks_the_mount_sees_it(served: Served, disk: Path, how: str) -> None:
    (served.make(fresh_id()) / "manifest.json").touch()
    status_of(served.top)  # so that the kernel knows it

    shown = LISTINGS[how](served.top, disk)

    assert NAME not in shown
    assert "manifest.json" in shown


def test_the_top_has_as_many_links_as_without_it(served: Served) -> None:
    before = served.top.stat().st_nlink
    status_of(served.top)

    assert served.top.stat().st_nlink == before


def test_an_ordinary_user_reads_nothing_of_it(served: Served) -> None:
    needs.root()
    files = [("cat", control(served) / name) for name in ("status.json", "accesslog")]
    for program, path in (("ls", control(served)), *files):
        done = NOBODY.run([program, path], status=None)
        assert "Permission denied" in done.stderr
        assert done.stdout == ""


def test_owner_and_modes(served: Served) -> None:
    found = [os.stat(control(served)), os.stat(control(served) / "status.json")]

    assert [(status.st_uid, stat.S_IMODE(status.st_mode)) for status in found] == [
        (os.geteuid(), 0o500),
        (os.geteuid(), 0o400),
    ]


CHANGES: dict[str, Callable[[Path], object]] = {
    "mkdir in it": lambda path: (path / "new").mkdir(),
    "create in it": lambda path: (path / "new").touch(),
    "symlink in it": lambda path: (path / "new").symlink_to("x"),
    "mknod in it": lambda path: os.mkfifo(path / "new"),
    "unlink in it": lambda path: (path / "status.json").unlink(),
    "rmdir": lambda path: path.rmdir(),
    "rename it": lambda path: path.rename(path.parent / "new"),
    "rename out of it": lambda path: (path / "status.json").rename(path.parent / "new"),
    "link out of it": lambda path: os.link(path / "status.json", path.parent / "new"),
    "chmod it": lambda path: path.chmod(0o777),
    "chmod a file": lambda path: (path / "status.json").chmod(0o777),
    "write a file": lambda path: (path / "status.json").open("r+"),
    "truncate a file": lambda path: os.truncate(path / "status.json", 0),
    "set an attribute": lambda path: os.setxattr(path / "status.json", "user.a", b"b"),
    "remove an attribute": lambda path: os.removexattr(path, "user.a"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_nobody_changes_it(served: Served, what: str) -> None:
    with refused(errno.EROFS):
        CHANGES[what](control(served))

    assert "status.json" in os.listdir(control(served))


def test_its_name_is_taken(served: Served) -> None:
    with refused(errno.EEXIST):
        control(served).mkdir()


def test_a_file_moves_neither_into_it_nor_onto_it(served: Served) -> None:
    stray = served.top / "stray"
    stray.touch()

    with refused(errno.EROFS):
        stray.rename(control(served) / "stray")
    with refused(errno.EISDIR):
        stray.rename(control(served))
    assert stray.exists()


def test_it_has_no_attributes(served: Served) -> None:
    assert os.listxattr(control(served)) == []
    with refused(errno.ENODATA):
        os.getxattr(control(served), "user.a")


def test_it_is_read_by_what_reads_files(served: Served, disk: Path) -> None:
    run(["cp", "-r", control(served) / "status.json", disk / "copy"])

    assert (disk / "copy").read_bytes().endswith(b"}\n")
    run(["ls", "-laR", control(served)])


@pytest.mark.parametrize("place", ["kata", "stray"])
def test_only_at_the_top(served: Served, place: str) -> None:
    directory = served.make(fresh_id()) if place == "kata" else served.top / f"stray-{fresh_id()}"
    directory.mkdir(exist_ok=True)

    assert not (directory / NAME).exists()
    (directory / NAME).mkdir()
    assert os.listdir(directory) == [NAME]


def test_what_a_volume_keeps_under_its_name_is_hidden_by_nothing(serve: Serve) -> None:
    served = serve()
    (served.root_volume / NAME).mkdir()
    (served.root_volume / NAME / "mine").write_text("kept")

    assert os.listdir(served.top) == [NAME]
    assert (control(served) / "mine").read_text() == "kept"
    (control(served) / "mine").unlink()
    control(served).rmdir()
    assert "status.json" in os.listdir(control(served))


def test_it_comes_back_when_a_volumes_own_goes_behind_the_mount(serve: Serve) -> None:
    served = serve("-o", "timeout=0")
    (served.root_volume / NAME).write_text("kept")
    assert control(served).read_text() == "kept"

    (served.root_volume / NAME).unlink()

    assert "status.json" in os.listdir(control(served))


def test_a_read_only_mount_has_it_without_a_root_volume(serve: Serve) -> None:
    served = serve("--read-only")

    assert status_of(served.top)["options"]["read_only"] is True
    assert not served.root_volume.exists()
