"""What mount(8)'s words mean to `katafs mount`."""

import pytest

from katafs.cli.mount_helper import arguments


def test_without_options() -> None:
    assert arguments("docker", "/katas", ()) == ["--daemon", "--volumes=docker", "--", "/katas"]


@pytest.mark.parametrize("name", ["config", "layout", "sandboxes", "tags", "prefix", "legacy", "convert"])
def test_a_long_option_of_katafs_mount(name: str) -> None:
    assert f"--{name}=a=b" in arguments("docker", "/katas", (f"rw,{name}=a=b",))


@pytest.mark.parametrize("option", ["ro", "timeout=2", "nofail", "sideways", "layout", "volumes=docker", "daemon"])
def test_anything_else_stays_an_option_of_mount(option: str) -> None:
    assert arguments("docker", "/katas", (option,))[2:] == [f"-o{option}", "--", "/katas"]


def test_a_mount_point_is_never_an_option() -> None:
    assert arguments("docker", "--daemon", ("", ","))[-2:] == ["--", "--daemon"]
