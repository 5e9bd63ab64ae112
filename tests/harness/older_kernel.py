"""katafs on an older kernel: the real command, which agrees on the protocol that the last Linux before 6.18 has, or to
which every kernel is too old.

Run as a program it does that and goes on as `katafs`. What else such a kernel lacks it doesn't take away.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from katafs.cli.main import katafs
from katafs.fuse import wire

PROGRAM = (sys.executable, __file__)
TOO_OLD = (sys.executable, __file__, "too old")


def grow_older() -> None:
    """Agree on the older protocol from now on."""
    wire.NEWEST_MINOR = wire.PRUNE_MINOR - 1


if __name__ == "__main__":
    grow_older()
    if sys.argv[1] == "too old":
        del sys.argv[1]
        wire.OLDEST_MINOR = 99
    katafs()
