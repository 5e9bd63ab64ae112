"""Copies of trees: nothing is lost, nothing waited for, and a failure names what it failed at."""

import contextlib
import errno
import os
import resource
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.rooted.comparing import differences
from katafs.rooted.copying import copy_tree, sync_file_system
from tests.harness.descriptors import held
from tests.harness.leases import leased
from tests.harness.odd_trees import acl, described, make_odd_tree
from tests.harness.other_mounts import bound, memory_disk
from tests.harness.refusals import refused


def copy(source: Path, target: Path) -> None:
    with held(source) as left, held(target) as right:
        copy_tree(left, right)


def blocks(path: Path) -> int:
    return path.stat().st_blocks


def test_holes_stay_holes(source: Path, target: Path) -> None:
    make_odd_tree(source)
    copy(source, target)

    assert blocks(target / "sparse") == blocks(source / "sparse") < 64
    assert (target / "sparse").stat().st_size == 9 << 20


def test_a_file_that_is_one_hole_takes_no_room(source: Path, target: Path) -> None:
    (source / "hole").touch()
    os.truncate(source / "hole", 1 << 43)
    copy(source, target)

    assert (target / "hole").stat().st_size == 1 << 43
    assert blocks(target / "hole") == 0


def test_attributes_that_the_target_had_are_replaced(source: Path, target: Path) -> None:
    """A default ACL above the target, for one, which a new directory inherits, and would pass on to all below it."""
    make_odd_tree(source)
    before = described(source)
    os.setxattr(target, "system.posix_acl_default", acl(99, 7))
    os.setxattr(target, "system.posix_acl_access", acl(99, 7))
    os.setxattr(target, "user.left", b"over")
    target.chmod(0o7777)
    copy(source, target)

    assert described(target) == before


def test_the_source_keeps_its_atimes(source: Path, target: Path) -> None:
    make_odd_tree(source)
    before = described(source)
    copy(source, target)
    links = {path for path, found in before.items() if stat.S_ISLNK(found[0])}  # type: ignore[arg-type]  # it is st_mode

    assert {path: found for path, found in described(source).items() if path not in links} == {
        path: found for path, found in before.items() if path not in links
    }


def test_a_copy_to_another_file_system_is_the_same(source: Path, target: Path) -> None:
    """copy_file_range(2) says EXDEV there."""
    (source / "file").write_bytes(bytes(range(251)) * 9000)
    (source / "setuid").write_bytes(b"x")
    (source / "setuid").chmod(0o4711)
    before = described(source)
    with memory_disk(target):
        copy(source, target)
        assert described(target) == before


def test_holes_stay_holes_on_another_file_system(source: Path, target: Path) -> None:
    make_odd_tree(source)
    with memory_disk(target):
        copy(source, target)
        assert 0 < blocks(target / "sparse") <= blocks(source / "sparse")


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK])
def test_a_device_node_is_refused_with_its_path(source: Path, target: Path, kind: int) -> None:
    (source / "dir").mkdir()
    os.mknod(source / "dir" / "device", kind | 0o600, os.makedev(1, 3))
    with pytest.raises(PermissionError) as caught:
        copy(source, target)

    assert caught.value.filename == b"dir/device"
    assert os.listdir(target / "dir") == []


def test_a_target_with_entries_is_refused(source: Path, target: Path) -> None:
    (target / "there").touch()
    with refused(errno.ENOTEMPTY):
        copy(source, target)


def test_a_target_inside_the_source_is_refused(source: Path) -> None:
    (source / "target").mkdir()
    with refused(errno.EINVAL):
        copy(source, source / "target")


def test_a_mount_point_is_refused_with_its_path(source: Path, target: Path, disk: Path) -> None:
    (disk / "other").mkdir()
    (source / "dir").mkdir()
    with bound(disk / "other", source / "dir"), pytest.raises(OSError, match="cross-device") as caught:
        copy(source, target)
    assert (caught.value.errno, caught.value.filename) == (errno.EXDEV, b"dir")


def test_a_path_longer_than_a_path_can_be_is_copied(source: Path, target: Path) -> None:
    name, depth = b"d" * 250, 20
    with contextlib.ExitStack() as opened:
        here = opened.enter_context(held(source))
        for _ in range(depth):
            os.mkdir(name, 0o701, dir_fd=here)
            here = os.open(name, os.O_PATH, dir_fd=here)
            opened.callback(os.close, here)
        os.symlink("bottom", "leaf", dir_fd=here)
        os.link("leaf", "leaf too", src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
        copy(source, target)

        left, right = opened.enter_context(held(source)), opened.enter_context(held(target))
        links = [
            (len(path), name, os.stat(name, dir_fd=bottom, follow_symlinks=False).st_nlink)
            for path, _, files, bottom in os.fwalk(".", dir_fd=right)
            for name in sorted(files)
        ]
        assert links == [(depth * 251 + 1, "leaf", 2), (depth * 251 + 1, "leaf too", 2)]
        assert list(differences(left, right)) == []


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """No more than 60 descriptors may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_tree_deeper_than_descriptors_reach_is_said_to_be_so(
    source: Path, target: Path, few_descriptors: None
) -> None:
    (source / "/".join("d" * 60)).mkdir(parents=True)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="Too many open files") as caught:
        copy(source, target)

    assert caught.value.filename.startswith(b"d/d/d")
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_many_linked_files_need_no_descriptor_each(source: Path, target: Path, few_descriptors: None) -> None:
    (source / "dir").mkdir()
    for number in range(80):
        (source / f"{number}").touch()
        os.link(source / f"{number}", source / "dir" / f"{number}")
    before = described(source)
    copy(source, target)

    assert described(target) == before


@pytest.mark.timeout(30)
def test_a_lease_is_not_waited_for(source: Path, target: Path) -> None:
    (source / "file").write_bytes(b"content")
    with leased(source / "file"), pytest.raises(BlockingIOError) as caught:
        copy(source, target)
    assert caught.value.filename == b"file"
    assert os.listdir(target) == []


@pytest.mark.timeout(60)
def test_a_file_that_grows_all_the_time_is_copied_to_where_it_was(source: Path, target: Path) -> None:
    done = threading.Event()
    with open(source / "log", "ab", buffering=0) as log:
        log.write(b"x" * 1000)

        def grow() -> None:
            while not done.is_set() and log.tell() < 1 << 28:
                log.write(b"x" * 65536)

        growing = threading.Thread(target=grow)
        growing.start()
        copy(source, target)
        done.set()
        growing.join()

    copied = (target / "log").read_bytes()
    assert len(copied) >= 1000
    assert set(copied) == {ord("x")}


def test_a_file_system_is_synced_through_a_path_descriptor(target: Path) -> None:
    with held(target) as directory:
        sync_file_system(directory)
