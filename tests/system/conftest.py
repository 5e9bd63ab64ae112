"""The fixtures that more than one module here asks for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.ext4_disks import MEMORY, ext4_disk
from tests.harness.mounts import Mounts
from tests.harness.programs import User, as_user
from tests.system.far_disks import Far
from tests.system.host_disk import Server, Twins
from tests.system.old_disks import make_disk

ROOT = as_user(0, 0)
WWW_DATA = as_user(33, 33)


@pytest.fixture(params=[ROOT, WWW_DATA], ids=["root", "www-data"])
def server_user(request: pytest.FixtureRequest) -> User:
    """Whom the server's code runs as."""
    user: User = request.param
    return user


@pytest.fixture
def twins(server_user: User, disk: Path, mount: Mounts) -> Twins:
    """A server's code on two fresh roots of katas, on the disk and on a split mount; both belong to its user."""
    needs.root()
    needs.programs("git", "tar", "rsync")
    plain = disk / "plain"
    plain.mkdir()
    mounted = mount("--layout", "split").path
    for katas in (plain, mounted):
        os.chown(katas, server_user.uid, server_user.gid)
    return Twins(Server(plain, server_user), Server(mounted, server_user))


@pytest.fixture
def far(disk: Path) -> Iterator[Far]:
    """A kata that can only be copied."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    make_disk(disk / "katas")
    with ext4_disk(disk / "volumes", image_in=MEMORY) as volumes:
        yield Far(disk, volumes)
