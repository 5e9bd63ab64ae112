"""Each storer on each store that it works on: the cells of the contract's table."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from katafs.config import Sandboxes
from katafs.kata_id import VolumeName
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Delta, Storer
from katafs.volumes.store import VolumeStore

KATA = "123456789A"
OTHER = "12FEDCBA98"
NOW = [2016, 8, 29, 10, 0, 0]

START = {
    "hiker.py": "class Hiker:\n    def answer(self):\n        return 6 * 9\n",
    "test_hiker.py": "import hiker\n\ndef test_answer():\n    assert hiker.Hiker().answer() == 42\n",
    "cyber-dojo.sh": "python -m pytest *test*.py\n",
    "output": "",
    "instructions": "What is the answer to life, the universe, and everything?\n" * 10,
}
MANIFEST = {
    "created": NOW,
    "id": KATA,
    "language": "Python-py.test",
    "exercise": "Fizz_Buzz",
    "tab_size": 4,
    "visible_files": START,
}

FILES = {**START, "hiker.py": "changed\n"}
"""What a test run has."""

LION_CALLS: dict[str, Callable[[Storer], object]] = {
    "run": lambda storer: storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red"),
    "save": lambda storer: storer.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), FILES),
    "increments": lambda storer: storer.avatar_increments(KATA, "lion"),
    "visible files": lambda storer: storer.avatar_visible_files(KATA, "lion"),
    "tag": lambda storer: storer.tag(KATA, "lion", 0),
    "tag's files": lambda storer: storer.tag_visible_files(KATA, "lion", 0),
    "tags": lambda storer: storer.tags(KATA, "lion"),
    "diff": lambda storer: storer.tag_diff(KATA, "lion", 0, 1),
}
"""Every call for an avatar that was started."""

KINDS: dict[str, Callable[[VolumeStore], Storer]] = {
    "git": GitStorer,
    "plain": PlainStorer,
    "plain-avatar": lambda store: PlainStorer(store, Sandboxes.AVATAR),
}
"""Makes each storer on a store."""

WHATEVER_THE_STORE = pytest.mark.parametrize("cell", ["git-directories", "plain-memory"], indirect=True)
"""For what a storer decides before, or whatever, the store is: on one of each only, since it is much."""


@dataclass
class Cell:
    """A storer on a store, which may be opened again, as another process would."""

    make: Callable[[], VolumeStore]
    git: bool = False
    sandboxes: Sandboxes = Sandboxes.KATA
    _stores: list[VolumeStore] = field(default_factory=list)

    def storer(self) -> Storer:
        """One more storer, on a store of its own."""
        self._stores.append(self.make())
        return GitStorer(self._stores[-1]) if self.git else PlainStorer(self._stores[-1], self.sandboxes)

    def directory(self, *, kata: str = KATA) -> Path:
        """Where a kata's volume is on this host."""
        return self._path(VolumeName(kata))

    def avatar(self, avatar: str = "lion", *, kata: str = KATA) -> Path:
        """Where an avatar's directory is on this host."""
        return self.directory(kata=kata) / avatar

    def sandbox(self, avatar: str = "lion", *, kata: str = KATA) -> Path:
        """Where an avatar's sandbox is on this host."""
        own = VolumeName(f"{kata}_{avatar}")
        return self._path(own) if self._stores[-1].exists(own) else self.avatar(avatar, kata=kata) / "sandbox"

    def _path(self, volume: VolumeName) -> Path:
        descriptor = self._stores[-1].open(volume)
        try:
            return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        finally:
            os.close(descriptor)

    def clean_up(self) -> None:
        """Remove what the test stored, and close the stores."""
        for store in self._stores:
            for volume in [] if store is not self._stores[0] else sorted(store.catalog().names()):
                self._empty(store, volume)
            store.close()

    def _empty(self, store: VolumeStore, volume: VolumeName) -> None:
        path = self._path(volume)
        for entry in path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        store.remove(volume)
