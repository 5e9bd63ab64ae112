"""katafs from a clone, by the README's commands."""

from pathlib import Path

from tests.harness import needs
from tests.harness.own_root import PROJECT, OwnRoot
from tests.harness.pages import Page
from tests.harness.systemd import booted

SETTINGS = """\
mkdir -p /katas /srv/katas/123456789A
cat >/etc/katafs/katas.toml <<'END'
mountpoint = "/katas"
volumes = "dir:/srv/katas"
END
"""


def test_a_clone_is_as_good_as_the_package(disk: Path) -> None:
    needs.fuse()
    with booted(disk, OwnRoot(disk, {"/opt/katafs": PROJECT}, installed=False)) as machine:
        machine.run(Page("../README.md").commands("ln -s /opt/katafs/.venv/bin/katafs /usr/local/bin/") + SETTINGS)

        by_unit = "systemctl start katafs@katas; ls /katas; systemctl stop katafs@katas"
        by_mount = "mount -t fuse.katafs dir:/srv/katas /katas; ls /katas; umount /katas"
        shown = machine.run(f"{by_unit}; {by_mount}; man --where katafs-mount").stdout.split()

    assert shown == ["123456789A", "123456789A", "/usr/local/man/man1/katafs-mount.1"]
