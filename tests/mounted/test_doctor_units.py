"""`katafs doctor` notices where systemd and the kernel don't agree on what is mounted. systemd's part is played."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.doctored import NO_ENGINE, Found, doctor
from tests.harness.mounts import Mounts

Told = Callable[..., list[Found]]


@pytest.fixture
def told(disk: Path, volumes: Path) -> Told:
    """What the doctor says of a unit in this state that mounts there."""

    def of_unit(state: str, path: Path, *arguments: str | Path, enabled: str = "enabled") -> list[Found]:
        config = disk / "katas.toml"
        config.write_text(f'mountpoint = "{path}"\n')
        programs = disk / "programs"
        programs.mkdir()
        systemctl = programs / "systemctl"
        start = f"{{ path=/usr/bin/katafs ; argv[]=katafs mount --config {config} ; ignore_errors=no ; }}"
        shown = f"ExecStart={start}\nId=katafs@katas.service\nActiveState={state}\nUnitFileState={enabled}\n"
        systemctl.write_text(f"#!/bin/sh\ncat <<'END'\n{shown}\nId=katafs@other.service\nEND\n")
        systemctl.chmod(0o755)
        env = {**NO_ENGINE, "PATH": f"{programs}:{os.environ['PATH']}"}
        report = doctor(*arguments, "--volumes", f"dir:{volumes}", env=env)
        return [found for found in report.findings if found.check == "unit"]

    return of_unit


def test_a_unit_that_is_active_and_mounted_is_ok(mount: Mounts, told: Told) -> None:
    (found,) = told("active", mount().path)

    assert (found.severity, found.text.split(":")[0]) == ("ok", "katafs@katas")


def test_a_unit_that_is_active_without_its_mount(bare: Path, told: Told) -> None:
    (found,) = told("active", bare)

    assert found.severity == "problem"
    assert f"its mount isn't on {bare}" in found.text
    assert "systemctl restart katafs@katas" in found.remedy


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_mount_whose_unit_is_not_active(state: str, mount: Mounts, told: Told) -> None:
    path = mount().path
    (found,) = told(state, path)

    assert found.severity == "note"
    assert f"is {state}, and katafs is mounted on {path}" in found.text
    assert f"katafs umount {path} && systemctl restart katafs@katas" in found.remedy


@pytest.mark.parametrize("state", ["failed", "activating"])
def test_a_unit_that_does_not_come_up(state: str, bare: Path, told: Told) -> None:
    (found,) = told(state, bare)

    assert (found.severity, found.remedy.split()[0]) == ("problem", "journalctl")


def test_nothing_is_said_of_one_that_is_off(bare: Path, told: Told) -> None:
    assert told("inactive", bare) == []


def test_nor_where_it_is_to_be_off_and_others_have_mounted(mount: Mounts, told: Told) -> None:
    assert told("inactive", mount().path, enabled="disabled") == []


def test_only_what_is_named_is_looked_at(bare: Path, disk: Path, told: Told) -> None:
    assert told("active", bare, disk) == []
