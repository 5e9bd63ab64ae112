"""The systemd units: none may hide the mount from the rest of the machine, or stop what it runs at a bad moment."""

import configparser
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from katafs.cli.exit_codes import ExitCode
from tests.harness import needs

_UNITS = Path(__file__).parents[2] / "systemd"

_NAMESPACE_MAKING = """
    BindLogSockets BindPaths BindReadOnlyPaths DynamicUser ExecPaths ExtensionDirectories ExtensionImages
    InaccessibleDirectories InaccessiblePaths LogNamespace MountAPIVFS MountImages NoExecPaths PrivateBPF PrivateDevices
    PrivateIPC PrivateMounts PrivateNetwork PrivatePIDs PrivateTmp PrivateUsers ProcSubset ProtectClock
    ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables
    ProtectProc ProtectSystem ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories ReadWritePaths RootDirectory
    RootHash RootImage RootImageOptions RootVerity TemporaryFileSystem
    """
"""The options of systemd.exec(5) that give a service its own view of the mounts, or may do so in some version."""


_STOPPED_OR_RESTARTED_WITH = {
    "BindsTo",
    "PartOf",
    "PropagatesStopTo",
    "Requires",
    "Requisite",
    "StopPropagatedFrom",
    "Upholds",
}
"""The options of systemd.unit(5) by which one unit stops or starts with another."""


def _section(unit: str, section: str) -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's options have capitals
    parser.read_string((_UNITS / unit).read_text())
    return dict(parser[section])


@pytest.fixture
def service() -> dict[str, str]:
    return _section("katafs@.service", "Service")


@pytest.fixture
def converter() -> dict[str, str]:
    return _section("katafs-convert@.service", "Service")


@pytest.mark.parametrize("unit", ["katafs@.service", "katafs-convert@.service"])
def test_nothing_makes_a_mount_namespace(unit: str) -> None:
    assert sorted(_section(unit, "Service").keys() & set(_NAMESPACE_MAKING.split())) == []


def test_systemd_finds_nothing_wrong_with_the_units(disk: Path) -> None:
    needs.programs("systemd-analyze")
    for unit in _UNITS.iterdir():
        # The command that is installed by hand isn't there when tests run.
        installed = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
        (disk / unit.name).write_text(installed)
    units = [disk / unit.name.replace("@.", "@katas.") for unit in _UNITS.iterdir()]
    for unit in units:
        template = disk / re.sub(r"@[^.]+\.", "@.", unit.name)
        if template != unit:
            unit.symlink_to(template)

    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )

    assert (found.returncode, _about_ours(found.stderr)) == (0, [])


def _about_ours(said: str) -> list[str]:
    return [line for line in said.splitlines() if "katafs" in line]


def test_a_conversion_is_stopped_between_two_katas(converter: dict[str, str]) -> None:
    assert converter["KillSignal"] == "SIGTERM"
    assert converter["TimeoutStopSec"] == "10min"


def test_a_conversion_gives_way_to_everybody(converter: dict[str, str]) -> None:
    assert (converter["Nice"], converter["CPUSchedulingPolicy"], converter["IOSchedulingClass"]) == (
        "19",
        "idle",
        "idle",
    )


def test_a_conversion_starts_again_after_it_ended() -> None:
    assert set(_section("katafs-convert@.timer", "Timer")) == {"OnBootSec", "OnUnitInactiveSec"}


@pytest.mark.parametrize("unit", ["katafs@.service", "katafs-convert@.service"])
def test_what_converts_may_lease_the_files_of_others(unit: str) -> None:
    assert "CAP_LEASE" in _section(unit, "Service")["CapabilityBoundingSet"].split()


def test_the_unit_is_ready_when_the_daemon_says_so(service: dict[str, str]) -> None:
    assert service["Type"] == "notify"


def test_a_daemon_that_hangs_is_started_anew(service: dict[str, str]) -> None:
    assert service["WatchdogSec"] == "2min"
    assert service["Restart"] == "on-failure"


def test_the_daemon_is_stopped_by_its_signal_alone(service: dict[str, str]) -> None:
    assert "ExecStop" not in service
    assert service["KillSignal"] == "SIGTERM"


def test_new_privileges_can_not_be_gained(service: dict[str, str]) -> None:
    assert service["NoNewPrivileges"] == "yes"
    assert "CAP_SYS_PTRACE" not in service["CapabilityBoundingSet"].split()


def test_a_restart_of_the_engine_is_none_of_the_mounts() -> None:
    unit = _section("katafs@.service", "Unit")

    assert "docker.service" in unit["After"].split()
    assert sorted(unit.keys() & _STOPPED_OR_RESTARTED_WITH) == []


def test_a_mount_is_tried_again_for_as_long_as_the_engine_takes(service: dict[str, str]) -> None:
    assert service["Restart"] == "on-failure"
    assert _section("katafs@.service", "Unit")["StartLimitIntervalSec"] == "0"


def test_a_slow_start_is_not_ended_before_it_is_done(service: dict[str, str]) -> None:
    assert service["TimeoutStartSec"] == "10min"


def test_wrong_usage_is_not_tried_again(service: dict[str, str]) -> None:
    assert service["RestartPreventExitStatus"] == str(int(ExitCode.USAGE))


def test_what_ends_the_daemon_is_an_error_in_the_journal(service: dict[str, str]) -> None:
    assert service["SyslogLevel"] == "err"


def test_an_instance_is_a_configuration(service: dict[str, str]) -> None:
    assert service["ExecStart"] == "katafs mount --config /etc/katafs/%i.toml"


def test_each_directive_of_the_service_has_its_purpose_above() -> None:
    lines = (_UNITS / "katafs@.service").read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines()
    pairs = [(above, line) for above, line in pairwise(lines) if line and not line.startswith("#")]

    assert [line for above, line in pairs if not above.startswith("#")] == []
