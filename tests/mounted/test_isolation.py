"""A volume on a stuck disk, and an engine that doesn't answer: the other volumes are served as ever.

Shown by the order of things, not by the clock: what waits does so until the test lets it go on.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.descriptors import remembered
from tests.harness.directory_engine import DirectoryEngine
from tests.harness.faulty_katafs import asking
from tests.harness.mounts import Mounts, mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run
from tests.harness.stuck_disk import StuckDisk, stuck_disk
from tests.harness.waiting import until
from tests.mounted.served import Served, fresh_id

STUCK = "AAAAAAAAAA"
OTHER = "BBBBBBBBBB"
FILES = 40
"""How many the stuck disk has."""
LARGE = 1 << 20
"""Bytes of a file that the kernel reads ahead of who reads it, in the background."""
AVATAR = """
mkdir lion && cd lion && git init -q . && echo '{}' >manifest.json
echo '[{"colour":"red","time":[2016,8,29,10,0,0],"number":1}]' >increments.json
git add -A && git -c user.name=lion -c user.email=lion@example.org commit -qm 1 && git tag 1
"""
EVERYTHING = """
cd "$1"; ls -l . lion lion/tags; cat f lion/tags/1.json; mkdir d; echo x >d/g; mv d/g h; ln h i; chmod 600 h; rm h i
dd if=/dev/zero of=big bs=1M count=2 conv=fsync status=none; cmp -n 2097152 big /dev/zero; sync d; rmdir d; rm big
"""
"""What has to be served: reads, changes, tags read from git, writes long and short, fsync of files and directories."""


def use_everything(kata: Path) -> None:
    """As a program, which can be killed: a request that hangs would hang the test as well."""
    run(["sh", "-ec", EVERYTHING, "sh", kata], timeout=60)


CLIENT = """
import os, sys, threading
files = [os.open(str(each), os.O_RDWR | os.O_APPEND) for each in range(int(sys.argv[1]))]
threads = [threading.Thread(target=eval("lambda file: " + sys.argv[2]), args=[file]) for file in files]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
"""


class Client:
    """A program that has opened so many of the kata's files, and does something with all of them at once."""

    def __init__(self, kata: Path, count: int, call: str) -> None:
        argv = [sys.executable, "-c", CLIENT, str(count), call]
        self._process = subprocess.Popen(argv, cwd=kata, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def begin(self) -> None:
        """Have it do so."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    @property
    def waits(self) -> bool:
        """Whether not all of it is done."""
        return self._process.poll() is None

    def end(self) -> int:
        """Its exit status."""
        status = self._process.wait(120)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        return status


@contextmanager
def client(kata: Path, count: int, call: str) -> Iterator[Client]:
    """It ends well."""
    client = Client(kata, count, call)
    try:
        yield client
    finally:
        client.begin()
        status = client.end()
    assert status == 0


@pytest.fixture(scope="module")
def stuck() -> Iterator[tuple[StuckDisk, Served]]:
    """A mount of two volumes, one of which is on a disk of its own; no file is read or written past the daemon."""
    needs.root()
    needs.programs("git")
    directory = fresh_directory()
    (directory / "volumes").mkdir()
    with stuck_disk(directory / "disk", directory / "volumes" / STUCK) as disk, mounting(directory) as mount:
        served = Served(mount(program=asking()), directory / "volumes", Layout.FLAT)
        served.volume(OTHER).mkdir()
        (served.volume(OTHER) / "f").write_text("content")
        for number in range(FILES):
            (served.volume(STUCK) / str(number)).write_bytes(bytes(LARGE))
        run(["sh", "-ec", AVATAR], cwd=served.volume(OTHER))
        yield disk, served
    remove_directory(directory)


CALLS = {"fsync": "os.fsync(file)", "read": f"os.pread(file, {LARGE}, 0)"}
"""What programs do with all files of the stuck disk at once."""
AT_ONCE = 8
"""How many of these the daemon is at at once."""


@pytest.mark.parametrize("call", CALLS)
def test_open_files_on_a_stuck_disk_hold_up_no_other_volume(stuck: tuple[StuckDisk, Served], call: str) -> None:
    disk, served = stuck
    new = served.path(OTHER) / fresh_id()
    (served.volume(OTHER) / new.name).write_bytes(bytes(LARGE))
    with client(served.path(STUCK), FILES, CALLS[call]) as waiting, disk.stuck():
        waiting.begin()
        until(lambda: len(disk.waiting) >= AT_ONCE, "the requests to wait for the disk")
        use_everything(served.path(OTHER))
        run(["cmp", "-n", str(LARGE), new, "/dev/zero"], timeout=60)

        assert waiting.waits


TOUCHES = {
    "stat": "! stat nowhere 2>&1",
    "open": "cat 2",
    "create": "echo new >3x",
    "mkdir": "mkdir 4x",
    "rmdir": "rmdir empty",
    "unlink": "rm 5",
    "rename": "mv 6 6x",
    "move": "mv 7 directory/",
    "link": "ln 8 8x",
    "symlink": "ln -s anything 9x",
    "readlink": "readlink symlink",
    "mknod": "mkfifo 10x",
    "setattr": "chmod 600 11",
    "truncate": "truncate -s 3 12",
    "getxattr": "getfattr -n user.a 13",
    "setxattr": "setfattr -n user.b -v c 14",
    "listxattr": "getfattr -d 15",
    "removexattr": "setfattr -x user.a 16",
    "readdir": "find . -ls",
    "statfs": "df .",
    "write": "echo more >>17",
}
"""Programs that ask something of the stuck disk, in one kata of it. What is there the kernel may know for a second, as
from a listing by the last test's program, and then answers a stat of it without asking."""


@pytest.fixture(scope="module")
def filled(stuck: tuple[StuckDisk, Served]) -> tuple[StuckDisk, Served]:
    """The same, with what the programs need."""
    kata = stuck[1].path(STUCK)
    run(["sh", "-ec", "mkdir empty directory; ln -s anything symlink; setfattr -n user.a -v b 13 16"], cwd=kata)
    return stuck


@contextmanager
def asking_while_stuck(disk: StuckDisk, kata: Path, script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that asks something of the stuck disk, while it waits for that; afterwards it ends well."""
    command = ["sh", "-ec", f"cd directory; read go; cd ..; {script}"]
    with subprocess.Popen(command, cwd=kata, stdin=subprocess.PIPE) as asking:
        assert asking.stdin is not None
        with disk.stuck():
            asking.stdin.write(b"go\n")
            asking.stdin.close()
            until(lambda: bool(disk.waiting), "a request to wait for the disk")
            yield asking
        assert asking.wait(60) == 0


@pytest.mark.parametrize("touch", TOUCHES)
def test_whatever_is_asked_of_a_stuck_disk_holds_up_no_other_volume(
    filled: tuple[StuckDisk, Served], touch: str
) -> None:
    disk, served = filled
    with asking_while_stuck(disk, served.path(STUCK), f"{TOUCHES[touch]} >/dev/null") as asking:
        use_everything(served.path(OTHER))
        run(["ls", served.top], timeout=60)

        assert asking.poll() is None


def test_more_requests_than_threads_hold_up_no_other_volume(filled: tuple[StuckDisk, Served]) -> None:
    disk, served = filled
    script = "for i in $(seq 100); do stat $i >/dev/null 2>&1 & done; wait"
    with asking_while_stuck(disk, served.path(STUCK), script):
        use_everything(served.path(OTHER))


def test_a_volume_on_a_stuck_disk_that_nobody_knew_yet_holds_up_no_other(
    stuck: tuple[StuckDisk, Served], mount: Mounts
) -> None:
    """As after a start of katafs, when the first walk comes by: while it looks a name up, the kernel keeps everybody
    from making katas beside it, and behind who wants to it keeps everybody from looking up another."""
    disk, served = stuck
    new = Served(mount(volumes=f"dir:{served.store}"), served.store, Layout.FLAT)
    made, other = new.path(fresh_id()), new.path(OTHER)
    with ExitStack() as ends:
        with disk.stuck():
            waiting = ends.enter_context(subprocess.Popen(["stat", new.path(STUCK)], stdout=subprocess.DEVNULL))
            until(lambda: bool(disk.waiting), "the disk to be asked")
            run(["sh", "-ec", 'mkdir "$1"; echo x >"$1/f"; rm "$1/f"; rmdir "$1"', "sh", made], timeout=60)
            use_everything(other)

            assert waiting.poll() is None
        assert waiting.wait(60) == 0


@pytest.fixture
def engine(disk: Path) -> Iterator[DirectoryEngine]:
    """An engine with one volume."""
    with DirectoryEngine(disk) as engine:
        yield engine


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
def test_engine_calls_that_are_not_answered_hold_up_nobody_else(
    engine: DirectoryEngine, mount: Mounts, layout: Layout
) -> None:
    """More of them than there are threads for the engine. What the kernel has looked up already is used, and nobody
    makes it forget that: in the flat layout it keeps others out of the directory in which a kata is being made."""
    behind = engine.make(OTHER)
    (behind / "f").write_text("content")
    run(["sh", "-ec", AVATAR], cwd=behind)
    arguments = ("--layout", layout.value, "--tags", "listed", "-o", "timeout=3600")
    served = Served(mount(*arguments, volumes="docker", env=engine.env), engine.path, layout)
    until(served.path(OTHER).is_dir, "the kata")
    making = [f"{number:02X}{number:08X}" for number in range(10)]
    for kata in making:
        served.path(kata).parent.mkdir(exist_ok=True)
    threads = [Thread(target=served.path(kata).mkdir) for kata in making]
    with remembered([served.path(OTHER)]), ExitStack() as ends:
        for thread in threads:
            ends.callback(thread.join, 60)
        ends.enter_context(engine.slow())
        for thread in threads:
            thread.start()
        until(lambda: engine.waiting >= (4 if layout is Layout.SPLIT else 1), "the calls to wait")
        use_everything(served.path(OTHER))
        engine.mount(OTHER)
        (behind / "f").write_text("longer content")
        until(lambda: (served.path(OTHER) / "f").stat().st_size == 14, "the container to be noticed")

        assert engine.waiting >= 1
    assert all((engine.path / kata).is_dir() for kata in making)
