"""What a test needs of the machine. The only place where a test is skipped for want of something.

Where KATAFS_NO_SKIPS is 1, as in CI, a want is a failure, so that no test drops out unseen.
"""

import errno
import importlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.harness import one_file
from tests.harness.linux import linux_to_be

_FUSE_DEVICE = Path("/dev/fuse")
_AUTOFS_DEVICE = Path("/dev/autofs")
_LATENCY_DEVICE = Path("/dev/cpu_dma_latency")
_PROJECT = Path(__file__).resolve().parents[2]


def _want(reason: str) -> None:
    if os.environ.get("KATAFS_NO_SKIPS") == "1":
        pytest.fail(f"{reason} (and KATAFS_NO_SKIPS=1)", pytrace=False)
    pytest.skip(reason)


def cpython(what: str) -> None:
    """The daemon's Python is CPython: another one is no want of this machine's, so this is a skip everywhere."""
    if sys.implementation.name != "cpython":
        pytest.skip(f"needs CPython, for {what}")


def traced_allocations() -> ModuleType:
    """A Python that says how much memory it has allocated, and what asks it."""
    cpython("tracemalloc")
    return importlib.import_module("tracemalloc")


def allocations_that_fail() -> ModuleType:
    """A Python that can be let run out of memory, and what does that."""
    cpython("_testcapi")
    try:
        return importlib.import_module("_testcapi")
    except ImportError:
        _want("needs a Python with its own tests' _testcapi")
        raise


def root() -> None:
    """The test runs as root."""
    if os.geteuid() != 0:
        _want("needs root")


def programs(*names: str) -> None:
    """Programs that can be found on the PATH."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        _want(f"needs programs that are not installed: {', '.join(missing)}")


def fuse() -> None:
    """File systems in user space can be mounted."""
    if not os.access(_FUSE_DEVICE, os.R_OK | os.W_OK):
        _want(f"needs {_FUSE_DEVICE}, which is missing or not permitted")
    programs("fusermount3")


def file_system(kind: str) -> None:
    """Disks with this file system can be made and mounted."""
    root()
    programs(f"mkfs.{kind}", "losetup")
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "--quiet", kind], check=False)
    if kind not in Path("/proc/filesystems").read_text().split():
        _want(f"needs a kernel that has {kind}")


def has_autofs() -> bool:
    """Whether this kernel lets systemd mount something when somebody first comes. One that was built without can't be
    given it, so that is no want of the machine's."""
    return _AUTOFS_DEVICE.exists()


def processors() -> None:
    """The kernel can be asked to keep processors awake."""
    if not os.access(_LATENCY_DEVICE, os.R_OK | os.W_OK):
        _want(f"needs {_LATENCY_DEVICE}, which is missing or not permitted")


def passthrough() -> None:
    """The kernel reads and writes open files itself where it is let."""
    _linux(6, 9, "FUSE_PASSTHROUGH")


def closes_that_flush_nothing() -> None:
    """The kernel can be spared the flush at the close of an open file."""
    _linux(5, 16, "FOPEN_NOFLUSH")


def uncached_mappings() -> None:
    """The kernel can map and share an open file of which it keeps nothing."""
    _linux(6, 6, "FUSE_DIRECT_IO_ALLOW_MMAP")


def prune() -> None:
    """The kernel can be asked to let go of inodes that nobody uses."""
    _linux(6, 18, "FUSE_NOTIFY_PRUNE")


def zero_ranges() -> None:
    """The kernel passes fallocate(2) with FALLOC_FL_ZERO_RANGE on."""
    _kernel(one_file.kernel_passes_on_zero_ranges, "passes fallocate(2) with FALLOC_FL_ZERO_RANGE on")


def generations() -> None:
    """What is made where something was removed that is open still is another inode to the kernel."""
    _kernel(one_file.kernel_tells_generations_apart, "takes an inode of another generation for another one")


def attributes(directory: Path) -> None:
    """What is there takes extended attributes of users', as a tmpfs does since Linux 6.6."""
    try:
        os.setxattr(directory, "user.wanted", b"")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        _want(f"needs extended attributes of users' in {directory}")
    os.removexattr(directory, "user.wanted")


def expired_names() -> None:
    """The kernel can look a name up anew without forgetting it."""
    _linux(6, 2, "FUSE_EXPIRE_ONLY")
    _kernel(one_file.kernel_expires_names, "looks a name up anew without forgetting it")


def _kernel(can: Callable[[], bool], what: str) -> None:
    """As for `_linux`: a skip everywhere."""
    root()
    fuse()
    if not can():
        pytest.skip(f"needs a kernel that {what}")


def _linux(major: int, minor: int, what: str) -> None:
    """An older kernel is no want of this machine's, so this is a skip everywhere."""
    if linux_to_be() < (major, minor):
        pytest.skip(f"needs Linux {major}.{minor} for {what}")


def descriptors(count: int) -> None:
    """A process may have so many open at once, if it raises its own limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < count:
        _want(f"needs {count} descriptors, and may have {most}")


def docker() -> None:
    """A private Docker Engine can be started: its programs, the busybox its image is made of, and root."""
    root()
    programs("dockerd", "docker", "busybox", "setpriv")


def shared_data() -> Path:
    """The directory of real katas: KATAFS_SHARED_DATA, or `../shared/data` beside the project."""
    path = Path(os.environ.get("KATAFS_SHARED_DATA", _PROJECT.parent / "shared" / "data"))
    if not path.is_dir():
        _want(f"needs the real katas, which are not at {path}")
    return path
