"""An old disk as a server left it: katas as `12/3456789A`, and what else lay there. Knows nothing of katafs."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.other_mounts import memory_disk

FILES = {
    "manifest.json": '{"id":"…"}',
    "lion/manifest.json": "{}",
    "lion/increments.json": "[]",
    "lion/sandbox/hiker.c": "int answer(void) { return 6 * 9; }\n",
    "lion/sandbox/cyber-dojo.sh": "make\n",
}
_OLD_NS = 1_234_567_890_123_456_789
_LOCK_FILE = ".katafs-lock"


@dataclass(frozen=True)
class OldDisk:
    """A directory of katas."""

    path: Path

    def where(self, kata: str) -> Path:
        """Where a kata stands, or stood."""
        return self.path / kata[:2] / kata[2:]

    def make(self, kata: str, files: Mapping[str, str] = FILES) -> Path:
        """A kata with these files, all of them older than anything a test does; its path."""
        top = self.where(kata)
        top.mkdir(parents=True)
        for name, content in files.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for path in [*top.rglob("*"), top, top.parent]:
            os.utime(path, ns=(_OLD_NS, _OLD_NS), follow_symlinks=False)
        return top

    def left(self) -> set[str]:
        """All that is on the disk, by path, but for the locks' own file."""
        found = {str(path.relative_to(self.path)) for path in self.path.rglob("*")}
        return found - {_LOCK_FILE}


@contextmanager
def old_disk(directory: Path, way: str) -> Iterator[OldDisk]:
    """A new one in the directory. `way` says how a conversion can go from there to a store beside it: by `move` on the
    same file system, or by `copy` from another one."""
    path = directory / "old"
    path.mkdir()
    disk: AbstractContextManager[None] = memory_disk(path) if way == "copy" else contextlib.nullcontext()
    with disk:
        yield OldDisk(path)
