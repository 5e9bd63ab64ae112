"""The daemon's log: one line an event, storms cut short and counted, and every thread's stack when asked."""

import errno
import shlex
import signal
from pathlib import Path

import pytest

from katafs.observe.limits import MOST
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts
from tests.harness.programs import NOBODY, run
from tests.harness.refusals import refused
from tests.mounted.conftest import Serve

KATA = "123456789A"
LOOKUPS = 5 * MOST


def test_a_storm_of_faults_is_told_a_few_times_and_counted(serve: Serve) -> None:
    served = serve("-o", "timeout=0")
    served.mounted.expect("is gone")
    elsewhere = served.store.rename(served.store.with_name("elsewhere"))
    for _ in range(LOOKUPS):
        with refused(errno.EIO):
            (served.top / KATA).stat()
    elsewhere.rename(served.store)

    served.mounted.stop()

    lines = [line for line in served.mounted.log().splitlines() if " failed operation=lookup " in line]
    *told, counted = lines
    assert len(told) == MOST
    assert f" left_out={LOOKUPS - MOST}" in counted


def test_each_line_is_an_event_with_its_values(mount: Mounts, disk: Path) -> None:
    mounted = mount()
    mounted.stop()

    words = [shlex.split(line.removeprefix("katafs: INFO: ")) for line in mounted.log().splitlines()]

    assert words == [
        ["volumes", f"store=dir:{disk}/volumes"],
        ["mounted", f"path={mounted.path}", "layout=flat", "read_only=false"],
        ["unmounts", "signal=SIGTERM"],
        ["ends", f"path={mounted.path}"],
    ]


def test_read_only_is_said(mount: Mounts) -> None:
    assert "read_only=true" in mount("--read-only").log()


def test_sigusr1_logs_where_every_thread_is_and_the_mount_lives_on(mount: Mounts) -> None:
    mounted = mount()

    mounted.signal(signal.SIGUSR1)

    for thread, at in {
        "MainThread": r"katafs/mount/session\.py:\d+ _wait < ",
        "katafs-fuse": r"katafs/fuse/readers\.py:\d+ _",
        "katafs-stacks": r"katafs/observe/stacks\.py:\d+ _wait < ",
    }.items():
        mounted.wait_for_log(rf"^katafs: INFO: stack of={thread} at=.*{at}.*\n")
    (mounted.path / KATA).mkdir()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["ls", "--volumes", "dir:{disk}/closed"], 3),
        (["mount", "{disk}/closed/in", "--volumes", "dir:{disk}/open"], 4),
        (["mount", "{disk}/open", "--volumes", "dir:{disk}/closed"], 3),
        (["config", "show", "--config", "{disk}/closed/in"], 2),
        (["status", "{disk}/closed/in"], 4),
        (["umount", "{disk}/closed/in"], 4),
        (["where", "{disk}/closed/in"], 1),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_somebody_may_not_read_is_no_traceback(disk: Path, arguments: list[str], status: int) -> None:
    (disk / "open").mkdir()
    (disk / "closed").mkdir(mode=0o700)
    (disk / "closed" / "in").mkdir()

    words = [word.format(disk=disk) for word in arguments]
    through = ["setpriv", f"--reuid={NOBODY.uid}", f"--regid={NOBODY.gid}", "--clear-groups"]
    said = run([*through, *PROGRAM, *words], status=status).stderr

    assert "Traceback" not in said
    assert len([line for line in said.splitlines() if "INFO" not in line]) == 1
