"""The watchdog and the mount's first question, by a mount that is played, where there is no memory for a moment."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from katafs.mount import session
from katafs.mount.mount_point import OwnMount
from katafs.mount.serving import Serving
from katafs.mount.watchdog import Watchdog

PERIOD_S = 0.01


class Mount:
    """One that is at its path."""

    path = "/"

    def is_there(self) -> bool:
        return True


class Events:
    """Notes what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def answers(self) -> None:
        self.said.append("answers")


@pytest.fixture
def mount() -> OwnMount:
    return cast(OwnMount, Mount())


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Who hears of the daemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


@pytest.fixture(params=[MemoryError(), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))], ids=["Python", "the kernel"])
def starved(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first question finds no memory; to the next there is an answer."""
    failures, spawn = [request.param], os.posix_spawnp

    def asked(*_: object, **__: object) -> int:
        if failures:
            raise failures.pop()
        return spawn("true", ["true"], os.environ)

    monkeypatch.setattr(os, "posix_spawnp", asked)


@pytest.mark.usefixtures("starved")
def test_systemd_goes_on_hearing_of_a_mount_that_answers(mount: OwnMount, systemd: socket.socket) -> None:
    """Else it would kill the daemon, and with it all that programs have open."""
    watchdog = Watchdog(mount, PERIOD_S)
    watchdog.start()
    try:
        assert systemd.recv(100) == b"WATCHDOG=1"
    finally:
        watchdog.close()


@pytest.mark.usefixtures("starved")
def test_a_mount_that_answers_is_said_to(mount: OwnMount) -> None:
    """Else whoever waits for the mount would wait for ever."""
    events = Events()
    session._try(mount, cast(Serving, None), cast(session._Events, events))  # noqa: SLF001

    assert events.said == ["answers"]
