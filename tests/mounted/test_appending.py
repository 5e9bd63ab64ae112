"""What is appended on the mount while a container appends too: each write(2) stays in one piece, as on a disk."""

import threading
from pathlib import Path

from tests.harness import needs
from tests.harness.mounts import Mounts
from tests.mounted.served import fresh_id

OURS, THEIRS = b"a" * 5000, b"b" * 100
"""Ours goes from one page to the next, and further at most places."""
TIMES = 300


def test_a_write_is_not_parted_by_what_is_appended_behind_it(disk: Path, mount: Mounts) -> None:
    needs.uncached_mappings()
    kata = fresh_id()
    shown, behind = mount().path / kata, disk / "volumes" / kata
    shown.mkdir()
    done = threading.Event()

    def append_behind() -> None:
        with (behind / "log").open("ab", buffering=0) as log:
            while not done.wait(0.0002):
                log.write(THEIRS)

    other = threading.Thread(target=append_behind)
    with (shown / "log").open("ab", buffering=0) as log:
        other.start()
        written = [log.write(OURS) for _ in range(TIMES)]
        done.set()
        other.join()
    content = (behind / "log").read_bytes()

    assert written == [len(OURS)] * TIMES
    assert content.replace(THEIRS, b"") == OURS * TIMES
    assert all(len(run) % len(OURS) == 0 for run in content.split(THEIRS))
