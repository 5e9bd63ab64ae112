"""What must go on where programs have as many files open as there may be."""

import os
import resource
import socket
from pathlib import Path

import pytest

from katafs.mount.mount_point import OwnMount
from katafs.observe import systemd
from katafs.rooted.comparing import differences
from tests.harness.programs import in_child


def leave_descriptors(count: int) -> None:
    """Have so many more than there are."""
    first = os.open("/", os.O_PATH)
    os.close(first)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first + count, first + count))


def use_up_descriptors() -> None:
    """Have no more than there are."""
    leave_descriptors(0)
    with pytest.raises(OSError, match="Too many open files"):
        os.open("/", os.O_PATH)


def is_there() -> bool:
    own = OwnMount("/proc")
    use_up_descriptors()
    return own.is_there()


def test_whether_the_mount_is_there_is_known_at_its_end() -> None:
    """Else it would be left at its path, dead."""
    assert in_child(is_there)


def notified() -> bool:
    use_up_descriptors()
    systemd.notify("WATCHDOG=1")
    return True


def test_what_systemd_can_not_be_told_ends_no_thread(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(disk / "notify"))
    assert in_child(notified)


def test_who_does_not_read_what_is_told_keeps_nobody_waiting(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(disk / "notify"))
    monkeypatch.setattr(systemd, "_PATIENCE_S", 0.1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(disk / "notify"))
        for _ in range(1000):
            systemd.notify("STATUS=full")
            if _is_full(disk / "notify"):
                break
        systemd.notify("STOPPING=1")
        assert listening.recv(100) == b"STATUS=full"


def left_after_comparing() -> int:
    top = os.open("/", os.O_PATH)
    leave_descriptors(1)
    with pytest.raises(OSError, match="Too many open files"):
        next(differences(top, top))
    return os.dup(top)


def test_a_comparison_that_can_not_begin_keeps_nothing_open() -> None:
    assert in_child(left_after_comparing)


def _is_full(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        try:
            asking.sendto(b"STATUS=full", str(path))
        except BlockingIOError:
            return True
    return False
