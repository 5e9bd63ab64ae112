"""The commands of docs/operating.md, docs/converting.md and docs/troubleshooting.md, on a machine of their own with the
real systemd and a real engine."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness import needs, waiting
from tests.harness.odd_trees import Description, described
from tests.harness.own_root import OwnRoot
from tests.harness.pages import Page
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.systemd import DOCKER_SERVICE, Machine, booted
from tests.system.facts import differences

OPERATING, CONVERTING, TROUBLESHOOTING = (Page(f"{name}.md") for name in ("operating", "converting", "troubleshooting"))

KATA = "123456789A"
MANIFEST = f"/katas/12/{KATA[2:]}/manifest.json"
REAL = "/katas/89/716C1BC6/manifest.json"
SLOW = '[Service]\\nEnvironment="KATAFS_OPTIONS=--rate 0.001"\\n'
"""One kata at once, and the next one much later."""

pytestmark = pytest.mark.xdist_group("operating")

OLD_DISK = f"""\
tar --numeric-owner -xpf /srv/data/katas-89.tar.gz -C /
mkdir -p /katas/12/{KATA[2:]} /etc/katafs /backup
echo '{{}}' >{MANIFEST}
echo stray >/katas/readme.txt
chmod 2770 /katas/12
touch -d 2001-02-03T04:05:06.123456789Z /katas/12/* /katas/12 /katas/readme.txt /katas
"""


@contextmanager
def started() -> Iterator[Machine]:
    """A machine with an old disk of real katas at /katas, and an engine that runs."""
    needs.docker()
    needs.fuse()
    needs.programs("rsync", "chattr")
    directory = fresh_directory()
    with booted(directory, OwnRoot(directory, {"/srv/data": needs.shared_data()})) as machine:
        machine.run(f"{DOCKER_SERVICE} systemctl start docker; {OLD_DISK}")
        yield machine
    remove_directory(directory)


def switch_over(machine: Machine) -> None:
    """What the page says."""
    settings = OPERATING.file("toml", "legacy")
    machine.run(OPERATING.commands("mv /katas /katas.old"))
    machine.run(f"cat >/etc/katafs/katas.toml <<'END'\n{settings}END\n")
    machine.run(OPERATING.commands("systemctl enable --now katafs-convert@katas.timer"))


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine that a test may do anything to."""
    with started() as machine:
        yield machine


@pytest.fixture(scope="module")
def switched() -> Iterator[Machine]:
    """One that was switched over, for tests that leave it like that."""
    with started() as machine:
        switch_over(machine)
        yield machine


@pytest.fixture(scope="module")
def converted() -> Iterator[tuple[Machine, Description]]:
    """One that was converted by hand and isn't mounted, and what was on its disk."""
    with started() as machine:
        before = look(machine)
        machine.run("cp -a /katas /katas.was; mv /katas /katas.old; mkdir /katas")
        machine.run(CONVERTING.commands("katafs convert --sample 5"))
        yield machine, before


def look(machine: Machine) -> Description:
    """All that is at /katas, by whatever is there."""
    return described(machine.path("/katas"), atimes=False)


def convert_the_rest(machine: Machine) -> None:
    """What the page says, without waiting for the timer."""
    machine.run("systemctl start katafs-convert@katas.service")
    machine.wait_for("katafs-convert@katas.service", "ActiveState", "inactive")
    machine.run("sed -i /legacy/d /etc/katafs/katas.toml")
    machine.run(OPERATING.commands("&& rmdir /katas.old"))


def test_a_server_is_switched_over_and_converted(machine: Machine) -> None:
    before = look(machine)

    switch_over(machine)
    convert_the_rest(machine)

    assert "moved 6; " in machine.run(OPERATING.commands("--unit katafs-convert@katas")).stdout
    assert machine.shown("katafs-convert@katas.service", "Result") == "success"
    assert differences(before, look(machine)) == ""
    assert KATA in machine.run("docker volume ls --quiet").stdout.split()


def test_a_server_goes_back_half_converted(machine: Machine) -> None:
    machine.run("mkdir /etc/systemd/system/katafs-convert@.service.d")
    machine.run(f"printf '{SLOW}' >/etc/systemd/system/katafs-convert@.service.d/slow.conf; systemctl daemon-reload")
    switch_over(machine)
    machine.run(f"echo >>{MANIFEST}; ls /katas.old/89/*/manifest.json")
    before = look(machine)

    machine.run(OPERATING.commands("katafs export --all --to /katas.back"))

    assert differences(before, look(machine)) == ""
    assert machine.run("mountpoint /katas", status=32).stdout == "/katas is not a mountpoint\n"


def test_a_server_goes_back_when_all_is_converted(machine: Machine) -> None:
    before = look(machine)
    switch_over(machine)
    convert_the_rest(machine)

    machine.run(OPERATING.commands("katafs export --all --to /katas.back"))

    assert differences(before, look(machine)) == ""


def test_katas_are_converted_by_the_command(converted: tuple[Machine, Description]) -> None:
    machine, before = converted
    machine.run("katafs mount /katas --volumes docker --layout split --daemon")

    after = look(machine)
    machine.run("katafs umount /katas")

    assert differences(before, after) == ""


def test_katas_come_out_again(converted: tuple[Machine, Description]) -> None:
    machine, _ = converted
    machine.run(CONVERTING.commands("katafs export 123456789A --to /srv/katas"))

    machine.run(f"test -e /srv{MANIFEST} -a -e /backup{REAL} -a -e {KATA}.tgz; ! test -e /backup/katas/89/*/*/.git")


def test_without_katafs_and_without_an_engine_the_files_are_there(converted: tuple[Machine, Description]) -> None:
    machine, _ = converted
    machine.run("systemctl stop docker")

    machine.run(OPERATING.commands("volumes=/var/lib/docker/volumes"))

    machine.run("systemctl start docker")
    assert machine.run(f"cat /katas.plain/12/{KATA[2:]}/manifest.json").stdout == "{}\n"
    machine.run("diff -r --exclude=readme.txt /katas.was /katas.plain")


def test_a_volume_of_a_shared_disk_is_served(machine: Machine) -> None:
    machine.run(f"mkdir -p /shared/katas/{KATA}; echo shared >/shared/katas/{KATA}/file")

    machine.run(OPERATING.commands("docker volume create --driver local"))

    machine.run("mkdir /mnt/katas; katafs mount /mnt/katas --volumes docker --daemon")
    assert machine.run(f"cat /mnt/katas/{KATA}/file").stdout == "shared\n"


def test_katas_move_to_another_server(machine: Machine) -> None:
    before = look(machine)
    daemon = OPERATING.file("ini", "[katas]").replace("/katas", "/old").replace("pre-xfer", "# ")
    machine.run(f"mv /katas /old; mkdir /katas; cat >/etc/rsyncd.conf <<'END'\n{daemon}\nEND\n")
    machine.run("echo 127.0.0.1 old >>/etc/hosts; rsync --daemon; until rsync rsync://old/; do sleep 0.02; done")
    machine.run("katafs mount /katas --volumes docker --layout split --daemon")

    for _ in range(2):
        machine.run(OPERATING.commands("rsync://old/katas/ /katas/"))

    assert differences(before, look(machine)) == ""


def test_what_troubleshooting_asks_first(switched: Machine) -> None:
    shown = switched.run(TROUBLESHOOTING.commands("katafs doctor /katas"), status=None)

    for said in ("fuse         /dev/fuse can be used", "Active: active (running)", "Started katafs@katas.service"):
        assert said in shown.stdout


def test_the_daemons_stacks_go_into_the_journal(switched: Machine) -> None:
    switched.run(TROUBLESHOOTING.commands("--signal=USR1"))

    waiting.until(lambda: "session.py" in switched.journal("katafs@katas"), "the stacks")


def test_a_mount_that_hangs_is_got_rid_of(switched: Machine) -> None:
    switched.run("systemctl kill --kill-whom=main --signal=STOP katafs@katas")
    reader = switched.start("ls /katas/12 || echo failed")

    switched.run(TROUBLESHOOTING.commands("/abort"))

    assert reader.communicate(timeout=60)[0] == "failed\n"
    switched.wait_for("katafs@katas", "NRestarts", "1")
    switched.wait_for("katafs@katas", "ActiveState", "active")
    switched.run(f"cat {MANIFEST}")
