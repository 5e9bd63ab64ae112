"""Where a test keeps its files: a directory on the disk, not in memory, that any user may reach.

pytest's own temporary directories are closed to other users, and lie in /tmp, which is a tmpfs on Debian 13.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.mount_table import mounts_below

PARENT = Path(os.environ.get("KATAFS_TEST_DIR", "/var/tmp"))


def fresh_directory() -> Path:
    """A new directory that every user may pass. The name is short: a socket's path has room for 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="katafs-", dir=PARENT))
    path.chmod(0o755)
    return path


def remove_directory(path: Path) -> None:
    """Delete a test's directory; refuses where something is still mounted, since its files would be deleted too."""
    left = mounts_below(path)
    if left:
        raise AssertionError(f"still mounted below {path}: {[mount.path for mount in left]}")
    shutil.rmtree(path)


def _opened_below(top: Path) -> list[str]:
    """What the test's own process holds open there."""
    targets = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing, and what another thread has just closed
            targets.append(os.readlink(f"/proc/self/fd/{number}"))
    return [target for target in targets if target.startswith(str(top))]


@pytest.fixture
def disk() -> Iterator[Path]:
    """A fresh directory on the disk, 0755, deleted after the test, which must have closed all that it opened there."""
    path = fresh_directory()
    yield path
    left = _opened_below(path)
    remove_directory(path)
    assert not left, f"still open: {left}"
