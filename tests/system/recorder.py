"""The writer of the SIGKILL test: creates files on a mount, and records each one when the mount has acknowledged it.

Run as a program of its own: `recorder.py DIRECTORY RECORDS FIRST` makes files numbered from FIRST until the mount is
gone. A record is one line of JSON, `name`, `sha256` and `synced`, itself on the disk before the next file is begun.
"""

import hashlib
import itertools
import json
import os
import random
import sys
from pathlib import Path

_GONE = "the mount is gone"


def written(path: Path, content: bytes, *, sync: bool) -> None:
    """Create the file and write it, in two halves; all that returned has been acknowledged. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        half = len(content) // 2
        for part in (content[:half], content[half:]):
            if os.write(descriptor, part) != len(part):
                raise OSError(f"a short write to {path}")
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> None:
    """Write until a call fails, which the end of the mount makes it do."""
    directory, records, first = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    randomness = random.Random(first)
    with records.open("a") as log:
        for number in itertools.count(first):
            content = randomness.randbytes(randomness.randrange(1, 20_000))
            sync = number % 2 == 0
            path = directory / f"{number}"
            try:
                written(path, content, sync=sync)
                if number % 3 == 0:
                    path.rename(directory / f"{number}-renamed")
                    path = directory / f"{number}-renamed"
            except OSError as problem:
                print(f"{_GONE}: {problem}")
                return
            log.write(
                json.dumps({"name": path.name, "sha256": hashlib.sha256(content).hexdigest(), "synced": sync}) + "\n"
            )
            log.flush()
            os.fsync(log.fileno())


if __name__ == "__main__":
    main()
