"""The attacker of the symlink races: works on a volume's own directory, as root in a container would.

Run as a program of its own, `swapper.py KIND PATH OTHER` goes on as fast as it can: `exchange` exchanges two
names, `move` gives a path another name, `bind` mounts the other one over the path, each time and back. It prints
`ready` once it swaps. On the end of its input it leaves all as it was and prints how often it swapped.
"""

import ctypes
import os
import select
import sys
from collections.abc import Callable

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_MS_BIND = 4096
_MNT_DETACH = 2
_SWAPS_BETWEEN_LOOKS = 200

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def exchange(path: bytes, other: bytes) -> None:
    """Exchange two names, atomically, and back again (renameat2(2))."""
    for _ in range(2):
        _checked(_libc.renameat2(_AT_FDCWD, path, _AT_FDCWD, other, _RENAME_EXCHANGE))


def move(path: bytes, other: bytes) -> None:
    """Rename the one to the other, which doesn't exist, and back."""
    os.rename(path, other)
    os.rename(other, path)


def bind(path: bytes, other: bytes) -> None:
    """Mount the other one over the path, and unmount it (mount(2))."""
    _checked(_libc.mount(other, path, None, _MS_BIND, None))
    _checked(_libc.umount2(path, _MNT_DETACH))


KINDS: dict[str, Callable[[bytes, bytes], None]] = {"exchange": exchange, "move": move, "bind": bind}


def main() -> None:
    """Swap until the input ends."""
    swap = KINDS[sys.argv[1]]
    path, other = (os.fsencode(argument) for argument in sys.argv[2:])
    swaps = 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(_SWAPS_BETWEEN_LOOKS):
            swap(path, other)
        swaps += _SWAPS_BETWEEN_LOOKS
    print(swaps, flush=True)


if __name__ == "__main__":
    main()
