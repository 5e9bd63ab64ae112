"""`katafs doctor` finds each planted problem, that one alone, with its remedy: mounts and mount points."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.doctored import Report, doctor
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts
from tests.harness.other_mounts import memory_disk
from tests.harness.programs import run


def test_a_mount_that_answers_is_ok(mount: Mounts, volumes: Path) -> None:
    report = doctor(mount().path, "--volumes", f"dir:{volumes}")

    assert (report.status, report.the("mount").severity) == (0, "ok")
    assert report.the("mount").text.endswith("katafs is mounted there and answers")


def test_a_mount_whose_volumes_can_not_be_reached(mount: Mounts, volumes: Path, clean: Report) -> None:
    """Another disk is at their path by now, with which nothing is wrong."""
    needs.root()
    mounted = mount()
    with memory_disk(volumes):
        report = doctor(mounted.path, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("mount", "problem")})
    assert f"the directory of volumes {volumes} is gone: another one is in its place" in report.the("mount").text
    assert "mount again" in report.the("mount").remedy


def test_every_mount_is_looked_at_where_none_is_named(mount: Mounts, volumes: Path) -> None:
    path = mount().path

    report = doctor("--volumes", f"dir:{volumes}")

    assert f"{path}: katafs is mounted there and answers" in [found.text for found in report.findings]


def test_a_dead_daemons_mount(mount: Mounts, volumes: Path, clean: Report) -> None:
    mounted = mount()
    mounted.kill()

    report = doctor(mounted.path, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("mount", "problem")})
    assert "Transport endpoint is not connected" in report.the("mount").text
    assert f"katafs umount {mounted.path}" in report.the("mount").remedy


def test_a_daemon_that_hangs_holds_up_nobody(mount: Mounts, volumes: Path, clean: Report) -> None:
    mounted = mount()
    mounted.signal(signal.SIGSTOP)
    try:
        report = doctor(mounted.path, "--volumes", f"dir:{volumes}")
    finally:
        mounted.signal(signal.SIGCONT)

    assert (report.status, report.new_troubles(clean)) == (1, {("mount", "problem")})
    assert "doesn't answer" in report.the("mount").text
    assert "kill -USR1" in report.the("mount").remedy


def test_below_a_mount_that_hangs_the_remedy_is_for_that_one(mount: Mounts, volumes: Path, clean: Report) -> None:
    mounted = mount()
    below = mounted.path / "123456789A" / "there"
    below.mkdir(parents=True)
    mounted.signal(signal.SIGSTOP)
    try:
        report = doctor(below, "--volumes", f"dir:{volumes}")
        commands = [
            run([*PROGRAM, command, str(below), *options], status=4)
            for command, *options in (["mount", "--volumes", f"dir:{volumes}"], ["umount"])
        ]
    finally:
        mounted.signal(signal.SIGCONT)

    assert report.new_troubles(clean) == {("mount", "problem")}
    assert f"it is below {mounted.path}, whose daemon hangs" in report.the("mount").text
    assert f"katafs doctor {mounted.path}," in report.the("mount").remedy
    for command in commands:
        assert f"it is below {mounted.path}, whose daemon hangs" in command.stderr
        assert "--lazy" not in command.stderr


@pytest.mark.parametrize("is_mounted", [False, True], ids=["bare", "mounted"])
def test_a_mount_point_that_is_not_empty(
    is_mounted: bool, mount: Mounts, bare: Path, volumes: Path, clean: Report
) -> None:
    (bare / "precious").write_text("mine")
    if is_mounted:
        needs.root()
        mount("-o", "nonempty", at=bare)

    report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("mount-point", "problem")})
    assert "isn't empty" in report.the("mount-point").text
    assert f"move what is in {bare} elsewhere" in report.the("mount-point").remedy


@pytest.mark.parametrize("is_mounted", [False, True], ids=["bare", "mounted"])
def test_a_mount_point_that_others_may_fill(
    is_mounted: bool, mount: Mounts, bare: Path, volumes: Path, clean: Report
) -> None:
    bare.chmod(0o777)
    if is_mounted:
        needs.root()
        mount(at=bare)
        bare.chmod(0o755)  # the tree's own mode says nothing of what is beneath

    report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("mount-point", "problem")})
    assert "others may write to it while nothing is mounted (mode 0777)" in report.the("mount-point").text
    assert f"chmod go-w {bare} && chattr +i {bare}" in report.the("mount-point").remedy


@pytest.fixture
def immutable(bare: Path) -> Iterator[Path]:
    """A mount point that nobody can fill."""
    needs.root()
    needs.programs("chattr")
    run(["chattr", "+i", bare])
    yield bare
    run(["chattr", "-i", bare])


def test_a_mount_point_that_nobody_can_fill_is_ok(immutable: Path, mount: Mounts, volumes: Path) -> None:
    mount(at=immutable)

    assert doctor(immutable, "--volumes", f"dir:{volumes}").the("mount-point").severity == "ok"


def test_something_else_is_mounted_there(bare: Path, volumes: Path, clean: Report) -> None:
    needs.root()
    with memory_disk(bare):
        report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert report.new_troubles(clean) == {("mount", "problem")}
    assert report.the("mount").remedy == f"umount {bare}"
