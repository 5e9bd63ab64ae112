"""The daemon is killed at any moment: what it had acknowledged is there after the next mount."""

import contextlib
import errno
import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import waiting
from tests.harness.mount_table import mount_at
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.system import recorder

KILLS = 50
FIRST_OF_A_ROUND = 1_000_000

pytestmark = pytest.mark.timeout(600)


class Writer:
    """A program that writes files on the mount and records them off it, until the mount is gone."""

    def __init__(self, directory: Path, records: Path, first: int) -> None:
        self._records = records
        self._argv = [sys.executable, recorder.__file__, str(directory), str(records), str(first)]
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, text=True)

    def recorded(self) -> list[dict[str, str]]:
        """What has been recorded up to now, a line that is being written left out."""
        if not self._records.exists():
            return []
        lines = self._records.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def wait_for_records(self, count: int) -> None:
        """Wait until so many files are recorded."""
        waiting.until(lambda: self._process.poll() is not None or len(self.recorded()) >= count, f"{count} records")
        assert self._process.poll() is None, "the writer ended before the daemon was killed"

    def ended(self) -> None:
        """Wait for its end, which must have come from the mount's."""
        out, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        assert "the mount is gone" in out

    def end(self) -> None:
        """Leave nothing of it running, whatever happened."""
        self._process.kill()
        self._process.communicate()


def _killed_while_writing(mounted: Mounted, records: Path, number: int) -> list[dict[str, str]]:
    """What a writer has recorded until the daemon was killed, at a moment that differs from one number to the next."""
    directory = mounted.path / "12" / "3456789A" / f"{number}"
    directory.mkdir(parents=True)
    writer = Writer(directory, records, number * FIRST_OF_A_ROUND)
    try:
        writer.wait_for_records(1 + random.Random(number).randrange(20))
        mounted.kill()
        writer.ended()
    finally:
        writer.end()
    return writer.recorded()


def _missing_or_broken(directory: Path, recorded: list[dict[str, str]]) -> list[str]:
    wrong = []
    for record in recorded:
        path = directory / record["name"]
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"
        if found != record["sha256"]:
            wrong.append(f"{record}: {found}")
    return wrong


def test_a_killed_daemon_loses_nothing_that_it_acknowledged(mount: Mounts, disk: Path) -> None:
    everything: dict[int, list[dict[str, str]]] = {}
    mounted = mount("--layout", "split")
    for number in range(KILLS):
        everything[number] = _killed_while_writing(mounted, disk / f"records-{number}", number)
        mounted = mount("--layout", "split")
        kata = mounted.path / "12" / "3456789A"
        assert _missing_or_broken(kata / f"{number}", everything[number]) == []
    for number, recorded in everything.items():
        assert _missing_or_broken(kata / f"{number}", recorded) == []
    assert sum(len(recorded) for recorded in everything.values()) > KILLS * 5


def test_a_dead_mount_says_that_it_is_not_connected(mount: Mounts) -> None:
    mounted = mount()
    mounted.kill()
    with pytest.raises(OSError) as caught:  # noqa: PT011  # the errno is looked at below
        os.listdir(mounted.path)
    assert caught.value.errno == errno.ENOTCONN


def test_the_next_start_cleans_a_dead_mount_up(mount: Mounts) -> None:
    mounted = mount()
    (mounted.path / "123456789A").mkdir()
    mounted.kill()
    again = mount()
    assert os.listdir(again.path) == ["123456789A"]
    again.stop()
    assert mount_at(again.path) is None


def test_an_open_file_of_a_dead_mount_fails_and_does_not_hang(mount: Mounts) -> None:
    mounted = mount()
    (mounted.path / "123456789A").mkdir()
    # With O_APPEND each write is a request, on every kernel.
    file = os.open(mounted.path / "123456789A" / "open", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, b"before")
        mounted.kill()
        with pytest.raises(OSError) as caught:  # noqa: PT011  # the errno is looked at below
            os.write(file, b"after")
        assert caught.value.errno in {errno.ENOTCONN, errno.ECONNABORTED}
    finally:
        with contextlib.suppress(OSError):  # close asks the daemon, too, and says so
            os.close(file)
    mounted = mount()
    assert (mounted.path / "123456789A" / "open").read_bytes() == b"before"


def test_an_open_file_that_the_kernel_writes_itself_loses_nothing_it_took(mount: Mounts) -> None:
    """From Linux 6.9 on the daemon's end is none of such a file's business."""
    mounted = mount()
    (mounted.path / "123456789A").mkdir()
    file = os.open(mounted.path / "123456789A" / "open", os.O_WRONLY | os.O_CREAT)
    written = b"before"
    try:
        os.write(file, written)
        mounted.kill()
        try:
            os.write(file, b"after")
            written += b"after"
        except OSError as refused:
            assert refused.errno in {errno.ENOTCONN, errno.ECONNABORTED}  # noqa: PT017  # it may as well be taken
    finally:
        with contextlib.suppress(OSError):
            os.close(file)
    mounted = mount()
    assert (mounted.path / "123456789A" / "open").read_bytes() == written
