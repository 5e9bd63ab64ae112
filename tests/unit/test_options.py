"""The `-o` options."""

import click
import pytest

from katafs.cli.options import MountOptions, parse


def test_no_options_are_the_defaults() -> None:
    assert parse(()) == MountOptions(1.0, nonempty=False, xattrs=True, read_only=False, allow_other=None, debug=False)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("timeout=0", MountOptions(timeout_s=0)),
        ("timeout=0.5", MountOptions(timeout_s=0.5)),
        ("timeout=60", MountOptions(timeout_s=60)),
        ("negative_timeout=0.5", MountOptions(negative_timeout_s=0.5)),
        ("inodes=1000", MountOptions(inodes=1000)),
        ("open_directories=16", MountOptions(open_directories=16)),
        ("nonempty", MountOptions(nonempty=True)),
        ("noxattr", MountOptions(xattrs=False)),
        ("ro", MountOptions(read_only=True)),
        ("allow_other", MountOptions(allow_other=True)),
        ("noallow_other", MountOptions(allow_other=False)),
        ("debug", MountOptions(debug=True)),
    ],
)
def test_an_option(text: str, wanted: MountOptions) -> None:
    assert parse((text,)) == wanted


@pytest.mark.parametrize(
    "texts", [("ro,timeout=2,nonempty",), ("ro", "timeout=2", "nonempty"), (",ro,,timeout=2", "nonempty,")]
)
def test_options_come_by_comma_or_one_by_one(texts: tuple[str, ...]) -> None:
    assert parse(texts) == MountOptions(read_only=True, timeout_s=2, nonempty=True)


def test_the_last_of_two_counts() -> None:
    assert parse(("timeout=2,timeout=3", "allow_other,noallow_other")) == MountOptions(timeout_s=3, allow_other=False)


@pytest.mark.parametrize(
    "text",
    ["nofail", "_netdev", "rw", "defaults", "auto", "noauto", "x-systemd.requires=docker.service",
     "x-gvfs-hide", "X-mount.mkdir", "comment=katas", "x-systemd.automount", "nosuid", "nodev", "exec",
     "noatime", "relatime", "nodiratime", "async", "nouser"],
)  # fmt: skip
def test_what_fstab_lines_carry_for_others_is_ignored(text: str) -> None:
    assert parse((text,)) == MountOptions()


@pytest.mark.parametrize(
    "text", ["colour", "ro=1", "nonempty=yes", "timeout", "=", "timeout2=1", "netdev", "x", "RO", "noexec"]
)
def test_an_option_that_is_not_known_is_named(text: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parse(("ro," + text,))

    assert text in refused.value.message


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
