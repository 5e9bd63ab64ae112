"""`--daemon`: the command returns when the mount answers, or with the daemon's error and exit code."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.config import TreeSettings
from tests.harness import needs, waiting
from tests.harness.mount_table import mount_at, tear_off
from tests.harness.mounted import PROGRAM
from tests.harness.programs import Finished, run


class Place:
    """A mount point, and the daemons that serve it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "mnt"
        self.path.mkdir()
        self.volumes = directory / "volumes"
        self.volumes.mkdir()

    @property
    def command(self) -> list[str]:
        """What mounts there."""
        return [*PROGRAM, "mount", str(self.path), "--volumes", f"dir:{self.volumes}", "--daemon"]

    def mount(self, status: int = 0, *, redirections: str = "") -> Finished:
        """Run the command to its end; this also waits until nobody has its output open any more."""
        return run(["sh", "-c", f'exec "$@" {redirections}', "sh", *self.command], status=status, timeout=60)

    def daemons(self) -> list[int]:
        """The processes that were started for this mount point."""
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if self._serves(process)]

    def _serves(self, process: Path) -> bool:
        try:
            return os.fsencode(self.path) in (process / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False

    def clear(self) -> None:
        """End what is left."""
        tear_off(self.path)
        if not waiting.holds_within(lambda: not self.daemons(), 30):
            for pid in self.daemons():
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def place(disk: Path) -> Iterator[Place]:
    needs.fuse()
    place = Place(disk)
    yield place
    place.clear()


def test_there_is_room_for_its_descriptors_from_the_start(place: Place) -> None:
    """A fork(2) gives the child a table that just fits, and to double it takes a daemon with threads many ms."""
    needs.descriptors(2 * TreeSettings.open_directories)
    place.mount()
    (daemon,) = place.daemons()
    told = dict(line.split(":", 1) for line in Path(f"/proc/{daemon}/status").read_text().splitlines())

    assert int(told["FDSize"]) >= 2 * TreeSettings.open_directories


def test_it_holds_nothing_that_its_caller_has_open(place: Place, disk: Path) -> None:
    """A script's lock, as of flock(1)."""
    with (disk / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        subprocess.run(place.command, check=True, close_fds=False, timeout=60, capture_output=True)
    (daemon,) = place.daemons()

    opened = {os.readlink(link) for link in Path(f"/proc/{daemon}/fd").iterdir()}
    assert str(disk / "lock") not in opened


def test_it_returns_when_the_mount_answers(place: Place) -> None:
    place.mount()

    assert mount_at(place.path) is not None
    (place.path / "file").write_text("x")
    assert os.listdir(place.path) == ["file"]


def test_the_daemon_ends_with_the_unmount(place: Place) -> None:
    place.mount()
    (daemon,) = place.daemons()

    run([*PROGRAM, "umount", place.path])

    waiting.until(lambda: not place.daemons(), f"the end of daemon {daemon}")


def test_the_daemon_is_detached(place: Place) -> None:
    place.mount()
    (daemon,) = place.daemons()

    assert os.getsid(daemon) == daemon
    assert [os.readlink(f"/proc/{daemon}/fd/{stream}") for stream in range(3)] == ["/dev/null"] * 3


@pytest.mark.parametrize("redirections", ["0<&- 1>&- 2>&-", "0<&-", "1>&-", "2>&-", "0<&- 2>&-"])
def test_it_mounts_also_where_its_caller_has_closed_descriptors(place: Place, redirections: str) -> None:
    place.mount(redirections=redirections)
    (daemon,) = place.daemons()

    assert (place.path / "file").write_text("x") == 1
    assert [os.readlink(f"/proc/{daemon}/fd/{stream}") for stream in range(3)] == ["/dev/null"] * 3


def test_it_tells_the_error_of_an_unusable_mount_point(place: Place) -> None:
    (place.path / "precious").write_text("mine")

    refused = place.mount(status=4)

    assert "is not empty" in refused.stderr.splitlines()[-1]
    assert place.daemons() == []


def test_it_tells_the_error_of_an_unreachable_store(place: Place) -> None:
    place.volumes.rmdir()

    refused = place.mount(status=3)

    assert str(place.volumes) in refused.stderr.splitlines()[-1]
    assert place.daemons() == []
