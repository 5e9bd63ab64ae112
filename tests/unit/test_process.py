"""What a process asks for itself; each in a process of its own, since it can't be taken back."""

import signal
import subprocess
import sys

import pytest

from tests.harness import needs

HEAPS = """
import ctypes, os, sys, threading
from katafs.cli.process import share_one_heap
if sys.argv[1] == "shared":
    share_one_heap()
all_there = threading.Barrier(9)
def hold():
    held = bytes(100_000)
    all_there.wait(60)
    all_there.wait(60)
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
all_there.wait(60)
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stdout = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stdout)
libc.fflush(stdout)
all_there.wait(60)
"""


def heaps(how: str) -> int:
    """How many heaps a process with eight threads has."""
    told = subprocess.run(
        [sys.executable, "-c", HEAPS, how], stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    return told.stdout.count("<heap ")


def test_threads_share_one_heap() -> None:
    assert heaps("own") > 1
    assert heaps("shared") == 1


ROOM = """
import os, resource, sys
from katafs.cli.process import make_room_for_descriptors
wanted, limit = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 64), limit))
before = os.listdir("/proc/self/fd")
make_room_for_descriptors(wanted)
assert os.listdir("/proc/self/fd") == before
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("FDSize")])
"""


@pytest.mark.parametrize(("wanted", "limit", "room"), [(8192, 20_000, 8192), (8192, 500, 500)])
def test_there_is_room_for_descriptors(wanted: int, limit: int, room: int) -> None:
    words = [sys.executable, "-c", ROOM, str(wanted), str(limit)]
    told = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    assert int(told.stdout) >= room


ENDS = "import sys; from katafs.cli.process import end_by; end_by(int(sys.argv[1]))"
STOPPING = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@STOPPING
def test_it_ends_by_the_signal(number: signal.Signals) -> None:
    assert subprocess.run([sys.executable, "-c", ENDS, str(number)], check=False).returncode == -number


@STOPPING
def test_the_first_process_of_a_container_says_it_in_its_exit_code(number: signal.Signals) -> None:
    needs.root()
    first = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", ENDS, str(number)]
    assert subprocess.run(first, check=False).returncode == 128 + number
