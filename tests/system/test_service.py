"""katafs@.service under the real systemd, on a machine of its own."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.faulty_katafs import gated
from tests.harness.own_root import OwnRoot
from tests.harness.pages import Page
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.systemd import DOCKER_SERVICE, Machine, booted

KATA = "123456789A"
UNIT = "katafs@katas.service"
MANIFEST = f"/katas/12/{KATA[2:]}/manifest.json"

DOCKER = "katafs@docker.service"

CONVERTER = "katafs-convert@old.service"

pytestmark = pytest.mark.xdist_group("service")

SETTINGS = """\
mkdir -p /etc/katafs /{name}
cat >/etc/katafs/{name}.toml <<'END'
mountpoint = "/{name}"
volumes = "{volumes}"
layout = "split"
END
"""

OTHER_PROGRAM = """\
mkdir /etc/systemd/system/katafs@gated.service.d
cat >/etc/systemd/system/katafs@gated.service.d/program.conf <<END
[Service]
ExecStart=
ExecStart={program} mount --config /etc/katafs/%i.toml
END
"""

SHORT_WATCHDOG = """\
mkdir /etc/systemd/system/katafs@watched.service.d
cat >/etc/systemd/system/katafs@watched.service.d/watchdog.conf <<END
[Service]
WatchdogSec=2s
END
"""

SERVER = """\
mkdir -p /srv/image/bin
cp $(command -v busybox) /srv/image/bin/
tar -C /srv/image -c . | docker import - server
docker create --name web --network none -v /katas:/katas server busybox sh -c '
  ended() {{ busybox cp {manifest} {kata}/saved; exit; }}
  trap ended TERM
  busybox cp {manifest} {kata}/found
  while :; do busybox sleep 0.1; done'
"""

NO_ENGINE = """\
cat >/etc/systemd/system/docker.service <<'END'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=true
END
systemctl daemon-reload
"""

READER = """\
while [ ! -e /stop ]; do
  cat {file} >/dev/null || echo failed
  echo read
done
"""


@pytest.fixture(scope="module")
def whole() -> Iterator[tuple[Machine, Path]]:
    """A machine, and a directory of this one that it knows by the same name."""
    needs.root()
    needs.fuse()
    directory = fresh_directory()
    (directory / "volumes" / KATA).mkdir(parents=True)
    (directory / "volumes" / KATA / "manifest.json").write_text("{}")
    with booted(directory, OwnRoot(directory, {"/srv/volumes": directory / "volumes"})) as machine:
        machine.run(SETTINGS.format(name="katas", volumes="dir:/srv/volumes"))
        yield machine, directory
    remove_directory(directory)


@pytest.fixture
def machine(whole: tuple[Machine, Path]) -> Iterator[Machine]:
    """The machine, with the service running at first, and stopped at the end."""
    machine, _ = whole
    machine.run(f"systemctl start {UNIT}")
    yield machine
    machine.run(f"systemctl stop {UNIT}; systemctl reset-failed; ! mountpoint -q /katas")


def test_what_starts_after_it_finds_katas(machine: Machine) -> None:
    started = machine.run(f"systemctl stop {UNIT}; systemctl start {UNIT}; cat {MANIFEST}")

    assert started.stdout == "{}"


def test_it_is_not_ready_before_the_mount_answers(whole: tuple[Machine, Path]) -> None:
    machine, directory = whole
    gate = directory / "gate"
    program = shlex.join(gated("getattr", gate))
    machine.run(SETTINGS.format(name="gated", volumes="dir:/srv/volumes") + OTHER_PROGRAM.format(program=program))
    machine.run("systemctl daemon-reload; systemctl start --no-block katafs@gated")
    waiting.until(Path(f"{gate}.reached").exists, "the question whether the mount answers")
    before = machine.run("findmnt --noheadings --output FSTYPE /gated; systemctl is-active katafs@gated", status=3)

    Path(f"{gate}.open").touch()
    machine.wait_for("katafs@gated", "ActiveState", "active")
    machine.run("systemctl stop katafs@gated")
    assert before.stdout.split() == ["fuse.katafs", "activating"]


def test_a_killed_daemon_is_back_and_has_mounted_again(machine: Machine) -> None:
    machine.run(f"systemctl kill --kill-whom=main --signal=KILL {UNIT}")

    machine.wait_for(UNIT, "NRestarts", "1")
    machine.wait_for(UNIT, "ActiveState", "active")
    assert machine.run(f"mountpoint -q /katas; cat {MANIFEST}").stdout == "{}"


def test_a_daemon_that_hangs_is_started_anew(machine: Machine) -> None:
    machine.run(SETTINGS.format(name="watched", volumes="dir:/srv/volumes") + SHORT_WATCHDOG)
    machine.run("systemctl daemon-reload; systemctl start katafs@watched")

    machine.run("systemctl kill --kill-whom=main --signal=STOP katafs@watched")

    machine.wait_for("katafs@watched", "NRestarts", "1")
    machine.wait_for("katafs@watched", "ActiveState", "active")
    assert machine.run(f"cat /watched/12/{KATA[2:]}/manifest.json; systemctl stop katafs@watched").stdout == "{}"


def test_a_dead_mount_is_cleared_at_the_start(machine: Machine) -> None:
    machine.run(
        f"systemctl stop {UNIT}; katafs mount --config /etc/katafs/katas.toml --daemon; "
        "kill -KILL $(pgrep --full '^[^ ]*python'); ! stat --file-system /katas"
    )

    assert machine.run(f"systemctl start {UNIT}; cat {MANIFEST}").stdout == "{}"


def test_stopped_it_is_inactive_and_not_failed(machine: Machine) -> None:
    machine.run(f"systemctl stop {UNIT}; ! mountpoint -q /katas")

    shown = [machine.shown(UNIT, what) for what in ("ActiveState", "Result", "ExecMainStatus")]
    assert shown == ["inactive", "success", "0"]


def test_an_unmount_by_hand_is_a_good_end(machine: Machine) -> None:
    # For a moment the watchdog's own question may keep it busy.
    waiting.until(lambda: machine.run("umount /katas", status=None).status == 0, "an unmount by hand")

    machine.wait_for(UNIT, "ActiveState", "inactive")
    assert machine.shown(UNIT, "Result") == "success"


def test_the_doctor_notices_where_its_mount_is_not_found_at_its_path(machine: Machine) -> None:
    asked = "katafs doctor /katas --volumes dir:/srv/volumes | grep ' unit '"
    before = machine.run(asked).stdout
    covered = machine.run(f"mount -t tmpfs tmpfs /katas; {asked}; umount /katas").stdout
    machine.run(
        f"systemctl enable {UNIT}; systemctl stop {UNIT}; katafs mount --config /etc/katafs/katas.toml --daemon"
    )
    by_hand = machine.run(f"{asked}; katafs umount /katas; systemctl disable {UNIT}").stdout

    assert [said.split()[0] for said in (before, covered, by_hand)] == ["ok", "problem", "note"]
    assert "its mount isn't on /katas" in covered


def test_a_wrong_setting_fails_at_once_and_is_not_tried_again(machine: Machine) -> None:
    machine.run("mkdir -p /etc/katafs; echo 'layuot = \"split\"' >/etc/katafs/wrong.toml")

    machine.run("systemctl start katafs@wrong", status=1)

    assert [machine.shown("katafs@wrong", what) for what in ("ActiveState", "NRestarts")] == ["failed", "0"]
    assert "layuot" in machine.journal("katafs@wrong")
    machine.run("journalctl --sync; journalctl --unit katafs@wrong --priority err | grep layuot")


def test_the_journal_knows_how_bad_it_is_what_the_converter_says(machine: Machine) -> None:
    machine.run("mkdir -p /srv/old/12/{3456789B,3456789C}; mknod /srv/old/12/3456789B/device c 1 3")
    machine.run("{ cat /etc/katafs/katas.toml; echo 'legacy = \"/srv/old\"'; } >/etc/katafs/old.toml")

    machine.run(f"systemctl start {CONVERTER}")
    machine.wait_for(CONVERTER, "ActiveState", "inactive")
    machine.run(f"rm -r /srv/old; systemctl start {CONVERTER}")
    machine.wait_for(CONVERTER, "ActiveState", "failed")

    machine.run("journalctl --sync")
    said = f"journalctl --unit {CONVERTER} --identifier katafs --output cat --priority"
    error, warning, info = (machine.run(f"{said} {level}..{level}").stdout for level in ("err", "warning", "info"))
    assert "/srv/old" in error
    assert warning == "123456789B: refused: device in it is a device node\n"
    assert ", refused 1; " in info


def test_its_mount_is_seen_by_the_whole_machine(machine: Machine) -> None:
    pid = machine.shown(UNIT, "MainPID")

    own, first = machine.run(f"readlink /proc/{pid}/ns/mnt /proc/1/ns/mnt").stdout.split()
    assert own == first


def test_systemd_mounts_a_line_of_fstab(machine: Machine) -> None:
    options = "layout=split,nofail,_netdev,x-systemd.after=docker.service,x-systemd.mount-timeout=10min"
    machine.run(f"mkdir /fstab; echo 'dir:/srv/volumes /fstab fuse.katafs {options} 0 0' >>/etc/fstab")

    machine.run("systemctl daemon-reload; systemctl start fstab.mount")

    assert machine.run(f"cat /fstab/12/{KATA[2:]}/manifest.json").stdout == "{}"
    machine.run("systemctl stop fstab.mount; ! mountpoint /fstab; ! systemctl is-failed fstab.mount")


def test_systemd_mounts_a_line_of_fstab_when_somebody_first_comes(machine: Machine) -> None:
    """Whoever isn't of systemd's process group waits there until it is mounted, and so would who is to mount it. Where
    the kernel has no autofs, systemd has it mounted by its name alone."""
    first = "auto.automount" if needs.has_autofs() else "auto.mount"
    options = "layout=split,noauto,x-systemd.automount,x-systemd.mount-timeout=30s"
    machine.run(f"mkdir /auto; echo 'dir:/srv/volumes /auto fuse.katafs {options} 0 0' >>/etc/fstab")

    machine.run(f"systemctl daemon-reload; systemctl start {first}")

    shown = machine.run(f"cat /auto/12/{KATA[2:]}/manifest.json; systemctl stop {first}", timeout=90)
    assert shown.stdout == "{}"
    machine.run("! mountpoint -q /auto; ! systemctl is-failed auto.mount")


def test_it_waits_for_the_engine_and_outlives_its_restart(machine: Machine) -> None:
    needs.docker()
    machine.run(SETTINGS.format(name="docker", volumes="docker") + DOCKER_SERVICE)
    machine.run(f"systemctl start --no-block {DOCKER}")
    machine.wait_for(DOCKER, "SubState", "auto-restart")

    machine.run(f"systemctl start docker; docker volume create {KATA}")
    machine.wait_for(DOCKER, "ActiveState", "active")
    pid = machine.shown(DOCKER, "MainPID")
    file = f"/docker/12/{KATA[2:]}/file"
    machine.run(f"echo content >{file}")
    reader = machine.start(READER.format(file=file))
    machine.run("systemctl restart docker; docker volume ls --quiet; systemctl stop docker; touch /stop")
    read, _ = reader.communicate(timeout=60)

    assert machine.shown(DOCKER, "MainPID") == pid
    assert set(read.split()) == {"read"}
    machine.run(f"systemctl stop {DOCKER}")


def test_a_server_in_a_container_has_katas_until_it_has_ended(machine: Machine) -> None:
    needs.docker()
    kata = f"/katas/12/{KATA[2:]}"
    machine.run(DOCKER_SERVICE + "systemctl start docker\n")
    machine.run(SERVER.format(manifest=MANIFEST, kata=kata))

    machine.run(Page("operating.md").commands("systemctl enable --now web"))
    waiting.until(lambda: machine.run(f"test -e {kata}/found", status=None).status == 0, "the server to find katas")
    machine.run(f"rm {kata}/found; systemctl restart {UNIT}")

    assert machine.run(f"cat {kata}/saved").stdout == "{}"
    waiting.until(lambda: machine.run(f"test -e {kata}/found", status=None).status == 0, "the new server to find them")
    machine.run("systemctl disable --now web; docker rm web; systemctl stop docker")


def test_a_server_in_a_container_comes_up_also_where_katafs_had_to_try_again(machine: Machine) -> None:
    """systemd itself starts nothing later of which a requirement has failed once."""
    machine.run(f"systemctl stop {UNIT}; sed -i s,/srv/volumes,/srv/late, /etc/katafs/katas.toml; {NO_ENGINE}")
    commands = Page("operating.md").commands("systemctl enable --now web")
    commands = commands.replace("docker start --attach web", "sleep infinity").replace("docker stop web", "true")
    machine.run(commands, status=1)
    machine.run("mkdir /srv/late")

    machine.wait_for("web", "ActiveState", "active")
    machine.run("systemctl disable --now web; systemctl stop docker")
    machine.run("sed -i s,/srv/late,/srv/volumes, /etc/katafs/katas.toml")


def test_a_server_in_a_container_is_started_until_it_succeeds(machine: Machine) -> None:
    server = "sh -c 'test -e /srv/needed && exec sleep infinity'"
    commands = Page("operating.md").commands("systemctl enable --now web")
    machine.run(NO_ENGINE + commands.replace("docker start --attach web", server).replace("docker stop web", "true"))

    machine.wait_for("web", "NRestarts", "5")
    machine.run("touch /srv/needed")

    going_on = "pgrep --full '^sleep infinity'"
    waiting.until(lambda: machine.run(going_on, status=None).status == 0, "the server to go on")
    machine.run("systemctl disable --now web; systemctl stop docker")
