"""The `-o` options."""

import click
import pytest
from click.testing import CliRunner

from katafs.cli.main import katafs
from katafs.cli.options import parse


def values(*texts: str) -> dict[str, object]:
    return {name: given.value for name, given in parse(texts).items()}


def test_no_options_set_nothing() -> None:
    assert parse(()) == {}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("timeout=0", {"timeout": 0}),
        ("timeout=0.5", {"timeout": 0.5}),
        ("timeout=60", {"timeout": 60}),
        ("negative_timeout=0.5", {"negative_timeout": 0.5}),
        ("inodes=1000", {"inodes": 1000}),
        ("open_directories=16", {"open_directories": 16}),
        ("nonempty", {"nonempty": True}),
        ("noxattr", {"xattrs": False}),
        ("ro", {"read_only": True}),
        ("allow_other", {"allow_other": True}),
        ("noallow_other", {"allow_other": False}),
        ("noawake", {"awake": False}),
        ("debug", {"debug": True}),
        ("metrics=9100", {"metrics": 9100}),
    ],
)
def test_an_option(text: str, wanted: dict[str, object]) -> None:
    assert values(text) == wanted


@pytest.mark.parametrize(("text", "origin"), [("timeout=2", "flag -o timeout"), ("noxattr", "flag -o noxattr")])
def test_an_option_says_where_a_value_comes_from(text: str, origin: str) -> None:
    assert [given.origin for given in parse((text,)).values()] == [origin]


@pytest.mark.parametrize(
    "texts", [("ro,timeout=2,nonempty",), ("ro", "timeout=2", "nonempty"), (",ro,,timeout=2", "nonempty,")]
)
def test_options_come_by_comma_or_one_by_one(texts: tuple[str, ...]) -> None:
    assert values(*texts) == {"read_only": True, "timeout": 2, "nonempty": True}


def test_the_last_of_two_counts() -> None:
    assert values("timeout=2,timeout=3", "allow_other,noallow_other") == {"timeout": 3, "allow_other": False}


@pytest.mark.parametrize(
    "text",
    ["nofail", "_netdev", "rw", "defaults", "auto", "noauto", "x-systemd.requires=docker.service",
     "x-gvfs-hide", "X-mount.mkdir", "comment=katas", "x-systemd.automount", "nosuid", "nodev", "exec",
     "noatime", "relatime", "nodiratime", "async", "nouser"],
)  # fmt: skip
def test_what_fstab_lines_carry_for_others_is_ignored(text: str) -> None:
    assert values(text) == {}


@pytest.mark.parametrize(
    "text", ["colour", "ro=1", "nonempty=yes", "timeout", "=", "timeout2=1", "netdev", "x", "RO", "metrics"]
)
def test_an_option_that_is_not_known_is_named(text: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parse(("ro," + text,))

    assert text in refused.value.message


@pytest.mark.parametrize(
    ("option", "near"), [("tiemout=2", "timeout"), ("noxatr", "noxattr"), ("layot=split", "--layout"), ("xyzzy", None)]
)
def test_an_option_that_is_not_known_is_refused_with_the_nearest_name(option: str, near: str | None) -> None:
    result = CliRunner().invoke(katafs, ["config", "show", "-o", option])

    hint = "" if near is None else f"; did you mean '{near}'?"
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: -o {option}: is not an option of katafs{hint}\n")


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("timeout", "timeout=SECONDS"),
        ("negative_timeout", "negative_timeout=SECONDS"),
        ("inodes", "inodes=N"),
        ("open_directories", "open_directories=N"),
        ("metrics", "metrics=PORT"),
    ],
)
def test_an_option_without_its_value_says_what_it_wants(option: str, wanted: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parse((option,))

    assert refused.value.message == f"-o {option}: wants a value: {wanted}"


def test_a_remount_is_refused_with_the_way_to_do_it() -> None:
    with pytest.raises(click.UsageError) as refused:
        parse(("rw,remount,ro",))

    assert refused.value.message == "-o remount: katafs can't be remounted: unmount it, and mount it again"


@pytest.mark.parametrize("value", ["", "-1", "soon", "1s", "inf", "nan", "1e999"])
def test_a_timeout_that_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parse((f"timeout={value}",))

    assert "is not a number of seconds" in refused.value.message


@pytest.mark.parametrize("option", ["inodes=", "inodes=999", "inodes=-1000", "inodes=1e6", "open_directories=15"])
def test_a_bound_that_is_too_low_or_no_number_is_refused(option: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parse((option,))

    assert f"-o {option}: is not a number from" in refused.value.message


@pytest.mark.parametrize(
    ("option", "said"), [("--legacy", "'' is no path"), ("--volumes", "'' is neither docker nor dir:PATH")]
)
def test_an_empty_path_is_not_the_working_directory(option: str, said: str) -> None:
    result = CliRunner().invoke(katafs, ["config", "show", option, ""])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: Invalid value for '{option}': {said}\n")
