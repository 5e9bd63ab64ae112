"""Real katas, as a server's disk kept them, rsynced into volumes: nothing of them changes on the way or is lost."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs, real_katas
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts, mounting
from tests.harness.programs import run
from tests.system.facts import differences, every_path, tree_facts, tree_inodes
from tests.system.stores import Directories, InEngine, Store

pytestmark = pytest.mark.timeout(600)


class Copied:
    """A set of katas unpacked on the disk, and its copy in the volumes of a store, which is mounted."""

    def __init__(self, source: Path, store: Store, mount: Mounts) -> None:
        self.source = source
        self.store = store
        self._mount = mount
        self.mounted = self._mounted()
        self.first = self.rsync("-aHAX")

    def _mounted(self) -> Mounted:
        return self._mount("--layout", "split", volumes=self.store.volumes, env=self.store.env)

    @property
    def path(self) -> Path:
        """The copy, through the mount."""
        return self.mounted.path

    def rsync(self, *options: str) -> str:
        """Run rsync from the source to the mount; all that it printed."""
        finished = run(["rsync", *options, f"{self.source}/", f"{self.path}/"])
        return finished.stdout + finished.stderr

    def remount(self) -> None:
        """End the daemon and start another one."""
        self.mounted.stop()
        self.mounted = self._mounted()

    def katas(self) -> list[str]:
        """The ids of the source's katas."""
        return sorted(f"{path.parent.name}{path.name}" for path in self.source.glob("??/????????"))


CASES = [
    pytest.param(
        (store, name),
        id=f"{store}-{name}",
        marks=pytest.mark.xdist_group("docker" if store == "docker" else f"real-{name}"),
    )
    for store in ("directories", "docker")
    for name in real_katas.SETS
]


@pytest.fixture(scope="module", params=CASES)
def copied(request: pytest.FixtureRequest) -> Iterator[Copied]:
    """Every test here only looks at the copy, so one copy serves them all."""
    needs.programs("rsync", "git")
    kind, name = request.param
    engine = request.getfixturevalue("engine") if kind == "docker" else None
    with real_katas.unpacked(name) as directory:
        store = InEngine(engine).emptied() if engine else _directories(directory)
        with mounting(directory) as mount:
            yield Copied(directory / "katas", store, mount)
        if isinstance(store, InEngine):
            store.emptied()


def _directories(directory: Path) -> Directories:
    path = directory / "volumes"
    path.mkdir()
    return Directories(path)


def test_the_first_rsync_has_nothing_to_complain_of(copied: Copied) -> None:
    assert copied.first == ""


def test_a_second_rsync_finds_nothing_to_do(copied: Copied) -> None:
    assert copied.rsync("-aHAXni", "--delete") == ""


def test_an_rsync_that_reads_all_contents_finds_nothing_to_do(copied: Copied) -> None:
    assert copied.rsync("-aHAXnic", "--delete") == ""


def test_every_entry_is_what_it_is_on_the_disk(copied: Copied) -> None:
    wanted = tree_facts(copied.source)
    assert len(wanted) > 700
    assert differences(wanted, tree_facts(copied.path)) == ""


def test_no_two_entries_share_an_inode_number(copied: Copied) -> None:
    inodes = tree_inodes(copied.path)
    assert len(set(inodes.values())) == len(inodes)
    assert 0 not in inodes.values()


def test_a_listing_says_of_each_entry_what_stat_says(copied: Copied) -> None:
    wrong = []
    for path in every_path(copied.path):
        if not os.path.isdir(path) or os.path.islink(path):
            continue
        for entry in os.scandir(path):
            status = os.lstat(entry.path)
            listed = (entry.inode(), entry.is_dir(follow_symlinks=False), entry.is_symlink())
            if listed != (status.st_ino, os.path.isdir(entry.path), os.path.islink(entry.path)):
                wrong.append((entry.path, listed, status))
    assert wrong == []


def test_a_restart_changes_nothing(copied: Copied) -> None:
    before, inodes = tree_facts(copied.path), tree_inodes(copied.path)
    changed = {path: os.lstat(os.path.join(bytes(copied.path), path)).st_ctime_ns for path in inodes}

    copied.remount()

    assert differences(before, tree_facts(copied.path)) == ""
    assert differences(inodes, tree_inodes(copied.path)) == ""
    after = {path: os.lstat(os.path.join(bytes(copied.path), path)).st_ctime_ns for path in inodes}
    assert differences(changed, after) == ""


def test_every_repository_is_whole(copied: Copied) -> None:
    repositories = sorted(copied.path.glob("??/????????/*/.git"))
    assert len(repositories) == len(list(copied.source.glob("??/????????/*/.git"))) > 0
    for repository in repositories:
        fsck = ["git", "-c", "safe.directory=*", "-C", str(repository.parent), "fsck", "--full"]
        subprocess.run(fsck, check=True, capture_output=True, timeout=60)


def test_git_sees_the_same_state_of_every_avatar(copied: Copied) -> None:
    for repository in sorted(copied.source.glob("??/????????/*/.git")):
        avatar = repository.parent.relative_to(copied.source)
        # Without optional locks, since `git status` would otherwise write its index anew.
        git = ["git", "--no-optional-locks", "-c", "safe.directory=*"]
        wanted, found = (
            run([*git, "-C", root / avatar, "status", "--porcelain"]).stdout for root in (copied.source, copied.path)
        )
        assert found == wanted, avatar


def test_each_kata_is_a_volume_of_its_own(copied: Copied) -> None:
    assert copied.store.names() == {*copied.katas(), "katafs_root"}


def test_a_katas_files_lie_at_the_top_of_its_volume(copied: Copied) -> None:
    for kata in copied.katas():
        wanted = tree_facts(copied.source / kata[:2] / kata[2:])
        assert differences(wanted, tree_facts(copied.store.directory(kata))) == ""
