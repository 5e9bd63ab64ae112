"""A system that has too few threads: the daemon says so in one line, and leaves no mount behind."""

from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.few_threads import with_threads
from tests.harness.mount_table import mount_at, tear_off
from tests.harness.programs import run

NO_THREAD = "no thread can be had: can't start new thread"
NO_PROCESS = "no process can be had to ask the mount whether it answers: Resource temporarily unavailable"


@pytest.mark.parametrize(("threads", "told"), [*((threads, NO_THREAD) for threads in range(1, 7)), (7, NO_PROCESS)])
def test_a_daemon_that_has_too_few_threads_says_so(disk: Path, threads: int, told: str) -> None:
    """The main one, for SIGUSR1, for the mount table, a reader, its watcher, for inodes, and whose program asks whether
    the mount answers."""
    needs.fuse()
    mount_point, volumes = disk / "mnt", disk / "volumes"
    mount_point.mkdir()
    volumes.mkdir()
    try:
        ended = run([*with_threads(threads), "mount", mount_point, "--volumes", f"dir:{volumes}"], status=1)

        assert ended.stderr.splitlines()[-1] == f"katafs: {told}"
        assert "Traceback" not in ended.stderr
        assert mount_at(mount_point) is None
    finally:
        tear_off(mount_point)
