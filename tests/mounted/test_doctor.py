"""`katafs doctor` finds each planted problem, that one alone, with its remedy: the machine and the volumes."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from katafs.cli.doctor import of_volumes
from katafs.doctor.findings import Finding, Severity
from tests.harness import needs
from tests.harness.doctored import Report, doctor, planted
from tests.harness.ext4_disks import ext4_disk
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts
from tests.harness.other_mounts import bound, memory_disk
from tests.harness.programs import in_child, run

KATA = "123456789A"


def test_a_clean_machine_is_0(clean: Report) -> None:
    assert clean.status == 0
    assert "problem" not in {found.severity for found in clean.findings}


def test_volumes_that_every_user_can_come_to_are_named(disk: Path) -> None:
    (disk / "bare").mkdir()
    place = disk / "open"
    place.mkdir(0o755)

    note = doctor(disk / "bare", "--volumes", f"dir:{place}").the("access")
    assert note.severity == "note"
    assert str(place) in note.text
    run(["sh", "-c", note.remedy.partition(",")[0]])

    closed = doctor(disk / "bare", "--volumes", f"dir:{place}")
    assert "access" not in {found.check for found in closed.findings}


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_what_is_below_a_closed_directory_is_closed(disk: Path, mode: int) -> None:
    (disk / "bare").mkdir()
    place = disk / "above" / "volumes"
    place.mkdir(parents=True)
    place.parent.chmod(mode)

    checks = {found.check for found in doctor(disk / "bare", "--volumes", f"dir:{place}").findings}

    assert ("access" in checks) == (mode == 0o755)


def test_the_text_says_the_same_and_has_every_remedy(volumes: Path, disk: Path) -> None:
    shown = run([*PROGRAM, "doctor", disk / "nowhere", "--volumes", f"dir:{volumes}"], status=1).stdout

    assert f"problem  mount        {disk}/nowhere: No such file or directory\n" in shown
    assert f"remedy: mkdir {disk}/nowhere, or name another mount point\n" in shown


def test_a_disk_that_is_full(bare: Path, volumes: Path, clean: Report) -> None:
    needs.root()
    with memory_disk(volumes):
        fill(volumes / "filler")
        report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("space", "problem")})
    assert report.the("space").text == f"{volumes}: 0.0 MB free, 0.0 %"
    assert "ENOSPC" in report.the("space").remedy


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(1 << 20)):
                pass
        except OSError:
            return


def test_a_disk_without_inodes(bare: Path, volumes: Path, clean: Report) -> None:
    needs.root()
    with memory_disk(volumes):
        run(["mount", "-o", "remount,nr_inodes=3", volumes])
        (volumes / KATA).mkdir()
        (volumes / KATA / "last").write_text("")
        report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("inodes", "problem")})
    assert "more inodes" in report.the("inodes").remedy


def test_a_disk_that_is_mounted_read_only(bare: Path, volumes: Path, clean: Report) -> None:
    needs.root()
    (volumes / KATA).mkdir()
    with bound(volumes / KATA, volumes / KATA, "ro"):
        report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("read-only", "problem")})
    assert report.the("read-only").text == f"volume {KATA}: mounted read-only, so that nothing can be stored"
    assert "remount,rw" in report.the("read-only").remedy


def test_a_disk_that_stores_nothing_more_after_an_error(bare: Path, volumes: Path, clean: Report) -> None:
    """ext4 isn't mounted read-only for that on newer kernels, and says so among its options alone."""
    needs.root()
    with ext4_disk(volumes / KATA, image_in=volumes):
        run(["mount", "-o", "remount,errors=remount-ro", volumes / KATA])
        device = Path(run(["findmnt", "-no", "SOURCE", volumes / KATA]).stdout.strip()).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")
        report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("read-only", "problem")})
    assert report.the("read-only").text.startswith(f"volume {KATA}: ")
    assert "dmesg" in report.the("read-only").remedy


def test_a_volume_that_is_refused(bare: Path, volumes: Path, clean: Report) -> None:
    (volumes / KATA).symlink_to("/etc")

    report = doctor(bare, "--volumes", f"dir:{volumes}")

    assert (report.status, report.new_troubles(clean)) == (1, {("refused", "problem")})
    assert f"volume {KATA} is refused: {volumes}/{KATA} is not a directory" in report.the("refused").text
    assert report.the("refused").remedy


def test_a_store_that_is_not_there(bare: Path, volumes: Path, clean: Report) -> None:
    report = doctor(bare, "--volumes", f"dir:{volumes}/none")

    assert (report.status, report.new_troubles(clean)) == (1, {("volumes", "problem")})
    assert "make the directory" in report.the("volumes").remedy


def test_a_disk_that_hangs_below_a_volume_holds_up_nobody(mount: Mounts, disk: Path, volumes: Path) -> None:
    (disk / "katas" / KATA).mkdir(parents=True)
    mounted = mount(at=disk / "katas" / KATA, volumes=f"dir:{volumes}")
    mounted.signal(signal.SIGSTOP)
    try:
        (found,) = in_child(of_katas, f"dir:{disk}/katas")
    finally:
        mounted.signal(signal.SIGCONT)

    assert (found.check, found.severity) == ("volumes", Severity.PROBLEM)
    assert "a disk below one of them hangs" in found.text
    assert found.remedy


def of_katas(store: str) -> list[Finding]:
    return list(of_volumes(store, "", [], seconds=2))


def test_an_engine_that_is_not_there(bare: Path, clean: Report) -> None:
    report = doctor(bare, "--volumes", "docker")

    assert (report.status, report.new_troubles(clean)) == (1, {("volumes", "problem")})
    assert "/nonexistent/docker.sock" in report.the("volumes").text
    assert "systemctl start docker" in report.the("volumes").remedy


def test_too_few_descriptors(bare: Path, volumes: Path, clean: Report) -> None:
    report = doctor(bare, "--volumes", f"dir:{volumes}", through=["prlimit", "--nofile=1000:1000"])

    assert (report.status, report.new_troubles(clean)) == (1, {("descriptors", "problem")})
    assert "only 1000 open files" in report.the("descriptors").text
    assert "LimitNOFILE=65536" in report.the("descriptors").remedy


def test_no_program_that_mounts_for_others(bare: Path, volumes: Path, clean: Report) -> None:
    report = doctor(bare, "--volumes", f"dir:{volumes}", env={"PATH": "/nonexistent"})

    severity = "note" if os.geteuid() == 0 else "problem"
    assert report.new_troubles(clean) == {("fusermount", severity)}
    assert report.the("fusermount").remedy == "apt-get install fuse3"


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("mount --bind /dev/null /dev/fuse", "No such device"),
        ("mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3", "No such file or directory"),
    ],
    ids=["another", "none"],
)
def test_no_fuse_device(prepare: str, said: str, bare: Path, volumes: Path, clean: Report) -> None:
    needs.root()
    report = doctor(bare, "--volumes", f"dir:{volumes}", through=planted(prepare))

    assert (report.status, report.new_troubles(clean)) == (1, {("fuse", "problem")})
    assert report.the("fuse").text == f"/dev/fuse can't be used: {said}"
    assert "modprobe fuse" in report.the("fuse").remedy


def test_a_private_mount_namespace(bare: Path, volumes: Path, clean: Report) -> None:
    needs.root()
    own = [*planted("true"), "unshare", "--mount"]

    report = doctor(bare, "--volumes", f"dir:{volumes}", through=own)

    assert (report.status, report.new_troubles(clean)) == (1, {("namespace", "problem")})
    assert "nsenter --target 1 --mount" in report.the("namespace").remedy


def test_the_machines_own_mount_namespace_is_ok(bare: Path, volumes: Path) -> None:
    needs.root()

    assert doctor(bare, "--volumes", f"dir:{volumes}", through=planted("true")).the("namespace").severity == "ok"


@pytest.mark.parametrize(("pruned", "wanted"), [("nfs fuse.sshfs", "note"), ("nfs fuse.katafs", "ok")])
def test_an_updatedb_that_walks_the_tree(pruned: str, wanted: str, bare: Path, volumes: Path, disk: Path) -> None:
    needs.root()
    (disk / "etc").mkdir()
    (disk / "etc/updatedb.conf").write_text(f'PRUNE_BIND_MOUNTS="yes"\nPRUNEFS="{pruned}"\n')

    report = doctor(bare, "--volumes", f"dir:{volumes}", through=planted(f"mount --bind {disk}/etc /etc"))

    assert report.the("updatedb").severity == wanted
    assert ("sed -i" in report.the("updatedb").remedy) == (wanted == "note")


def test_its_remedy_for_updatedb_is_one(disk: Path, bare: Path, volumes: Path) -> None:
    needs.root()
    (disk / "etc").mkdir()
    (disk / "etc/updatedb.conf").write_text('PRUNEFS="nfs"\n')
    through = planted(f"mount --bind {disk}/etc /etc")
    remedy = doctor(bare, "--volumes", f"dir:{volumes}", through=through).the("updatedb").remedy.partition(": ")[2]

    subprocess.run([*through, "sh", "-c", remedy], check=True)

    assert doctor(bare, "--volumes", f"dir:{volumes}", through=through).the("updatedb").severity == "ok"
