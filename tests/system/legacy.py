"""Old disks of the system tests: where they lie, how a mount is made beside one, and what has become of its katas."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.engine import Engine
from tests.harness.ext4_disks import made_image, mounted_image
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts, mounting
from tests.harness.old_disk import OldDisk
from tests.harness.places import fresh_directory, remove_directory
from tests.system.facts import Facts
from tests.system.host_disk import comparable
from tests.system.stores import Directories, InEngine, Store


@dataclass(frozen=True)
class Setting:
    """An old disk, a store, and what mounts them."""

    directory: Path
    old: OldDisk
    store: Store
    mount: Mounts

    def mounted(self, *arguments: str) -> Mounted:
        """A split mount of the store, beside the old disk."""
        arguments = ("--layout", "split", "--legacy", str(self.old.path), *arguments)
        return self.mount(*arguments, volumes=self.store.volumes, env=self.store.env)

    def is_converted(self, kata: str) -> bool:
        """Whether the kata is in a volume and nowhere else."""
        return kata in self.store.names() and not self.old.where(kata).exists()

    def is_untouched(self, kata: str) -> bool:
        """Whether the kata stands where it stood, and no volume has its name."""
        return kata not in self.store.names() and self.old.where(kata).is_dir()


@contextmanager
def setting(way: str, engine: Engine | None = None) -> Iterator[Setting]:
    """By `move` the disk and the store are on one file system; by `copy` the disk is an ext4 of its own."""
    directory = fresh_directory()
    old = directory / "old"
    old.mkdir()
    with contextlib.ExitStack() as ends:
        ends.callback(remove_directory, directory)
        if way == "copy":
            made_image(directory / "old.img", 256, "-b", "4096")  # as the store's, for the same st_blocks
            ends.enter_context(mounted_image(directory / "old.img", old))
        store = InEngine(engine).emptied() if engine else Directories(directory / "volumes")
        if isinstance(store, InEngine):
            ends.callback(store.emptied)
        else:
            store.path.mkdir()
        yield Setting(directory, OldDisk(old), store, ends.enter_context(mounting(directory)))


def shown(root: Path) -> dict[bytes, Facts]:
    """A tree's comparable facts, but for what the top itself is: its links count what is in it elsewhere too."""
    own = (b".", b".katafs-lock")
    return {path: facts for path, facts in comparable(root).items() if path not in own}
