"""Programs that are sent signals all the time, as those in Go or under a profiler are: nothing is interrupted."""

import json
import sys
from pathlib import Path

import pytest

from tests.harness.mounts import Mounts
from tests.harness.programs import run

_PROGRAM = """
import collections, ctypes, errno, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)  # os.write() tries again by itself
os.chdir(sys.argv[1])
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
told = collections.Counter()
def tell(name, result):
    told[name, errno.errorcode[ctypes.get_errno()] if result < 0 else "done"] += 1
content = bytes(1 << 20)
file = os.open("f", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
for number in range(100):
    tell("write", libc.write(file, content, len(content)))
    tell("fsync", libc.fsync(file))
    if number % 10 == 9:
        libc.ftruncate(file, 0)
    kata = b"../%010X" % (0xBB00000000 + number)
    tell("mkdir", libc.mkdir(kata, 0o755))
    tell("rmdir", libc.rmdir(kata))
signal.setitimer(signal.ITIMER_REAL, 0)
print(json.dumps(sorted((*key, count) for key, count in told.items())))
"""


@pytest.mark.timeout(120)
def test_what_waits_for_a_thread_is_not_interrupted(mount: Mounts) -> None:
    """A handler with SA_RESTART: on a disk none of these calls is ever EINTR (signal(7))."""
    kata: Path = mount().path / "123456789A"
    kata.mkdir()

    told = json.loads(run([sys.executable, "-c", _PROGRAM, kata]).stdout)

    assert told == [[name, "done", 100] for name in ("fsync", "mkdir", "rmdir", "write")]
