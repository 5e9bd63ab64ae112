"""An ordinary user mounts with fusermount3's help, and only for itself."""

import os
import shlex
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.few_threads import with_threads
from tests.harness.mounted import PROGRAM
from tests.harness.programs import NOBODY, Finished, run

_IN_A_NAMESPACE = 'mount --bind "$1" /dev/fuse && shift && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'


class Place:
    """A mount point and volumes that belong to nobody."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "mnt"
        self.volumes = directory / "volumes"
        for each in (self.path, self.volumes):
            each.mkdir()
            os.chown(each, NOBODY.uid, NOBODY.gid)
        # /dev/fuse is for everybody on most systems, and for root on some. The mounts of a test are its own.
        self._device = directory / "fuse"
        os.mknod(self._device, 0o20666, os.makedev(10, 229))
        self._device.chmod(0o666)

    def run(self, script: str, status: int | None = 0) -> Finished:
        """A shell script as nobody, to whom $KATAFS is the program, $MNT the mount point and $VOLUMES its volumes."""
        settings = {"KATAFS": shlex.join(PROGRAM), "MNT": str(self.path), "VOLUMES": f"dir:{self.volumes}"}
        shell = ["sh", "-ec", f"cd /; {script}"]
        argv: list[str | Path] = ["unshare", "--mount", "sh", "-ec", _IN_A_NAMESPACE, "sh", self._device, *shell]
        return run(argv, env=settings, status=status)


@pytest.fixture
def place(disk: Path) -> Place:
    needs.root()
    needs.fuse()
    needs.programs("unshare", "setpriv")
    return Place(disk)


def test_a_user_mounts_writes_reads_and_unmounts(place: Place) -> None:
    done = place.run(
        "$KATAFS mount $MNT --volumes $VOLUMES --daemon; echo hello >$MNT/f; cat $MNT/f; $KATAFS umount $MNT; ls $MNT"
    )

    assert done.stdout == "hello\n"
    assert (place.volumes / "katafs_root" / "f").read_text() == "hello\n"
    assert (place.volumes / "katafs_root" / "f").stat().st_uid == NOBODY.uid


def test_a_daemon_that_has_no_thread_left_for_its_start_leaves_no_mount(place: Place) -> None:
    """For want of a process, too, fusermount3 can't be run before it has ended its threads."""
    katafs = shlex.join(with_threads(5))
    done = place.run(f"{katafs} mount $MNT --volumes $VOLUMES || echo $?; cat /proc/self/mountinfo")

    status, table = done.stdout.split("\n", 1)
    assert (status, done.stderr.splitlines()[-1]) == ("1", "katafs: no thread can be had: can't start new thread")
    assert str(place.path) not in table


def test_a_users_mount_is_of_the_same_kind_as_roots(place: Place) -> None:
    done = place.run(
        "$KATAFS mount $MNT --volumes $VOLUMES --read-only --daemon || exit; "
        'grep " $MNT .*fuse.katafs" /proc/self/mountinfo; $KATAFS umount $MNT'
    )

    options, _, kind = done.stdout.partition(" - ")
    assert {"ro", "nosuid", "nodev"} <= set(options.split()[5].split(","))
    assert kind.split()[:2] == ["fuse.katafs", f"dir:{place.volumes}"]
    assert "default_permissions" in kind
    assert "allow_other" not in kind


def test_a_users_mount_whose_daemon_hangs_can_be_taken_away(place: Place) -> None:
    done = place.run(
        "$KATAFS mount $MNT --volumes $VOLUMES --daemon; "
        """pid=$(sed -n 's/^ "pid": \\([0-9]*\\),/\\1/p' $MNT/.katafs/status.json); kill -STOP $pid; """
        "trap 'kill -CONT $pid' EXIT; $KATAFS umount $MNT || echo refused; "
        'timeout 30 $KATAFS umount --lazy $MNT; grep " $MNT .*fuse.katafs" /proc/self/mountinfo || true'
    )

    assert done.stdout == "refused\n"
    assert "doesn't answer" in done.stderr


def test_a_signal_unmounts(place: Place) -> None:
    done = place.run(
        "$KATAFS mount $MNT --volumes $VOLUMES & "
        'until grep -q " $MNT .*fuse.katafs" /proc/self/mountinfo; do sleep 0.05; done; stat -f $MNT >/dev/null; '
        'kill $!; wait $!; grep " $MNT .*fuse.katafs" /proc/self/mountinfo || true'
    )

    assert done.stdout == ""


def test_what_fusermount3_refuses_is_said_in_one_line(place: Place) -> None:
    os.chown(place.path, 0, 0)

    done = place.run("$KATAFS mount $MNT --volumes $VOLUMES", status=4)

    (line,) = [line for line in done.stderr.splitlines() if "INFO" not in line]
    assert line.startswith(f"katafs: cannot mount on {place.path}: ")
    assert "fusermount3" in line
