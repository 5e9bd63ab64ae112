"""What mount(8)'s words mean to `katafs mount`."""

import os
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from katafs.cli.mount import mount
from katafs.cli.mount_helper import arguments, helper
from tests.harness.programs import run

PROGRAM = [sys.executable, "-c", "from katafs.cli.mount_helper import main; main()"]


def test_without_options() -> None:
    assert arguments("docker", "/katas", ()) == ["--daemon", "--volumes=docker", "--", "/katas"]


@pytest.mark.parametrize("name", ["config", "layout", "sandboxes", "tags", "prefix", "legacy", "convert"])
def test_a_long_option_of_katafs_mount(name: str) -> None:
    assert f"--{name}=a=b" in arguments("docker", "/katas", (f"rw,{name}=a=b",))


@pytest.mark.parametrize("option", ["ro", "timeout=2", "nofail"])
def test_anything_else_stays_an_option_of_mount(option: str) -> None:
    assert arguments("docker", "/katas", (option,))[2:] == [f"-o{option}", "--", "/katas"]


@pytest.mark.parametrize(
    ("option", "wanted"), [("layout", "layout=flat|split"), ("legacy", "legacy=DIR"), ("config", "config=FILE")]
)
def test_a_long_option_without_its_value_says_what_it_wants(option: str, wanted: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        arguments("docker", "/katas", (option,))

    assert refused.value.message == f"-o {option}: wants a value: {wanted}"


@pytest.mark.parametrize(
    ("option", "hint"),
    [("layot=split", "; did you mean 'layout'?"), ("tiemout=2", "; did you mean 'timeout'?"), ("volumes=docker", "")],
)
def test_what_is_not_known_is_refused_with_the_nearest_name(option: str, hint: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        arguments("docker", "/katas", ("ro", option))

    assert refused.value.message == f"-o {option}: is not an option of katafs{hint}"


def test_a_mount_point_is_never_an_option() -> None:
    assert arguments("docker", "--daemon", ("", ","))[-2:] == ["--", "--daemon"]


def test_docker_is_docker_also_where_a_file_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mount(8) makes it an absolute path in a directory like /etc or /var/lib."""
    told: list[list[str]] = []
    monkeypatch.setattr(mount, "main", lambda words, **_: told.append(words))
    (tmp_path / "docker").mkdir()
    monkeypatch.chdir(tmp_path)
    for source in (os.path.realpath(tmp_path / "docker"), "/elsewhere/docker"):
        CliRunner().invoke(helper, [source, "/katas"], catch_exceptions=False)

    (tmp_path / "docker").rmdir()
    tmp_path.rmdir()
    CliRunner().invoke(helper, ["docker", "/katas"], catch_exceptions=False)

    assert [words[1] for words in told] == ["--volumes=docker", "--volumes=/elsewhere/docker", "--volumes=docker"]


@pytest.mark.parametrize("option", ["sideways", "layout=round", "remount", "layout"])
def test_a_wrong_option_shows_the_usage_of_the_helper(option: str) -> None:
    refused = run([*PROGRAM, "docker", "/katas", "-o", option], status=1)

    usage, *_, error = refused.stderr.splitlines()
    assert usage == "Usage: mount.fuse.katafs docker|dir:PATH MOUNTPOINT [-o OPTIONS]"
    assert error.startswith("Error: ")


def test_what_the_system_refuses_is_one_line() -> None:
    refused = run(["sh", "-c", 'exec "$@" >/dev/full', "sh", *PROGRAM, "--help"], status=32)

    assert refused.stderr == "mount.fuse.katafs: No space left on device\n"
