"""What the daemon remembers of a tree with many more files than it is to remember: no more, and nobody notices.

On the kernel that is here, and as an older one has it, which can't be asked to let go of inodes that nobody uses.
"""

import mmap
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.descriptors import allowed
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import mounting
from tests.harness.older_kernel import PROGRAM as OLDER
from tests.harness.other_mounts import memory_disk
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run
from tests.harness.status import status_of
from tests.harness.waiting import until
from tests.mounted.conftest import Serve, ServeLegacy
from tests.mounted.served import Served

KATA = "123456789A"
DIRECTORIES = 50
FILES_IN_EACH = 100
FILES = DIRECTORIES * FILES_IN_EACH
LIMIT = 1000
"""The lowest there is: the kernel is asked from half of it on, several times in each walk."""
KERNELS = pytest.mark.parametrize("bounded", ["this kernel", "an older kernel"], indirect=True)


def fill(top: Path, directories: int) -> None:
    """Files with names of their own."""
    for directory in range(directories):
        (top / f"{directory:03}").mkdir(parents=True)
        for file in range(FILES_IN_EACH):
            os.mknod(top / f"{directory:03}" / f"{directory:03}-{file:03}", 0o644)


@contextmanager
def serving(kernel: str, limit: int, directories: int) -> Iterator[Served]:
    """A mount of a kata with many files, in memory, which is to remember few."""
    needs.root()
    if kernel == "this kernel":
        needs.prune()
    directory = fresh_directory()
    volumes = directory / "volumes"
    volumes.mkdir()
    with memory_disk(volumes):
        fill(volumes / KATA, directories)
        with mounting(directory) as mount:
            program = PROGRAM if kernel == "this kernel" else OLDER
            yield Served(mount("-o", f"inodes={limit},debug", program=program), volumes, Layout.FLAT)
    remove_directory(directory)


@pytest.fixture(scope="module")
def bounded(request: pytest.FixtureRequest) -> Iterator[Served]:
    """One for all tests of the module; each has a directory of its own in it."""
    with serving(request.param, LIMIT, DIRECTORIES) as served:
        yield served


def walk(top: Path) -> dict[str, int]:
    """Every file below a directory, each looked at, with its inode's number."""
    lines = run(["find", top, "-type", "f", "-printf", "%i %P\\n"]).stdout.splitlines()
    return {path: int(number) for number, _, path in (line.partition(" ") for line in lines)}


def most_remembered(served: Served) -> int:
    """How many inodes the daemon has remembered at a time. It is ended, and says so."""
    served.mounted.stop()
    said = re.search(r"at most (\d+) inodes were remembered at a time", served.mounted.log())
    assert said
    return int(said[1])


@pytest.mark.parametrize("kernel", ["this kernel", "an older kernel"])
def test_a_walk_stays_below_the_bound(kernel: str) -> None:
    """One that goes on each time when the kernel has been asked to forget and has: on a busy machine a faster one may
    pass the bound for some moments."""
    with serving(kernel, 4000, directories=100) as served:
        for directory in range(100):
            assert len(walk(served.path(KATA) / f"{directory:03}")) == FILES_IN_EACH
            if directory % 10 == 9:
                until(lambda: status_of(served.top)["nodes"] <= 2000, "the kernel to forget")

        assert 2000 < most_remembered(served) < 4000


@pytest.mark.parametrize("kernel", ["this kernel", "an older kernel"])
def test_walks_at_once_see_everything_and_leave_little(kernel: str) -> None:
    with serving(kernel, 4000, directories=300) as served:
        alone = walk(served.top)
        finds = [subprocess.Popen(["find", served.top, "-type", "f"], stdout=subprocess.PIPE) for _ in range(3)]
        listed = [len(set(find.communicate(timeout=100)[0].split())) for find in finds]
        again = walk(served.top)
        until(lambda: status_of(served.top)["nodes"] < 4000, "the kernel to forget")

        assert len(alone) == 30_000
        assert listed == [30_000] * 3
        assert again == alone


@KERNELS
def test_a_program_keeps_its_working_directory(bounded: Served) -> None:
    directory = bounded.path(KATA) / "000"
    program = subprocess.Popen(
        ["sh", "-c", "read go; readlink /proc/self/cwd; ls | wc -l; echo written >000-000; cat 000-000"],
        cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    walk(bounded.path(KATA))

    assert program.communicate("go\n", timeout=60)[0].split() == [str(directory), str(FILES_IN_EACH), "written"]


@KERNELS
def test_open_files_stay_open(bounded: Served) -> None:
    """One that is written, one that has lost its name, and one that is only held (O_PATH)."""
    paths = [bounded.path(KATA) / "001" / f"001-{number:03}" for number in range(3)]
    written, removed = (os.open(path, os.O_RDWR) for path in paths[:2])
    held = os.open(paths[2], os.O_PATH)
    paths[1].unlink()
    before = [os.fstat(each).st_ino for each in (written, removed, held)]
    walk(bounded.path(KATA))
    for opened in (written, removed):
        os.pwrite(opened, b"content", 0)
    contents = [os.pread(opened, 100, 0) for opened in (written, removed)]
    after = [os.fstat(each).st_ino for each in (written, removed, held)]
    links = [os.fstat(each).st_nlink for each in (written, removed, held)]
    shown = os.readlink(f"/proc/self/fd/{written}")
    for opened in (written, removed, held):
        os.close(opened)

    assert contents == [b"content", b"content"]
    assert after == before
    assert links == [1, 0, 1]
    assert shown == str(paths[0])
    assert paths[0].read_bytes() == b"content"


@KERNELS
def test_a_mapping_stays_mapped(bounded: Served) -> None:
    path = bounded.path(KATA) / "002" / "002-000"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 4096)
    mapped[:5] = b"first"
    walk(bounded.path(KATA))
    mapped[5:11] = b"second"
    mapped.close()

    assert path.read_bytes().rstrip(b"\0") == b"firstsecond"


@KERNELS
def test_hard_links_stay_one_inode(bounded: Served) -> None:
    top = bounded.path(KATA)
    first, second = top / "003" / "003-000", top / "049" / "link"
    os.link(first, second)
    walk(top)
    first.write_text("through the first")
    walk(top)

    assert first.stat().st_ino == second.stat().st_ino
    assert second.stat().st_nlink == 2
    assert second.read_text() == "through the first"


@KERNELS
def test_what_is_renamed_meanwhile_is_where_it_went(bounded: Served) -> None:
    top = bounded.path(KATA)
    opened = os.open(top / "004" / "004-000", os.O_RDWR)
    number = os.fstat(opened).st_ino
    walk(top)
    (top / "004").rename(top / "moved")
    (top / "moved" / "004-001").rename(top / "005" / "came")
    found = walk(top)
    os.pwrite(opened, b"content", 0)
    os.close(opened)

    assert found["moved/004-000"] == number
    assert found["005/came"]
    assert not [path for path in found if path.startswith("004/")]
    assert (top / "moved" / "004-000").read_bytes() == b"content"


def test_more_files_than_the_bound_can_be_in_use(serve: Serve) -> None:
    """Nothing is taken from who uses it; the operator hears of it."""
    served = serve("-o", f"inodes={LIMIT}")
    served.mounted.expect("of -o inodes")
    kata = served.make(KATA)
    held = []
    with allowed(2 * LIMIT):
        for number in range(3 * LIMIT // 2):
            (kata / str(number)).touch()
            held.append(os.open(kata / str(number), os.O_PATH))
        served.mounted.wait_for_log(r"WARNING: .* inodes, more than the 1000 of -o inodes")
        numbers = {os.fstat(each).st_ino for each in held}
        for each in held:
            os.close(each)

    assert len(numbers) == len(held)


def test_a_kata_of_the_old_disk_is_converted_whole(serve_legacy: ServeLegacy) -> None:
    """What was forgotten of it is found in the volume, and an open file goes on there."""
    served = serve_legacy("-o", f"inodes={LIMIT}")
    kata = served.old({f"{number:04}": str(number) for number in range(2 * LIMIT)})
    with (served.path(kata) / "0000").open() as opened:
        before = walk(served.path(kata))
        (served.path(kata) / "0001").write_text("changed")
        after = walk(served.path(kata))
        content = opened.read()

    assert served.is_converted(kata)
    assert before.keys() == after.keys()
    assert content == "0"
    assert (served.path(kata) / "0001").read_text() == "changed"
