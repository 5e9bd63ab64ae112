"""How a mount ends: by a signal, by an unmount from outside, busy, or killed."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.faulty_katafs import gated
from tests.harness.mount_table import mount_at
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts
from tests.harness.programs import NOBODY, User, as_user, run

KATA = "123456789A"


@pytest.fixture
def held(mount: Mounts) -> Iterator[tuple[Path, int]]:
    """A mount, and the process that has its working directory in there."""
    path = mount().path
    holder = subprocess.Popen(["cat"], cwd=path, stdin=subprocess.PIPE)
    yield path, holder.pid
    holder.communicate()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda how: how.name)
def test_a_signal_unmounts_and_ends_with_0(mount: Mounts, how: signal.Signals) -> None:
    mounted = mount()

    mounted.stop(how)

    assert mounted.status == 0
    assert mount_at(mounted.path) is None


def test_the_end_of_a_terminal_is_nothing_to_who_has_none(mount: Mounts, listener: socket.socket) -> None:
    """systemd takes an end by SIGHUP for a clean one, after which it starts nothing anew (systemd.service(5))."""
    started_by_systemd = {"NOTIFY_SOCKET": str(listener.getsockname())}
    mounted = mount(env=started_by_systemd)
    mounted.signal(signal.SIGHUP)
    mounted.path.joinpath(KATA).mkdir()
    mounted.stop()

    by_nohup = mount(program=["nohup", *PROGRAM])
    by_nohup.signal(signal.SIGHUP)

    assert os.listdir(by_nohup.path) == [KATA]


def test_what_is_being_answered_at_the_end_has_its_answer(mount: Mounts, disk: Path) -> None:
    mounted = mount(program=gated("fsync", disk / "gate"))
    script = "import os, sys; os.fsync(os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)); print('synced')"
    argv = [sys.executable, "-c", script, str(mounted.path / "f")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as program:
        waiting.until((disk / "gate.reached").exists, "the request to be at work")
        mounted.signal(signal.SIGTERM)
        waiting.until(lambda: mount_at(mounted.path) is None, "the unmount")
        ended = waiting.holds_within(lambda: program.poll() is not None, 0.5)
        (disk / "gate.open").touch()
        said, _ = program.communicate(timeout=60)

    assert (ended, said) == (False, "synced\n")
    mounted.ended()


def test_a_signal_during_the_start_leaves_nothing_mounted(mount: Mounts) -> None:
    mounted = mount(ready=False)
    waiting.until(lambda: mount_at(mounted.path) is not None, "the mount")

    mounted.signal(signal.SIGTERM)

    mounted.ended()


def test_a_daemon_that_is_killed_before_its_mount_answers_ends(mount: Mounts, disk: Path) -> None:
    mounted = mount(program=gated("getattr", disk / "gate"), ready=False)
    waiting.until((disk / "gate.reached").exists, "its own question to itself")

    mounted.kill()

    assert mounted.status == -signal.SIGKILL


def test_the_bare_mount_point_is_empty_afterwards(mount: Mounts) -> None:
    mounted = mount()
    (mounted.path / KATA).mkdir()

    mounted.stop()

    assert os.listdir(mounted.path) == []


@pytest.mark.parametrize(
    "command",
    [["umount"], ["umount", "-f"], ["fusermount3", "-u"], [*PROGRAM, "umount"]],
    ids=["umount", "by force", "fusermount3", "katafs"],
)
def test_an_unmount_from_outside_ends_the_daemon_with_0(mount: Mounts, command: list[str]) -> None:
    needs.root()
    mounted = mount()

    run([*command, mounted.path])

    mounted.ended()


def test_an_abort_of_the_connection_is_a_failure(mount: Mounts) -> None:
    """After which systemd starts it anew; the kernel itself aborts where requests take longer than they may there."""
    needs.root()
    mounted = mount()
    minor = os.minor(os.stat(mounted.path).st_dev)

    aborting = 'cd /sys/fs/fuse/connections; mountpoint -q . || mount -t fusectl none .; echo 1 >"$PWD/$1/abort"'
    run(["unshare", "--mount", "sh", "-ec", aborting, "sh", str(minor)])
    mounted.ended(status=1)

    assert mounted.log().splitlines()[-1].startswith(f"katafs: {mounted.path}: the kernel has ended the connection")
    with pytest.raises(OSError, match="Transport endpoint is not connected"):
        os.listdir(mounted.path)
    again = mount(at=mounted.path)
    assert os.listdir(again.path) == []


def test_a_signal_after_an_unmount_from_outside_changes_nothing(mount: Mounts) -> None:
    mounted = mount()

    run(["fusermount3", "-u", mounted.path])
    mounted.signal(signal.SIGTERM)

    mounted.ended()


def test_a_busy_unmount_says_who_holds_it(held: tuple[Path, int]) -> None:
    path, holder = held

    refused = run([*PROGRAM, "umount", path], status=4)

    assert refused.stderr == f"katafs: {path}: is busy: {holder} (cat) {path}\n"
    assert len(refused.stderr.splitlines()) == 1
    assert mount_at(path) is not None


def test_a_busy_unmount_says_with_which_file(mount: Mounts) -> None:
    path = mount().path
    (path / "odd\nname").touch()
    with (path / "odd\nname").open() as file:
        holder = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[file.fileno()])
    refused = run([*PROGRAM, "umount", path], status=4)
    holder.communicate()

    assert f"{holder.pid} (cat) '{path}/odd\\nname'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_lazy_unmount_takes_a_busy_mount_away_and_the_daemon_ends_with_its_last_user(mount: Mounts) -> None:
    mounted = mount()
    (mounted.path / "held").write_text("still here")
    with (mounted.path / "held").open() as file:
        run([*PROGRAM, "umount", "--lazy", mounted.path])

        assert mount_at(mounted.path) is None
        assert file.read() == "still here"
        assert mounted.status is None
    mounted.ended()


@pytest.mark.parametrize("through", ["", "link"])
def test_a_lazy_unmount_asks_no_daemon_that_hangs(mount: Mounts, disk: Path, through: str) -> None:
    mounted = mount("-o", "timeout=0")
    (disk / "link").symlink_to("mnt")
    mounted.signal(signal.SIGSTOP)
    try:
        run([*PROGRAM, "umount", "--lazy", disk / through if through else mounted.path])
        assert mount_at(mounted.path) is None
    finally:
        mounted.signal(signal.SIGCONT)
    mounted.ended()


def test_an_unmount_says_that_a_daemon_hangs(mount: Mounts) -> None:
    mounted = mount("-o", "timeout=0")
    mounted.signal(signal.SIGSTOP)
    try:
        refused = run([*PROGRAM, "umount", mounted.path], status=4)
    finally:
        mounted.signal(signal.SIGCONT)

    assert f"{mounted.path}: doesn't answer" in refused.stderr
    assert f"katafs umount --lazy {mounted.path}" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert mount_at(mounted.path) is not None


@pytest.mark.parametrize("through", ["", "link"])
def test_a_second_mount_says_that_the_daemon_of_the_first_hangs(mount: Mounts, disk: Path, through: str) -> None:
    mounted = mount("-o", "timeout=0")
    (disk / "link").symlink_to("mnt")
    path = disk / through if through else mounted.path
    mounted.signal(signal.SIGSTOP)
    try:
        refused = run([*PROGRAM, "mount", path, "--volumes", f"dir:{disk}"], status=4)
    finally:
        mounted.signal(signal.SIGCONT)

    assert f"{mounted.path}: doesn't answer" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_signal_ends_a_busy_mount_too(mount: Mounts) -> None:
    mounted = mount()
    (mounted.path / "held").write_text("still here")
    with (mounted.path / "held").open():
        mounted.expect("busy")
        mounted.signal(signal.SIGTERM)
        mounted.ended()


def test_a_signal_to_a_daemon_whose_path_has_another_mount_by_now_leaves_that_one(mount: Mounts) -> None:
    old = mount()
    (old.path / "held").write_text("still here")
    with (old.path / "held").open():
        run([*PROGRAM, "umount", "--lazy", old.path])
        new = mount()
        old.signal(signal.SIGTERM)
        old.ended()

    assert (new.path / "held").read_text() == "still here"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'stat: cannot statx: Input/output error' >&2; exit 1", "stat: cannot statx: Input/output error"),
        ("exit 3", "stat ended with status 3"),
        (None, r".*No such file or directory: 'stat'"),
    ],
    ids=["refused", "silent", "no program"],
)
def test_a_mount_that_refuses_its_first_question_says_why(
    mount: Mounts, disk: Path, script: str | None, reason: str
) -> None:
    # Stands for a refusal by the mount: all that is made of it is what stat(1) says.
    (disk / "bin").mkdir()
    if script is not None:
        (disk / "bin" / "stat").write_text(f"#!/bin/sh\n{script}\n")
        (disk / "bin" / "stat").chmod(0o755)
    mounted = mount(env={"PATH": str(disk / "bin")}, ready=False)
    mounted.expect("the mount doesn't answer")

    mounted.wait_for_log(rf'the mount doesn\'t answer path=\S+ error="{reason}"')
    mounted.signal(signal.SIGTERM)
    mounted.ended()


def test_a_status_that_a_disk_keeps_does_not_keep_the_daemon(mount: Mounts, disk: Path) -> None:
    mounted = mount(program=gated("status", disk / "gate"))
    with subprocess.Popen(["cat", mounted.path / ".katafs/status.json"], stderr=subprocess.DEVNULL):
        waiting.until((disk / "gate.reached").exists, "the status to be made")
        mounted.signal(signal.SIGTERM)
        mounted.ended()


@pytest.mark.parametrize("user", [NOBODY, as_user(54321, 54321)], ids=["nobody", "nameless"])
@pytest.mark.parametrize("options", [[], ["--lazy"]], ids=["", "lazy"])
def test_an_unmount_of_somebody_elses_says_whose_it_is(mount: Mounts, user: User, options: list[str]) -> None:
    needs.root()
    path = mount().path

    refused = run([*PROGRAM, "umount", *options, path], status=4, user=user)

    said = f"katafs: {path}: was mounted by root: only root, or who mounted it, may unmount it\n"
    assert refused.stderr == said


def test_unmounting_what_is_not_mounted_is_refused(disk: Path) -> None:
    refused = run([*PROGRAM, "umount", disk], status=4)

    assert "not mounted" in refused.stderr


def test_the_path_answers_enotconn_while_the_daemon_is_dead(mount: Mounts) -> None:
    mounted = mount()
    (mounted.path / KATA).mkdir()

    mounted.kill()

    with pytest.raises(OSError) as refused:  # noqa: PT011  # the errno below is what matters
        os.listdir(mounted.path)
    assert refused.value.errno == errno.ENOTCONN


def test_a_dead_mount_is_cleaned_up_at_the_next_start(mount: Mounts) -> None:
    first = mount()
    (first.path / KATA).mkdir()
    (first.path / KATA / "manifest.json").write_text("{}")
    first.kill()

    second = mount()

    assert (second.path / KATA / "manifest.json").read_text() == "{}"


def test_a_dead_mount_can_be_unmounted(mount: Mounts) -> None:
    mounted = mount()
    mounted.kill()

    run([*PROGRAM, "umount", mounted.path])

    assert mount_at(mounted.path) is None


def test_systemd_is_told_when_the_mount_answers(listener: socket.socket, disk: Path, mount: Mounts) -> None:
    mounted = mount(env={"NOTIFY_SOCKET": str(disk / "notify")}, ready=False)

    assert listener.recv(4096) == b"READY=1"
    assert mount_at(mounted.path) is not None
    assert os.listdir(mounted.path) == []


def test_a_systemd_that_is_gone_does_not_matter(mount: Mounts, disk: Path) -> None:
    mounted = mount(env={"NOTIFY_SOCKET": str(disk / "gone")})

    mounted.stop()


def test_systemd_is_told_of_the_end(listener: socket.socket, disk: Path, mount: Mounts) -> None:
    mounted = mount(env={"NOTIFY_SOCKET": str(disk / "notify")})
    listener.recv(4096)

    mounted.stop()

    assert listener.recv(4096) == b"STOPPING=1"
