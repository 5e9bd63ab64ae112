"""The disk of a directory of volumes that was unmounted under the daemon, lazily, and mounted again at its place."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.mounts import mounting
from tests.harness.other_mounts import bound, memory_disk
from tests.mounted.served import Served

KATA = "123456789A"
OF_ITS_OWN = "BBBBBBBBBB"
"""This one has a disk of its own."""
SETTLED_S = 0.5
"""The daemon reads the mount table some tenths of a second after it has changed."""


@pytest.fixture
def served(disk: Path) -> Iterator[Served]:
    """A mount of volumes on a disk that is mounted elsewhere too, so that it can be mounted anew."""
    needs.root()
    place, elsewhere = disk / "disk", disk / "elsewhere"
    for directory in (place, elsewhere):
        directory.mkdir()
    with memory_disk(elsewhere):
        for kata in (KATA, OF_ITS_OWN):
            (elsewhere / "volumes" / kata).mkdir(parents=True)
        with bound(elsewhere, place), mounting(disk) as mount:
            volumes = place / "volumes"
            mounted = mount("-o", "timeout=0", volumes=f"dir:{volumes}")
            mounted.expect("is gone")
            yield Served(mounted, volumes, Layout.FLAT)
            # By hand: what the daemon holds has another name in /proc by now.
            mounted.signal(signal.SIGTERM)
            mounted.ended()


def mount_anew(served: Served) -> None:
    """The same disk at the same place, by another mount."""
    place = served.store.parent
    subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=60)
    subprocess.run(["mount", "--bind", str(place.with_name("elsewhere")), str(place)], check=True, timeout=60)


def test_a_volumes_own_disk_is_served_that_was_mounted_then(served: Served) -> None:
    mount_anew(served)
    with memory_disk(served.store / OF_ITS_OWN):
        time.sleep(SETTLED_S)
        (served.path(OF_ITS_OWN) / "file").write_text("x")

        assert os.listdir(served.store / OF_ITS_OWN) == ["file"]


def test_katas_are_as_they_were(served: Served) -> None:
    with (served.path(KATA) / "file").open("w") as file:
        mount_anew(served)
        file.write("x")
    served.path("CCCCCCCCCC").mkdir()

    assert (served.path(KATA) / "file").read_text() == "x"
    assert (served.store / KATA / "file").read_text() == "x"
    assert (served.store / "CCCCCCCCCC").is_dir()
