"""The systemd unit: it must not hide the mount from the rest of the machine."""

import configparser
from pathlib import Path

import pytest

_UNIT = Path(__file__).parents[2] / "systemd" / "katafs.service"

_NAMESPACE_MAKING = """
    BindLogSockets BindPaths BindReadOnlyPaths DynamicUser ExecPaths ExtensionDirectories ExtensionImages
    InaccessibleDirectories InaccessiblePaths LogNamespace MountAPIVFS MountImages NoExecPaths PrivateBPF PrivateDevices
    PrivateIPC PrivateMounts PrivateNetwork PrivatePIDs PrivateTmp PrivateUsers ProcSubset ProtectClock
    ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables
    ProtectProc ProtectSystem ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories ReadWritePaths RootDirectory
    RootHash RootImage RootImageOptions RootVerity TemporaryFileSystem
    """
"""The options of systemd.exec(5) that give a service its own view of the mounts, or may do so in some version."""


@pytest.fixture
def service() -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's options have capitals
    parser.read_string(_UNIT.read_text())
    return dict(parser["Service"])


def test_nothing_makes_a_mount_namespace(service: dict[str, str]) -> None:
    assert sorted(service.keys() & set(_NAMESPACE_MAKING.split())) == []


def test_the_unit_is_ready_when_the_daemon_says_so(service: dict[str, str]) -> None:
    assert service["Type"] == "notify"


def test_the_daemon_is_stopped_by_its_signal_alone(service: dict[str, str]) -> None:
    assert "ExecStop" not in service
    assert service["KillSignal"] == "SIGTERM"


def test_new_privileges_can_not_be_gained(service: dict[str, str]) -> None:
    assert service["NoNewPrivileges"] == "yes"
    assert "CAP_SYS_PTRACE" not in service["CapabilityBoundingSet"].split()
