"""What a machine of the tests' own has of this one."""

from pathlib import Path

from tests.harness.other_mounts import memory_disk
from tests.harness.own_root import OwnRoot


def test_it_holds_no_mount_of_another_test(disk: Path) -> None:
    """Who unmounts a disk image, or ends a daemon, waits for the last mount of it anywhere."""
    (disk / "other").mkdir()
    with memory_disk(disk / "other"):
        seen = OwnRoot(disk).run(f"ls -d {disk}/other; cat /proc/self/mountinfo").stdout

    (first, *mounts) = seen.splitlines()
    assert first == f"{disk}/other"
    assert [mount for mount in mounts if f"{disk}/other" in mount] == []
