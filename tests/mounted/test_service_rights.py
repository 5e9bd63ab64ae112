"""The capabilities that the systemd unit leaves the daemon are enough for all that root does through the mount."""

import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.mounted import PROGRAM, Mounted
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import NOBODY, run

_UNIT = Path(__file__).parents[2] / "systemd" / "katafs@.service"
_FILE_CAPABILITY = bytes.fromhex("01000002 00200000 00000000 00000000 00000000")
"""What `setcap cap_net_raw+ep` sets (capabilities(7), VFS_CAP_REVISION_2)."""


def _rights_of_the_unit() -> list[str]:
    (line,) = re.findall(r"^CapabilityBoundingSet=(.*)$", _UNIT.read_text(), re.MULTILINE)
    kept = ",".join("+" + name.removeprefix("CAP_").lower() for name in line.split())
    return ["setpriv", "--no-new-privs", "--bounding-set", f"-all,{kept}"]


@pytest.fixture(scope="module")
def mounted() -> Iterator[Mounted]:
    needs.root()
    needs.programs("setpriv")
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield mount(program=[*_rights_of_the_unit(), *PROGRAM])
    remove_directory(directory)


@pytest.fixture
def kata(mounted: Mounted) -> Iterator[Path]:
    """A kata of its own for each test, which anybody may write to."""
    path = mounted.path / "123456789A"
    path.mkdir()
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def test_the_daemon_has_only_these_rights(mounted: Mounted) -> None:
    status = Path(f"/proc/{mounted.pid}/status").read_text()

    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    (bounding,) = re.findall(r"^CapBnd:\s+(\w+)$", status, re.MULTILINE)
    assert int(bounding, 16).bit_count() == len(_rights_of_the_unit()[3].split(",")) - 1


def test_no_thread_may_exceed_quotas_whoever_mounts(disk: Path) -> None:
    """With CAP_SYS_RESOURCE (24, capabilities(7)) all who write through the mount could. Root has it in a user
    namespace of its own, if it hasn't any more on this machine."""
    needs.root()
    needs.programs("unshare")
    for name in ("mnt", "volumes"):
        (disk / name).mkdir()
    script = (
        f'katafs() {{ {shlex.join(PROGRAM)} "$@"; }}; cd {disk}; katafs mount mnt --volumes dir:volumes --daemon; '
        """pid=$(sed -n 's/^ "pid": \\([0-9]*\\),/\\1/p' mnt/.katafs/status.json); """
        "cat /proc/$$/status /proc/$pid/task/*/status; katafs umount mnt"
    )
    done = run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", script])

    shell, *threads = re.findall(r"^CapPrm:\s+(\w+)$\n^CapEff:\s+(\w+)$", done.stdout, re.MULTILINE)
    assert all(int(right, 16) >> 24 & 1 for right in shell)
    assert len(threads) > 1
    assert not any(int(right, 16) >> 24 & 1 for thread in threads for right in thread)


def test_what_another_user_creates_is_theirs(kata: Path) -> None:
    NOBODY.run(["touch", kata / "file"])

    assert (kata / "file").stat().st_uid == NOBODY.uid


def test_files_can_be_given_away_and_locked_up(kata: Path) -> None:
    (kata / "file").write_text("x")
    os.chown(kata / "file", 19661, 19661)
    (kata / "file").chmod(0o4000)

    assert (kata / "file").read_text() == "x"
    assert stat.S_IMODE((kata / "file").stat().st_mode) == 0o4000


def test_a_setgid_bit_stays_on_a_foreign_groups_directory(kata: Path) -> None:
    os.chown(kata, 19661, 19661)
    kata.chmod(0o2775)

    assert stat.S_IMODE(kata.stat().st_mode) == 0o2775


def test_devices_can_be_made(kata: Path) -> None:
    os.mknod(kata / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))

    assert (kata / "null").lstat().st_rdev == os.makedev(1, 3)


@pytest.mark.parametrize(
    ("name", "value"), [("user.note", b"x"), ("trusted.note", b"x"), ("security.capability", _FILE_CAPABILITY)]
)
def test_attributes_can_be_kept(kata: Path, name: str, value: bytes) -> None:
    (kata / "file").write_text("x")
    os.setxattr(kata / "file", name, value)

    assert os.getxattr(kata / "file", name) == value
