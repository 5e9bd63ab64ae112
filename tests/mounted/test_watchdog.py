"""systemd's watchdog: it hears of the daemon while requests are answered, and not while they hang."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.faulty_katafs import gated
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts
from tests.harness.programs import run
from tests.harness.waiting import until

PERIOD_S = 0.2
DESCRIPTORS = 256


@pytest.fixture
def systemd(listener: socket.socket, disk: Path) -> dict[str, str]:
    """The environment of a service with a watchdog."""
    return {"NOTIFY_SOCKET": str(disk / "notify"), "WATCHDOG_USEC": str(int(PERIOD_S * 1e6))}


def heard(listener: socket.socket) -> list[bytes]:
    """What has come and wasn't read yet."""
    messages = []
    listener.setblocking(False)
    try:
        while True:
            messages.append(listener.recv(4096))
    except BlockingIOError:
        return messages
    finally:
        listener.settimeout(60)


def open_files(directory: Path, opened: ExitStack) -> None:
    for number in range(DESCRIPTORS):
        opened.enter_context((directory / str(number)).open("x"))


def test_it_hears_of_a_mount_that_answers(listener: socket.socket, systemd: dict[str, str], mount: Mounts) -> None:
    mounted = mount(env=systemd)

    assert [listener.recv(4096) for _ in range(4)] == [b"READY=1", *[b"WATCHDOG=1"] * 3]
    mounted.stop()
    assert heard(listener)[-1] == b"STOPPING=1"


def test_it_goes_on_hearing_of_a_mount_that_was_taken_from_its_path(
    listener: socket.socket, systemd: dict[str, str], mount: Mounts
) -> None:
    """Or it would kill the daemon under those who are still inside."""
    mounted = mount(env=systemd)
    (mounted.path / "held").write_text("still here")
    with (mounted.path / "held").open() as file:
        run([*PROGRAM, "umount", "--lazy", mounted.path])
        heard(listener)

        assert [listener.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert file.read() == "still here"
    mounted.expect("not at its path any more, or covered")
    mounted.ended()
    assert mounted.log().count("not at its path any more") == 1


def test_it_goes_on_hearing_of_a_mount_whose_path_has_another_that_hangs(
    listener: socket.socket, systemd: dict[str, str], mount: Mounts, disk: Path
) -> None:
    mounted = mount(env=systemd)
    (mounted.path / "held").write_text("still here")
    gate = disk / "gate"
    with (mounted.path / "held").open():
        run([*PROGRAM, "umount", "--lazy", mounted.path])
        mounted.expect("not at its path any more, or covered")
        mount(program=gated("lookup", gate))
        heard(listener)

        assert [listener.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        Path(f"{gate}.open").touch()
    mounted.ended()


def test_it_goes_on_hearing_of_a_mount_whose_descriptors_programs_have_used_up(
    listener: socket.socket, systemd: dict[str, str], mount: Mounts
) -> None:
    """Or it would kill the daemon, and cut all of them off, for what one of them does."""
    needs.programs("prlimit")
    mounted = mount(env=systemd, program=("prlimit", f"--nofile={DESCRIPTORS}", *PROGRAM))
    mounted.expect("Too many open files")
    kata = mounted.path / "123456789A"
    kata.mkdir()
    with ExitStack() as opened:
        with pytest.raises(OSError, match="Too many open files"):
            open_files(kata, opened)
        heard(listener)

        messages = round(2 / PERIOD_S)  # for longer than the kernel keeps anything
        assert [listener.recv(4096) for _ in range(messages)] == [b"WATCHDOG=1"] * messages


def test_it_hears_nothing_while_requests_hang(
    listener: socket.socket, systemd: dict[str, str], mount: Mounts, disk: Path
) -> None:
    gate = disk / "gate"
    mount(env=systemd, program=gated("lookup", gate))
    assert listener.recv(4096) == b"READY=1"

    until(Path(f"{gate}.reached").exists, "the daemon's own request to hang")
    assert heard(listener) == []

    Path(f"{gate}.open").touch()
    assert listener.recv(4096) == b"WATCHDOG=1"


def test_a_daemon_that_hangs_can_be_killed(systemd: dict[str, str], mount: Mounts, disk: Path) -> None:
    """Its own request waits for itself, and must not keep it from ending."""
    gate = disk / "gate"
    mounted = mount(env=systemd, program=gated("lookup", gate))
    until(Path(f"{gate}.reached").exists, "the daemon's own request to hang")

    mounted.kill()

    assert mounted.status is not None


@pytest.mark.parametrize("odd", [{"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_PID": "1"}], ids=str)
def test_it_is_not_told_what_it_does_not_want_to_hear(
    listener: socket.socket, systemd: dict[str, str], mount: Mounts, odd: dict[str, str]
) -> None:
    mounted = mount(env={**systemd, **odd})
    mounted.stop()

    assert heard(listener) == [b"READY=1", b"STOPPING=1"]
