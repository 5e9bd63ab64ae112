"""What katafs uses of the system's modules is there on PyPy too: read from the source, as most tests run on CPython."""

import fcntl
import os
import re
from pathlib import Path
from types import ModuleType

import pytest

import katafs
from katafs import pypy

_LACKING = {
    os: """
    CLD_CONTINUED CLD_DUMPED CLD_EXITED CLD_KILLED CLD_STOPPED CLD_TRAPPED EFD_CLOEXEC EFD_NONBLOCK
    EFD_SEMAPHORE GRND_NONBLOCK GRND_RANDOM MFD_HUGE_16GB MFD_HUGE_16MB MFD_HUGE_1GB MFD_HUGE_1MB MFD_HUGE_256MB
    MFD_HUGE_2GB MFD_HUGE_2MB MFD_HUGE_32MB MFD_HUGE_512KB MFD_HUGE_512MB MFD_HUGE_64KB MFD_HUGE_8MB
    MFD_HUGE_MASK MFD_HUGE_SHIFT O_ACCMODE O_FSYNC O_PATH O_TMPFILE POSIX_SPAWN_CLOSE POSIX_SPAWN_DUP2
    POSIX_SPAWN_OPEN P_ALL P_PGID P_PID P_PIDFD RWF_APPEND RWF_DSYNC RWF_HIPRI RWF_NOWAIT RWF_SYNC SCHED_IDLE
    SCHED_RESET_ON_FORK SEEK_DATA SEEK_HOLE SPLICE_F_MORE SPLICE_F_MOVE SPLICE_F_NONBLOCK ST_APPEND ST_MANDLOCK
    ST_NOATIME ST_NODEV ST_NODIRATIME ST_NOEXEC ST_NOSUID ST_RDONLY ST_RELATIME ST_SYNCHRONOUS ST_WRITE WEXITED
    WNOWAIT WSTOPPED copy_file_range eventfd eventfd_read eventfd_write getrandom login_tty pidfd_open
    posix_spawn posix_spawnp preadv pwritev readv sched_getaffinity sched_setaffinity splice waitid
    waitid_result writev
    """,
    fcntl: """
    FASYNC F_ADD_SEALS F_DUPFD_CLOEXEC F_GETPIPE_SZ F_GET_SEALS F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW F_SEAL_GROW
    F_SEAL_SEAL F_SEAL_SHRINK F_SEAL_WRITE F_SETPIPE_SZ
    """,
}
"""What CPython 3.11 has on Linux, and PyPy 7.3.19, which is Debian 13's, has not."""


def _used(module: ModuleType) -> set[str]:
    sources = Path(katafs.__file__).parent.rglob("*.py")
    return {name for source in sources for name in re.findall(rf"\b{module.__name__}\.(\w+)", source.read_text())}


@pytest.mark.parametrize("module", _LACKING, ids=lambda module: str(module.__name__))
def test_what_is_used_and_lacking_is_added(module: ModuleType) -> None:
    lacking = _used(module) & set(_LACKING[module].split())

    assert lacking
    assert lacking <= {*pypy.LACKING[module], *pypy.OTHERWISE.get(module, ())}
