"""A volume on another disk than the others: served by a part of the tree of its own, which nobody notices."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from katafs.kata_id import ROOT_VOLUME, VolumeName
from katafs.namespace import Layout
from katafs.volumes.directories import DirectoryStore
from tests.harness import needs
from tests.harness.mounts import mounting
from tests.harness.other_mounts import memory_disk
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import as_user, run
from tests.harness.refusals import refused
from tests.harness.status import status_of
from tests.harness.waiting import until
from tests.mounted.served import Served, fresh_id

EVERYTHING = """
cd "$1"; echo content >f; mkdir d; mv f d/g; ln d/g h; test "$(stat -c %i d/g)" = "$(stat -c %i h)"
test "$(stat -c %h h)" = 2; chmod 640 h; chown 7:8 h; test "$(stat -c %a:%u:%g d/g)" = 640:7:8
rm h; test "$(stat -c %h d/g)" = 1; ln -s d/g s; test "$(readlink s)" = d/g; cmp s d/g; mkfifo p; test -p p
echo more >>d/g; test "$(cat d/g)" = "content
more"; truncate -s 4 d/g; test "$(cat d/g)" = cont; touch -d @1000 d/g; test "$(stat -c %Y d/g)" = 1000
dd if=/dev/zero of=big bs=1M count=3 conv=fsync status=none; test "$(stat -c %s big)" = 3145728; sync d
test "$(find . -ls | wc -l)" = 6; test "$(ls -ai . | awk '$2=="." {print $1}')" = "$(stat -c %i .)"
rm -r d s p big; test -z "$(ls -A)"
"""
"""What is done is seen at once, and no inode is two."""


def serving(layout: Layout, *arguments: str) -> Iterator[Served]:
    """A mount of a store of its own, whose volumes a disk can be mounted on."""
    needs.root()
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield Served(mount("--layout", layout.value, *arguments), directory / "volumes", layout)
    remove_directory(directory)


@pytest.fixture(scope="module", params=Layout, ids=lambda layout: layout.value)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """In both layouts."""
    yield from serving(request.param)


NAME_S = 1.5
"""By then the kernel looks a name up anew."""
SETTLED_S = 0.5
"""The daemon reads the mount table some tenths of a second after it has changed."""


@contextmanager
def disk_on(volume: Path) -> Iterator[None]:
    """A disk of its own on a volume, which the daemon knows of."""
    with memory_disk(volume):
        time.sleep(SETTLED_S)
        yield
    time.sleep(SETTLED_S)


@contextmanager
def away(served: Served) -> Iterator[str]:
    """The id of a kata on a disk of its own."""
    kata = fresh_id()
    served.appear(kata)
    with disk_on(served.volume(kata)):
        yield kata


def test_everything_works_there(served: Served) -> None:
    with away(served) as kata:
        run(["sh", "-ec", EVERYTHING, "sh", served.path(kata)])

        assert os.stat(served.path(kata)).st_ino == os.stat(served.alias(kata)).st_ino


def test_what_is_there_is_in_the_volume(served: Served) -> None:
    with away(served) as kata:
        (served.path(kata) / "f").write_text("content")
        assert (served.volume(kata) / "f").read_text() == "content"
        (served.volume(kata) / "g").write_text("behind")
        assert (served.path(kata) / "g").read_text() == "behind"


def test_a_former_owner_can_not_change_it(served: Served) -> None:
    """A lookup tells what was seen last, and chmod(2) asks for no more."""
    former = as_user(1234, 1234)
    with away(served) as kata:
        os.chown(served.volume(kata), former.uid, former.gid)
        assert served.path(kata).stat().st_uid == former.uid
        time.sleep(NAME_S)
        os.chown(served.volume(kata), 4321, 4321)
        with refused(errno.EPERM):
            former.call(os.chmod, served.path(kata), 0o777)

        assert served.volume(kata).stat().st_mode & 0o7777 == 0o755


def test_root_without_capabilities_can_not_change_it(served: Served) -> None:
    needs.programs("setpriv")
    with away(served) as kata:
        os.chown(served.volume(kata), 1234, 1234)
        change = [sys.executable, "-c", "import os, sys; os.chmod(sys.argv[1], 0o777)", str(served.path(kata))]
        bare = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", *change], check=False)

        assert bare.returncode != 0
        assert served.volume(kata).stat().st_mode & 0o7777 == 0o755
        os.chmod(served.path(kata), 0o700)
        assert served.volume(kata).stat().st_mode & 0o7777 == 0o700


def test_nothing_moves_or_is_linked_between_disks_but_a_move_copies(served: Served) -> None:
    here = served.make(fresh_id())
    (here / "f").write_text("content")
    with away(served) as kata:
        there = served.path(kata)
        (there / "g").write_text("others")
        for call in (os.link, os.rename):
            for source, target in ((here / "f", there / "x"), (there / "g", here / "x")):
                with refused(errno.EXDEV):
                    call(source, target)
        run(["mv", here / "f", there])
        run(["mv", there / "g", here])

        assert (there / "f").read_text() == "content"
        assert (here / "g").read_text() == "others"


def test_each_says_how_full_it_is_itself(served: Served) -> None:
    here = served.make(fresh_id())
    with away(served) as kata:
        (served.path(kata) / "f").write_text("content")
        for path, behind in ((served.path(kata), served.volume(kata)), (here, served.store)):
            shown, wanted = os.statvfs(path), os.statvfs(behind)
            assert (shown.f_blocks, shown.f_files, shown.f_frsize) == (wanted.f_blocks, wanted.f_files, wanted.f_frsize)
        assert os.statvfs(served.path(kata) / "f").f_blocks == os.statvfs(served.volume(kata)).f_blocks
    assert os.statvfs(served.top).f_blocks == os.statvfs(served.store).f_blocks


def test_two_disks_have_inodes_of_their_own(served: Served) -> None:
    """Both number theirs alike."""
    with away(served) as one, away(served) as other:
        for kata in (one, other):
            (served.path(kata) / "f").write_text(kata)
        assert [(served.path(kata) / "f").read_text() for kata in (one, other)] == [one, other]
        numbers = {os.stat(served.path(kata) / "f").st_ino for kata in (one, other)}

        assert len(numbers) == 2
        with refused(errno.EXDEV):
            os.link(served.path(one) / "f", served.path(other) / "g")


def test_a_walk_from_the_top_meets_it(served: Served, tmp_path: Path) -> None:
    with away(served) as kata:
        (served.path(kata) / "f").write_text("content")
        listed = run(["find", served.top, "-type", "f", "-printf", "%i %p\n"])
        copy = tmp_path / "copy"
        run(["rsync", "-a", f"{served.top}/", copy])
        differences = subprocess.run(["diff", "-r", served.top, copy], capture_output=True, text=True, check=False)

        assert f"{os.stat(served.path(kata) / 'f').st_ino} {served.path(kata)}/f" in listed.stdout.splitlines()
        assert differences.stdout == ""


def test_a_disk_that_comes_and_goes_shows_what_is_there(served: Served) -> None:
    kata = fresh_id()
    below = served.appear(kata)
    shown = served.path(kata)
    (shown / "below").write_text("1")
    with disk_on(below):
        until(lambda: os.listdir(shown) == [], "the disk to show")
        (shown / "above").write_text("2")
        assert os.listdir(shown) == ["above"]
    until(lambda: os.listdir(shown) == ["below"], "the volume's own directory to show")
    assert (shown / "below").read_text() == "1"
    with disk_on(below):
        until(lambda: os.listdir(shown) == [], "another disk to show")


def test_a_disk_that_has_gone_is_not_shown_on_by_listings(served: Served) -> None:
    kata = fresh_id()
    below = served.appear(kata)
    (below / "below").write_text("1")
    shown = served.path(kata)
    with disk_on(below):
        until(lambda: os.listdir(shown) == [], "the disk to show")
        (shown / "above").write_text("2")

    def listed() -> list[str]:
        os.listdir(shown.parent)
        return os.listdir(shown)

    until(lambda: listed() == ["below"], "the volume's own directory to show")


def test_a_kata_that_is_made_again_without_its_disk_is_another(served: Served) -> None:
    kata = fresh_id()
    below = served.appear(kata)
    shown = served.path(kata)
    with disk_on(below):
        until(lambda: os.stat(shown).st_mode & 0o777 == 0o755 and os.listdir(shown) == [], "the disk to show")
        (shown / "above").write_text("2")
        of_old = os.open(shown, os.O_PATH)
    try:
        os.rmdir(shown)
        shown.mkdir()
        (shown / "new").write_text("data")

        assert os.listdir(below) == ["new"]
    finally:
        os.close(of_old)


def test_a_directory_that_was_open_before_its_disk_came_is_closed_after_it(served: Served) -> None:
    kata = fresh_id()
    below = served.appear(kata)
    (below / "below").write_text("1")
    shown = served.path(kata)
    before = status_of(served.top)["open_directories"]
    opened = os.open(shown, os.O_RDONLY | os.O_DIRECTORY)
    with disk_on(below):
        until(lambda: os.listdir(shown) == [], "the disk to show")
        os.close(opened)
        until(lambda: status_of(served.top)["open_directories"] == before, "the directory to be closed")


SIGNALLED = """
import os, signal, sys
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
name = sys.argv[1]
for number in range(150):
    os.mkdir(name); os.stat(name); os.rename(name, name + "-"); os.rmdir(name + "-")
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_programs_that_get_signals_get_their_answers_too(served: Served) -> None:
    """More of them than there are threads for the disk."""
    with away(served) as kata:
        argv = [sys.executable, "-c", SIGNALLED]
        programs = [
            subprocess.Popen([*argv, str(number)], cwd=served.path(kata), stderr=subprocess.PIPE, text=True)
            for number in range(16)
        ]
        ends = [(program.communicate(timeout=120)[1], program.returncode) for program in programs]
        failed = status_of(served.top)["errors"]

        assert ends == [("", 0)] * 16
        assert not any("EINTR" in errors for errors in failed.values())


def test_a_store_at_the_end_of_a_link_knows_its_disks(served: Served, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(served.store)
    with away(served) as kata, closing(DirectoryStore(tmp_path / "link")) as store:
        assert store.disk_of(VolumeName(kata)) is not None
        assert store.disk_of(ROOT_VOLUME) is None


def test_what_is_held_open_there_is_counted_and_closed(served: Served) -> None:
    with away(served) as kata:
        before = status_of(served.top)
        with (served.path(kata) / "f").open("w+") as file:
            file.write("content")
            file.flush()
            os.unlink(served.path(kata) / "f")
            file.seek(0)
            assert file.read() == "content"
            assert status_of(served.top)["open_files"] == before["open_files"] + 1
        until(lambda: status_of(served.top)["open_files"] == before["open_files"], "the file to be closed")


def test_inodes_there_are_forgotten(served: Served) -> None:
    with away(served) as kata:
        for number in range(200):
            (served.path(kata) / str(number)).touch()
        many = status_of(served.top)["nodes"]
        for number in range(200):
            (served.path(kata) / str(number)).unlink()
        until(lambda: status_of(served.top)["nodes"] <= many - 200, "the inodes to be forgotten")


def test_a_mounted_disk_can_not_be_removed(served: Served) -> None:
    with away(served) as kata, refused(errno.EBUSY):
        os.rmdir(served.path(kata))


@pytest.fixture(scope="module")
def with_sandboxes() -> Iterator[Served]:
    """A mount where a sandbox is a volume of its own."""
    yield from serving(Layout.FLAT, "--sandboxes", "avatar")


def test_a_sandbox_is_made_at_home_in_a_kata_that_is_not(with_sandboxes: Served) -> None:
    served = with_sandboxes
    with away(served) as kata:
        sandbox = served.path(kata) / "lion" / "sandbox"
        sandbox.parent.mkdir()
        sandbox.mkdir()
        run(["sh", "-ec", EVERYTHING, "sh", sandbox])
        (sandbox / "f").write_text("content")

        assert (served.volume(kata, "lion") / "f").read_text() == "content"
        assert os.listdir(sandbox.parent) == ["sandbox"]


def test_a_sandbox_on_a_disk_of_its_own(with_sandboxes: Served) -> None:
    served, kata = with_sandboxes, fresh_id()
    sandbox = served.make(kata) / "lion" / "sandbox"
    sandbox.parent.mkdir()
    sandbox.mkdir()
    with disk_on(served.volume(kata, "lion")):
        until(lambda: os.stat(sandbox).st_mode & 0o777 == 0o755, "the disk to show")
        run(["sh", "-ec", EVERYTHING, "sh", sandbox])
        assert [entry.name for entry in os.scandir(sandbox.parent)] == ["sandbox"]
