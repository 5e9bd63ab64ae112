"""`mount -t fuse.katafs`, and lines of fstab, by the real mount(8)."""

import re
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.engine import Engine
from tests.harness.fstab import Machine

KATA = "123456789A"
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def machine(disk: Path) -> Machine:
    """A machine with the helper, a store with a kata, and a mount point `$MNT`."""
    needs.root()
    needs.fuse()
    (disk / "volumes" / KATA).mkdir(parents=True)
    (disk / "volumes" / KATA / "manifest.json").write_text("{}")
    (disk / "mnt").mkdir()
    return Machine(disk, {"VOLUMES": str(disk / "volumes"), "MNT": str(disk / "mnt")})


def test_mount_and_umount(machine: Machine) -> None:
    shown = machine.run(
        "mount -t fuse.katafs dir:$VOLUMES $MNT; findmnt -no FSTYPE $MNT; ls $MNT; umount $MNT; ls $MNT"
    )

    assert shown.stdout.split() == ["fuse.katafs", KATA]


def test_the_helper_returns_when_the_mount_answers_and_keeps_no_terminal(machine: Machine) -> None:
    # What reads to the end of its output would wait for a daemon that held it.
    shown = machine.run("said=$(mount -t fuse.katafs dir:$VOLUMES $MNT 2>&1); ls $MNT")

    assert shown.stdout.split() == [KATA]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ("layout=split", "12"),
        ("layout=flat,nofail,_netdev,x-systemd.after=docker.service,noatime", KATA),
        ("prefix=1,layout=flat", ""),
        ("defaults", KATA),
    ],
)
def test_a_line_of_fstab(machine: Machine, disk: Path, options: str, shown: str) -> None:
    line = f"dir:{disk}/volumes {disk}/mnt fuse.katafs {options} 0 0\n"

    assert machine.run("mount -T $FSTAB -a; ls $MNT", fstab=line).stdout.strip() == shown


@pytest.mark.parametrize("source", ["volumes", "./volumes", "/volumes//", "volumes/.", "link", "a,b", "a\\040b"])
def test_mount_a_again_does_nothing(machine: Machine, disk: Path, source: str) -> None:
    """mount(8) knows what it has mounted by the words of the line."""
    for name in ("a,b", "a b"):
        (disk / name).mkdir()
    (disk / "link").symlink_to("volumes")
    line = f"dir:{disk}/{source} {disk}/mnt fuse.katafs defaults 0 0\n"

    machine.run("mount -T $FSTAB -a; mount -T $FSTAB -a; umount $MNT; ! mountpoint -q $MNT", fstab=line)


def test_read_only(machine: Machine) -> None:
    shown = machine.run("mount -t fuse.katafs dir:$VOLUMES $MNT -r; ! touch $MNT/file; findmnt -no OPTIONS $MNT")

    assert "Read-only file system" in shown.stderr
    assert "ro" in shown.stdout.strip().split(",")


def test_the_old_disk_of_a_line(machine: Machine, disk: Path) -> None:
    (disk / "old/AB/CDEF0123").mkdir(parents=True)
    line = f"dir:{disk}/volumes {disk}/mnt fuse.katafs legacy={disk}/old,convert=never,sandboxes=avatar,tags=off 0 0\n"

    assert machine.run("mount -T $FSTAB -a; ls $MNT", fstab=line).stdout.split() == [KATA, "AB", "ABCDEF0123"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("sideways", "-o sideways: is not an option of katafs"),
        ("layout=round", "'round' is not one of 'flat', 'split'"),
    ],
)
def test_an_unknown_option_is_a_clear_error(machine: Machine, options: str, said: str) -> None:
    refused = machine.run(f"mount -t fuse.katafs dir:$VOLUMES $MNT -o {options}", status=1)

    assert said in refused.stderr


@pytest.mark.parametrize("options", ["noexec", "user", "users"])
def test_no_program_that_is_in_it_runs_where_a_line_says_so(machine: Machine, disk: Path, options: str) -> None:
    kata = disk / "volumes" / "ABCDEF0123"
    kata.mkdir()
    (kata / "program").write_text("#!/bin/sh\n")
    (kata / "program").chmod(0o755)
    line = f"dir:{disk}/volumes {disk}/mnt fuse.katafs {options} 0 0\n"

    refused = machine.run("mount -T $FSTAB $MNT; $MNT/ABCDEF0123/program", status=126, fstab=line)

    assert "Permission denied" in refused.stderr


def test_a_remount_is_refused_and_leaves_the_mount_alone(machine: Machine) -> None:
    done = machine.run(
        "mount -t fuse.katafs dir:$VOLUMES $MNT; ! mount -o remount,ro $MNT; "
        "findmnt -no FSTYPE,OPTIONS $MNT; umount $MNT"
    )

    assert "-o remount: katafs can't be remounted: unmount it, and mount it again" in done.stderr
    assert "fuse.katafs rw," in done.stdout


def test_an_unknown_store_is_wrong_usage(machine: Machine) -> None:
    assert "is neither docker nor dir:PATH" in machine.run("mount -t fuse.katafs katas $MNT", status=1).stderr


@pytest.mark.parametrize(
    ("what", "said"),
    [("dir:$VOLUMES/none $MNT", "volumes/none does not exist"), ("dir:$VOLUMES $VOLUMES", "would cover")],
)
def test_a_mount_that_fails_is_32(machine: Machine, what: str, said: str) -> None:
    assert said in machine.run(f"mount -t fuse.katafs {what}", status=32).stderr


def test_a_fake_mount_mounts_nothing(machine: Machine) -> None:
    machine.run("mount -f -v -n -t fuse.katafs dir:$VOLUMES $MNT; ! mountpoint -q $MNT")


@pytest.mark.xdist_group("docker")
def test_the_readmes_line(engine: Engine, disk: Path) -> None:
    needs.fuse()
    (line,) = re.findall(r"^    (docker +/katas +fuse\.katafs .*)$", README.read_text(), re.MULTILINE)
    engine.cli("volume", "create", KATA)
    (disk / "mnt").mkdir()
    try:
        machine = Machine(disk, {**engine.env, "MNT": str(disk / "mnt")})
        shown = machine.run("mount -T $FSTAB -a; ls -d $MNT/*/*", fstab=line.replace("/katas", f"{disk}/mnt") + "\n")
    finally:
        engine.cli("volume", "rm", KATA)

    assert f"{disk}/mnt/12/3456789A" in shown.stdout.split()
