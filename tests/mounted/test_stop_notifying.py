"""How a mount ends whose kernel is being told to drop something, and waits there for a lock of a program's."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.harness import needs, waiting
from tests.harness.faulty_katafs import gated
from tests.harness.kernel_stacks import waiting_in
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts

KATA = "123456789A"
FILES = 600
FSYNC = "import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))"


def shrinking(mounted: Mounted, gate: Path) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """Who syncs a directory and holds its lock for as long as the gate is closed, and who waits for it to look
    something up. The kernel, which is told to drop a name in there, is next."""
    held, other = (mounted.path / KATA / name for name in ("held", "other"))
    for number in range(FILES):
        (held / f"{number}").stat()
    syncing = subprocess.Popen([sys.executable, "-c", FSYNC, held])
    waiting.until(gate.with_suffix(".reached").exists, "the sync to be at work")
    looking = subprocess.Popen(["stat", held / "absent"], stderr=subprocess.DEVNULL)
    waiting.until(lambda: waiting_in(looking.pid, "walk_component") > 0, "the lookup to wait")
    subprocess.run(["find", other], check=True, stdout=subprocess.DEVNULL, timeout=60)
    waiting.until(lambda: waiting_in(mounted.pid, "fuse_reverse_inval_entry") > 0, "the kernel to wait")
    return syncing, looking


def test_a_kernel_that_waits_for_a_directory_does_not_keep_the_daemon(mount: Mounts, disk: Path) -> None:
    """Nothing but an abort of the connection would free the two: a process in a notification can't even be killed."""
    needs.root()
    for name in ("held", "other"):
        (disk / "volumes" / KATA / name).mkdir(parents=True)
        for number in range(FILES):
            (disk / "volumes" / KATA / name / f"{number}").touch()
    program = gated("fsyncdir", disk / "gate", older=True)
    mounted = mount("-o", "inodes=1000,timeout=100", program=program)
    syncing, looking = shrinking(mounted, disk / "gate")

    mounted.signal(signal.SIGTERM)
    assert waiting.holds_within(lambda: mounted.status is not None, 3) is False
    (disk / "gate.open").touch()

    mounted.ended()
    assert (syncing.wait(60), looking.wait(60)) == (0, 1)
