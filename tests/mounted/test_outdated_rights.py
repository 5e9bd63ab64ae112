"""What the kernel lets a program do by an owner and a mode that it was told before they changed behind the mount."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import needs
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

STRANGER = 65534
KATA = "123456789A"
_PROGRAM = """
import errno, os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o600)
print("made", flush=True)
sys.stdin.readline()
try:
    os.chmod(sys.argv[1] if sys.argv[2] == "by its path" else file, 0o4755)
except OSError as problem:
    print(errno.errorcode[problem.errno])
else:
    print("done")
"""


@pytest.fixture
def served(serve: Serve) -> Served:
    """With a kata that anybody may write to. The kernel keeps what it was told for as long as the test takes."""
    needs.root()
    served = serve("-o", "timeout=60")
    served.make(KATA).chmod(0o777)
    return served


def _outcome(served: Served, how: str, change: str) -> tuple[str, os.stat_result]:
    """What a stranger's chmod of the file that it has made comes to, and what the file is then."""
    file: Path = served.volume(KATA) / "f"
    argv = [sys.executable, "-c", _PROGRAM, str(served.path(KATA) / "f"), how]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=STRANGER, group=STRANGER
    ) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "made\n"
        if change == "owner":
            os.chown(file, 0, 0)
        file.chmod(0o640)
        told, _ = stranger.communicate("\n")
    return told.strip(), file.stat()


@pytest.mark.parametrize(
    ("how", "refusal"), [("by its path", errno.EPERM), ("by its descriptor", errno.ESTALE)], ids=["path", "descriptor"]
)
def test_nobody_changes_the_mode_of_a_file_that_is_another_s_by_now(served: Served, how: str, refusal: int) -> None:
    """The kernel asks again by the path, and of an open file it doesn't."""
    told, file = _outcome(served, how, "owner")

    assert told == errno.errorcode[refusal]
    assert (file.st_uid, stat.S_IMODE(file.st_mode)) == (0, 0o640)


@pytest.mark.parametrize("how", ["by its path", "by its descriptor"])
def test_who_owns_it_still_changes_its_mode(served: Served, how: str) -> None:
    told, file = _outcome(served, how, "mode")

    assert told == "done"
    assert (file.st_uid, stat.S_IMODE(file.st_mode)) == (STRANGER, 0o4755)


_TOUCHING = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR)
print("open", flush=True)
sys.stdin.readline()
os.utime(file)
os.truncate(sys.argv[1], 3)
print("done")
"""


def test_who_may_write_still_touches_and_cuts_it(served: Served) -> None:
    """The mode is another by now, and lets them all the same."""
    file: Path = served.volume(KATA) / "shared"
    file.write_text("content")
    os.chown(file, 0, STRANGER)
    file.chmod(0o664)
    os.utime(file, (1, 1))
    argv = [sys.executable, "-c", _TOUCHING, str(served.path(KATA) / "shared")]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=STRANGER, group=STRANGER
    ) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "open\n"
        file.chmod(0o660)
        told, _ = stranger.communicate("\n")

    assert told == "done\n"
    assert (file.read_text(), file.stat().st_mtime > 1) == ("con", True)
