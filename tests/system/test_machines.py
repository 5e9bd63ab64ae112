"""Machines of the tests' own, which run side by side on one that has services of its own."""

from pathlib import Path

from tests.harness.own_root import OwnRoot
from tests.harness.places import PARENT
from tests.harness.systemd import booted


def test_one_that_starts_leaves_other_machines_services_their_temporary_files(disk: Path) -> None:
    """They are in the directory that all have in common (PrivateTmp=, systemd.exec(5)): a service that was just being
    started elsewhere failed."""
    others = Path(PARENT) / f"systemd-private-{disk.name}"
    others.mkdir()
    try:
        with booted(disk, OwnRoot(disk)) as machine:
            machine.run("systemctl start systemd-tmpfiles-setup")
            is_left = others.exists()
    finally:
        if others.exists():
            others.rmdir()

    assert is_left
