"""What PyPy's standard library lacks of CPython's, or does otherwise, where katafs needs it; and libc in the quick way.

Only PyPy imports this: katafs/__init__.py. What a later PyPy has is left as it is.
"""

import errno
import fcntl
import gc
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cffi

_ffi = cffi.FFI()
_ffi.cdef(
    """
    struct iovec { void *base; size_t size; };
    long syscall(long number, int directory, const char *name, const char *how, size_t size);
    unsigned setfsuid(unsigned uid);
    unsigned setfsgid(unsigned gid);
    ssize_t read(int descriptor, void *buffer, size_t size);
    ssize_t readv(int descriptor, const struct iovec *buffers, int count);
    ssize_t writev(int descriptor, const struct iovec *buffers, int count);
    ssize_t preadv(int descriptor, const struct iovec *buffers, int count, int64_t offset);
    ssize_t pwritev2(int descriptor, const struct iovec *buffers, int count, int64_t offset, int flags);
    ssize_t copy_file_range(int from, int64_t *start, int to, int64_t *to_start, size_t size, unsigned flags);
    int close(int descriptor);
    int eventfd(unsigned count, int flags);
    int mknodat(int directory, const char *path, unsigned mode, uint64_t device);
    int posix_spawn_file_actions_init(void *actions);
    int posix_spawn_file_actions_destroy(void *actions);
    int posix_spawn_file_actions_addopen(void *actions, int number, const char *path, int flags, unsigned mode);
    int posix_spawn_file_actions_adddup2(void *actions, int number, int to);
    int posix_spawnp(int *pid, const char *program, void *actions, void *attributes, char **words, char **environment);
    """
)
libc = _ffi.dlopen(None)
"""ctypes takes ten times as long for a call as this does."""

_AT_FDCWD = -100
_NOTHING_YET = os.strerror(errno.EAGAIN)
_ACTIONS_BYTES = 256
"""More than posix_spawn_file_actions_t takes of any libc (80)."""
NUMBERS = {
    os: {
        "EFD_CLOEXEC": os.O_CLOEXEC,
        "EFD_NONBLOCK": os.O_NONBLOCK,
        "O_ACCMODE": 3,
        "O_PATH": 0o10000000,
        "POSIX_SPAWN_OPEN": 0,
        "POSIX_SPAWN_DUP2": 2,
        "RWF_APPEND": 0x10,
        "RWF_DSYNC": 0x2,
        "RWF_SYNC": 0x4,
        "SEEK_DATA": 3,
        "SEEK_HOLE": 4,
        "ST_RDONLY": 1,
    },
    fcntl: {"F_DUPFD_CLOEXEC": 1030, "F_OFD_SETLK": 37, "F_OFD_SETLKW": 38},
}
"""Of fcntl.h, spawn.h, linux/fs.h and statvfs.h. They are the same on every architecture that PyPy is built for."""


def last_errno() -> int:
    """The errno of this thread's last call by `libc`."""
    return int(_ffi.errno)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(_ffi.errno, os.strerror(_ffi.errno))
    return result


def _vectored(call: Callable[..., int], descriptor: int, buffers: Sequence[object], *more: int) -> int:
    """What the call gives for the buffers. They are lent to it no longer than that."""
    views = [_ffi.from_buffer(each) for each in buffers]
    return call(descriptor, _ffi.new("struct iovec[]", [(each, len(each)) for each in views]), len(views), *more)


def _read(descriptor: int, buffer: object) -> int:
    view = _ffi.from_buffer(buffer)
    return int(libc.read(descriptor, view, len(view)))


def readv(descriptor: int, buffers: Sequence[object]) -> int:
    """PyPy's own takes 2.6 µs to say that there is nothing yet, and this 0.6: so who asks again and again is sooner."""
    if len(buffers) > 1:
        return _checked(_vectored(libc.readv, descriptor, buffers))
    count = _read(descriptor, buffers[0])
    if count < 0 and _ffi.errno == errno.EAGAIN:
        raise BlockingIOError(errno.EAGAIN, _NOTHING_YET)
    return _checked(count)


def writev(descriptor: int, buffers: Sequence[object]) -> int:
    return _checked(_vectored(libc.writev, descriptor, buffers))


def preadv(descriptor: int, buffers: Sequence[object], offset: int) -> int:
    return _checked(_vectored(libc.preadv, descriptor, buffers, offset))


def pwritev(descriptor: int, buffers: Sequence[object], offset: int, flags: int = 0) -> int:
    return _checked(_vectored(libc.pwritev2, descriptor, buffers, offset, flags))


def copy_file_range(src: int, dst: int, count: int, offset_src: int, offset_dst: int) -> int:
    start, to_start = _ffi.new("int64_t *", offset_src), _ffi.new("int64_t *", offset_dst)
    return _checked(libc.copy_file_range(src, start, dst, to_start, count, 0))


def close(fd: int) -> None:
    """PyPy's own lets no other thread run meanwhile, and a file on a disk that hangs may take for ever to close."""
    _checked(libc.close(fd))


def eventfd(initval: int, flags: int = os.O_CLOEXEC) -> int:
    return _checked(libc.eventfd(initval, flags))


def eventfd_write(fd: int, value: int) -> None:
    os.write(fd, _ffi.buffer(_ffi.new("uint64_t *", value))[:])


def mknod(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    mode: int = 0o600,
    device: int = 0,
    *,
    dir_fd: int | None = None,
) -> None:
    """PyPy's own takes no device from 2^31 on, which is a major number from 2048 on or a minor one from 2^19 on."""
    _checked(libc.mknodat(_AT_FDCWD if dir_fd is None else dir_fd, os.fsencode(path), mode, device))


def posix_spawnp(
    path: str, argv: Sequence[str], env: Mapping[str, str], *, file_actions: Sequence[tuple[object, ...]] = ()
) -> int:
    """Knows the actions POSIX_SPAWN_OPEN and POSIX_SPAWN_DUP2."""
    actions, pid = _ffi.new("char[]", _ACTIONS_BYTES), _ffi.new("int *")
    words, environment = _strings(argv), _strings([f"{name}={value}" for name, value in env.items()])
    _spawn_checked(libc.posix_spawn_file_actions_init(actions))
    try:
        for kind, *what in file_actions:
            if kind == NUMBERS[os]["POSIX_SPAWN_OPEN"]:
                number, name, flags, mode = what
                _spawn_checked(
                    libc.posix_spawn_file_actions_addopen(actions, number, os.fsencode(name), flags, mode)  # type: ignore[arg-type]
                )
            else:
                _spawn_checked(libc.posix_spawn_file_actions_adddup2(actions, *what))
        _spawn_checked(libc.posix_spawnp(pid, os.fsencode(path), actions, _ffi.NULL, words[0], environment[0]), path)
    finally:
        libc.posix_spawn_file_actions_destroy(actions)
    return int(pid[0])


def _strings(texts: Sequence[str]) -> tuple[object, list[object]]:
    """An array of strings that ends with NULL, and what has to be kept as long as it."""
    kept: list[object] = [_ffi.new("char[]", os.fsencode(each)) for each in texts]
    return _ffi.new("char *[]", [*kept, _ffi.NULL]), kept


def _spawn_checked(number: int, path: str | None = None) -> None:
    """These give an errno."""
    if number:
        raise OSError(number, os.strerror(number), path)


_getsignal = signal.getsignal


def getsignal(signalnum: int) -> object:
    """PyPy's own takes what the process was begun to ignore, as by nohup(1), for what has the default."""
    known = _getsignal(signalnum)
    return signal.SIG_IGN if known == signal.SIG_DFL and _is_ignored(signalnum) else known


def _is_ignored(number: int) -> bool:
    mask = Path("/proc/self/status").read_text().partition("SigIgn:")[2].split()[0]
    return bool(int(mask, 16) >> (number - 1) & 1)


_begin_record = logging.LogRecord.__init__


def begin_record(record: logging.LogRecord, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  as LogRecord has it
    """With PyPy's own attributes a record would say its values in the order in which an earlier one got them; those of
    a dictionary that it is given keep their own."""
    _begin_record(record, *arguments, **named)
    record.__dict__ = dict(vars(record))


def _nothing(*_: object) -> None:
    """Of the collector: PyPy's is another one, and needs no such hint."""


LACKING: Mapping[ModuleType, Mapping[str, object]] = {
    os: {
        **NUMBERS[os],
        "copy_file_range": copy_file_range,
        "eventfd": eventfd,
        "eventfd_write": eventfd_write,
        "posix_spawnp": posix_spawnp,
        "preadv": preadv,
        "pwritev": pwritev,
        "writev": writev,
    },
    fcntl: NUMBERS[fcntl],
    gc: {"freeze": _nothing, "set_threshold": _nothing},
}


OTHERWISE: Mapping[ModuleType | type, Mapping[str, object]] = {
    os: {"close": close, "mknod": mknod, "readv": readv},
    logging.LogRecord: {"__init__": begin_record},
    signal: {"getsignal": getsignal},
}


def complete() -> None:
    """Add what is lacking, and replace what is otherwise."""
    for module, additions in LACKING.items():
        for name, addition in additions.items():
            if not hasattr(module, name):
                setattr(module, name, addition)
    for owner, replacements in OTHERWISE.items():
        for name, replacement in replacements.items():
            setattr(owner, name, replacement)
