"""How the doctor judges what no test machine has."""

import errno

import pytest

from katafs.doctor import machine, volumes
from katafs.doctor.findings import Severity
from katafs.doctor.machine_facts import Fusermount, Namespaces
from katafs.doctor.volume_facts import Space, Volumes


@pytest.mark.parametrize(
    ("release", "lacks"),
    [
        ("4.19.0-27-amd64", ["open_tree", "FUSE 7.31"]),
        ("5.3.18", ["FUSE 7.31"]),
    ],
)
def test_an_old_kernel_lacks_something(release: str, lacks: list[str]) -> None:
    found = machine.kernel(release)

    assert found.severity is Severity.PROBLEM
    assert [word for word in ("open_tree", "FUSE 7.31") if word in found.text] == lacks
    assert "5.4" in found.remedy


@pytest.mark.parametrize("release", ["5.4.0-216-generic", "5.10.0-28-amd64", "6.1.0-18-amd64", "10.0"])
def test_a_newer_kernel_is_ok(release: str) -> None:
    assert machine.kernel(release).severity is Severity.OK


def test_a_kernel_of_unknown_version_is_a_note() -> None:
    assert machine.kernel("custom").severity is Severity.NOTE


@pytest.mark.parametrize(
    ("refusal", "remedy"), [(errno.ENOENT, "modprobe fuse"), (errno.EPERM, "--device /dev/fuse --cap-add SYS_ADMIN")]
)
def test_a_fuse_device_that_is_missing_or_not_permitted(refusal: int, remedy: str) -> None:
    assert remedy in machine.fuse(refusal).remedy


def test_a_fusermount_without_its_rights_is_a_problem_for_ordinary_users() -> None:
    found = machine.fusermount(Fusermount("/usr/bin/fusermount3", setuid_root=False), uid=1000)

    assert (found.severity, "chmod u+s" in found.remedy) == (Severity.PROBLEM, True)


@pytest.mark.parametrize(("own", "first"), [(None, "mnt:[1]"), ("mnt:[1]", None)])
def test_a_namespace_that_is_hidden_is_a_note(own: str | None, first: str | None) -> None:
    assert machine.namespace(Namespaces(own, first)).severity is Severity.NOTE


@pytest.mark.parametrize(
    "text", ['PRUNEFS="NFS fuse.katafs"', "PRUNEFS = nfs FUSE.KATAFS proc", "a=1\n PRUNEFS='fuse.katafs'\n"]
)
def test_an_updatedb_that_leaves_the_tree_alone(text: str) -> None:
    found = machine.updatedb(text)

    assert found is not None
    assert found.severity is Severity.OK


def test_an_updatedb_whose_service_was_told_leaves_the_tree_alone() -> None:
    service = "[Service]\nExecStart=\nExecStart=/usr/sbin/updatedb.plocate --add-prunefs fuse.katafs\n"

    found = machine.updatedb('PRUNEFS="nfs"', service)

    assert found is not None
    assert found.severity is Severity.OK


@pytest.mark.parametrize("text", ["", "# PRUNEFS=fuse.katafs", 'PRUNEFS="fuse.katafs2"', 'PRUNEPATHS="fuse.katafs"'])
def test_an_updatedb_that_does_not(text: str) -> None:
    found = machine.updatedb(text)

    assert found is not None
    assert found.severity is Severity.NOTE


@pytest.mark.parametrize(
    ("free", "severity"), [(0, Severity.PROBLEM), (9, Severity.PROBLEM), (10, Severity.NOTE), (100, Severity.OK)]
)
def test_room_left_of_1000(free: int, severity: Severity) -> None:
    space = Space("/srv", 1000, free, 1000, free)

    found = {each.check: each.severity for each in volumes.volumes(Volumes("dir:/srv", 1, (), (), (), (space,)))}

    assert (found["space"], found["inodes"]) == (severity, severity)


def test_a_file_system_that_makes_inodes_as_they_are_needed_lacks_none() -> None:
    space = Space("/srv", 1000, 1000, 0, 0)

    found = {each.check: each.severity for each in volumes.volumes(Volumes("dir:/srv", 1, (), (), (), (space,)))}

    assert found["inodes"] is Severity.OK


@pytest.mark.parametrize(
    ("count", "last"), [(1000, "980 more volumes can't be served"), (21, "1 more volume can't be served")]
)
def test_many_refused_volumes_are_counted(count: int, last: str) -> None:
    refused = tuple(f"volume {number} is refused" for number in range(count))

    found = [each.text for each in volumes.volumes(Volumes("docker", count, refused, (), (), ()))]

    assert (len(found), found[-1]) == (21, last)


@pytest.mark.parametrize(("count", "said"), [(0, "0 volumes"), (1, "1 volume"), (2, "2 volumes")])
def test_volumes_are_counted(count: int, said: str) -> None:
    found = [each.text for each in volumes.volumes(Volumes("dir:/srv", count, (), (), (), ()))]

    assert found == [f"dir:/srv: {said}, and none is refused"]


@pytest.mark.parametrize(
    ("version", "told"), [("20.10.24+dfsg1", 2), ("22.06", 2), ("23.0.0", 1), ("29.1", 1), ("x", 1)]
)
def test_prune_is_a_danger_before_23(version: str, told: int) -> None:
    assert len(list(volumes.engine(version, "1.41", "1.44", "unix:///sock"))) == told


@pytest.mark.parametrize(
    ("oldest_api", "told"), [("1.12", 2), ("1.24", 2), ("1.41", 2), ("1.42", 1), ("1.44", 1), ("2.0", 1), ("None", 1)]
)
def test_prune_of_an_old_client_is_a_danger_where_the_engine_lets_it(oldest_api: str, told: int) -> None:
    assert len(list(volumes.engine("28.5.2", "1.51", oldest_api, "unix:///sock"))) == told
