"""The .deb: installed, used and purged on a machine of its own, like this one or like each that KATAFS_TEST_ROOTS names
(scripts/test-package)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.own_root import PROJECT, OwnRoot
from tests.harness.pages import Page
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run
from tests.harness.systemd import Machine, booted

MACHINES = [
    pytest.param((Path(root), pypy), id=f"{root}, pypy3" if pypy else root)
    for root in os.environ.get("KATAFS_TEST_ROOTS", "/").split(":")
    for pypy in (False, True)
    if not pypy or Path(root, "usr/bin/pypy3.11").exists()
]
"""The roots, and whether the service is to run on their PyPy, if they have one that will do."""

KATA = "123456789A"
UNIT = "katafs@katas.service"
MANIFEST = f"/katas/12/{KATA[2:]}/manifest.json"

INSTALL = (
    Page("../README.md").commands("apt-get install --yes ./katafs_*_all.deb").replace('"docker"', '"dir:/srv/katas"')
)

UPGRADE = Page("operating.md").commands("apt-get install --yes ./katafs")

ON_PYPY = Page("operating.md").commands("pypy3")

FSTAB = "echo 'dir:/srv/katas /fstab fuse.katafs layout=split,nofail 0 0' >/etc/fstab; mkdir -p /fstab"

pytestmark = pytest.mark.xdist_group("package")


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """The package, built once."""
    needs.root()
    needs.programs("dpkg-deb", "apt-get")
    directory = fresh_directory()
    run([PROJECT / "scripts/package", directory], timeout=280)
    (built,) = directory.glob("katafs_*_all.deb")
    yield built
    remove_directory(directory)


@pytest.fixture(scope="module")
def later(package: Path) -> Iterator[Path]:
    """As it would be of a commit a second later."""
    directory = fresh_directory()
    content = directory / "content"
    run(["dpkg-deb", "-R", package, content])
    control = content / "DEBIAN/control"
    name, version, *rest = control.read_text().splitlines(keepends=True)
    base, time = version.rstrip().split("+")
    control.write_text("".join((name, f"{base}+{int(time) + 1}\n", *rest)))
    run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", content, directory / "katafs_later_all.deb"])
    yield directory / "katafs_later_all.deb"
    remove_directory(directory)


@pytest.fixture(scope="module", params=MACHINES)
def installed(request: pytest.FixtureRequest, package: Path) -> Iterator[Machine]:
    """A machine on which the README's commands were run."""
    needs.fuse()
    directory = fresh_directory()
    root, pypy = request.param
    with booted(directory, OwnRoot(directory, like=root, installed=False)) as machine:
        # man-db would read every page of the machine again each time.
        machine.run(f"rm -f /var/lib/man-db/auto-update; mkdir /srv/katas; cd {package.parent}; {INSTALL}")
        if pypy:
            machine.run(ON_PYPY)
        yield machine
    remove_directory(directory)


@pytest.fixture
def machine(installed: Machine, package: Path) -> Iterator[Machine]:
    """The machine with the package, whatever an earlier test did to it, and a kata that is mounted by its service."""
    installed.run(f"apt-get install --yes --allow-downgrades {package}; systemctl start {UNIT}")
    installed.run(f"mkdir -p /katas/12/{KATA[2:]}; echo '{{}}' >{MANIFEST}")
    yield installed
    installed.run("systemctl stop 'katafs@*'; ! mountpoint -q /katas")


def test_the_commands_are_those_of_the_package(machine: Machine) -> None:
    shown = machine.run("command -v katafs; katafs --version; katafs ls --volumes dir:/srv/katas").stdout.split()

    assert shown[:2] == ["/usr/bin/katafs", "katafs"]
    assert shown[-1] == KATA


def test_the_service_runs_on_the_python_that_it_is_told_to(request: pytest.FixtureRequest, machine: Machine) -> None:
    _, pypy = request.node.callspec.params["installed"]
    program = machine.run(f"readlink /proc/{machine.shown(UNIT, 'MainPID')}/exe").stdout

    assert ("pypy" in program) == pypy


def test_a_kata_is_a_volume(machine: Machine) -> None:
    assert machine.run(f"cat /srv/katas/{KATA}/manifest.json").stdout == "{}\n"


def test_a_line_of_fstab(machine: Machine) -> None:
    shown = machine.run(
        f"{FSTAB}; mount -a; findmnt -no FSTYPE /fstab; cat /fstab/12/{KATA[2:]}/manifest.json; umount /fstab"
    )

    assert shown.stdout.split() == ["fuse.katafs", "{}"]


def test_manual_pages_and_completion_are_found(machine: Machine) -> None:
    machine.run("man --where katafs-mount mount.fuse.katafs")
    machine.run(". /usr/share/bash-completion/completions/katafs; complete -p katafs")
    machine.run(
        "test -s /usr/share/zsh/vendor-completions/_katafs -a -s /usr/share/fish/vendor_completions.d/katafs.fish"
    )


def test_the_example_is_a_configuration(machine: Machine) -> None:
    machine.run("katafs config show --config /usr/share/doc/katafs/examples/katas.toml")


def test_updatedb_leaves_katas_alone(machine: Machine) -> None:
    elsewhere = "find / -maxdepth 1 -mindepth 1 ! -name srv ! -name katas -printf '%p '"
    machine.run(f"""printf 'PRUNEFS="nfs"\\nPRUNEPATHS="%s"\\n' "$({elsewhere})" >/etc/updatedb.conf""")
    machine.run("touch /srv/elsewhere; systemctl start plocate-updatedb")

    machine.run("locate /srv/elsewhere; ! locate --regex '^/katas/'")
    assert "updatedb leaves fuse.katafs alone" in machine.run("katafs doctor /katas", status=None).stdout


def test_an_upgrade_leaves_a_mount_as_it_is(machine: Machine, later: Path) -> None:
    before, installed = machine.shown(UNIT, "MainPID"), _installed(machine)
    install, restart = UPGRADE.splitlines()

    machine.run(f"cd {later.parent}; {install}; cat {MANIFEST}")

    assert _installed(machine) > installed
    assert machine.shown(UNIT, "MainPID") == before
    machine.run(f"{restart}; cat {MANIFEST}")
    assert machine.shown(UNIT, "MainPID") != before


def test_it_is_not_removed_from_under_who_works_in_it(machine: Machine) -> None:
    refused = machine.run(f"{FSTAB}; mount -a; (cd /fstab; apt-get remove --yes katafs)", status=100)

    assert "still mounted, and in use: /fstab" in refused.stderr + refused.stdout
    machine.run(f"cat {MANIFEST}; umount /fstab")


def test_refused_so_it_leaves_who_works_in_a_services_mount_alone(machine: Machine) -> None:
    before = machine.shown(UNIT, "MainPID")

    machine.run("(cd /katas; apt-get remove --yes katafs)", status=100)

    assert machine.shown(UNIT, "MainPID") == before


def test_refused_so_it_leaves_also_a_service_alone_whose_settings_were_broken_since(machine: Machine) -> None:
    before = machine.shown(UNIT, "MainPID")
    machine.run("cp /etc/katafs/katas.toml /root; echo oops >>/etc/katafs/katas.toml")

    machine.run("(cd /katas; apt-get remove --yes katafs)", status=100)

    machine.run("mv /root/katas.toml /etc/katafs")
    assert machine.shown(UNIT, "MainPID") == before
    machine.run(f"cat {MANIFEST}")


def test_refused_so_it_leaves_what_fstab_mounts(machine: Machine) -> None:
    machine.run(f"{FSTAB}; mount -a")

    machine.run("(cd /katas; apt-get remove --yes katafs)", status=100)

    machine.run("mountpoint /fstab; umount /fstab")


def test_refused_so_it_starts_every_service_also_after_one_that_cannot(machine: Machine) -> None:
    settings = 'mountpoint = "/gone"\nvolumes = "dir:/srv/gone"'
    machine.run(f"mkdir /gone /srv/gone; echo '{settings}' >/etc/katafs/gone.toml; systemctl start katafs@gone")
    machine.run(f"rm -r /srv/gone; {FSTAB}; mount -a")

    machine.run("(cd /fstab; apt-get remove --yes katafs)", status=100)

    machine.run(f"cat {MANIFEST}; rm /etc/katafs/gone.toml; systemctl stop katafs@gone; umount /fstab")


def test_a_purge_leaves_data_and_settings_alone(machine: Machine) -> None:
    machine.run("systemctl enable katafs@katas katafs-convert@katas.timer; apt-get purge --yes katafs")

    machine.run("! ls /etc/systemd/system/*.wants/katafs*")
    machine.run("! mountpoint -q /katas; ! test -e /usr/lib/katafs; ! command -v katafs")
    assert machine.run(f"cat /srv/katas/{KATA}/manifest.json; ls /etc/katafs").stdout.split() == ["{}", "katas.toml"]


def _installed(machine: Machine) -> str:
    return machine.run("dpkg-query --show --showformat '${Version}' katafs").stdout
