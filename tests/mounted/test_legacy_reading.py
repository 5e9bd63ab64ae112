"""What only reads a kata on the old disk leaves it there, and sees the same as before the disk was mounted."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.avatars import git, good_avatar
from tests.harness.old_disk import FILES
from tests.harness.programs import run
from tests.mounted.served import LegacyServed

MANIFEST = FILES["manifest.json"]

READS: dict[str, Callable[[Path], object]] = {
    "open and read": lambda kata: (kata / "manifest.json").read_text(),
    "stat": lambda kata: ((kata / "lion").stat().st_mode, (kata / "manifest.json").stat().st_mtime_ns),
    "listing": lambda kata: sorted(os.listdir(kata)),
    "readlink": lambda kata: os.readlink(kata / "link"),
    "getxattr": lambda kata: os.getxattr(kata / "manifest.json", "user.note"),
    "listxattr": lambda kata: os.listxattr(kata / "manifest.json"),
    "access": lambda kata: (os.access(kata, os.W_OK), os.access(kata / "manifest.json", os.X_OK)),
    "statfs": lambda kata: os.statvfs(kata).f_namemax,
    "mkdir of what is there": lambda kata: refused_with(FileExistsError, os.mkdir, kata / "lion"),
    "create of what is there": lambda kata: refused_with(
        FileExistsError, os.open, kata / "manifest.json", os.O_CREAT | os.O_EXCL
    ),
    "open of what isn't there": lambda kata: refused_with(FileNotFoundError, os.open, kata / "nothing", os.O_WRONLY),
    "tar": lambda kata: len(subprocess.run(["tar", "-cf", "-", "."], cwd=kata, check=True, capture_output=True).stdout),
    "a working directory": lambda kata: run(["ls", "-R"], cwd=kata / "lion").stdout,
    "execute": lambda kata: run([kata / "script"]).stdout,
}


def refused_with(kind: type[OSError], call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(kind):
        call(*arguments)
    return kind.__name__


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_kata_that_is_only_read_stays(legacy: LegacyServed, read: Callable[[Path], object]) -> None:
    kata = legacy.old()
    on_disk = legacy.disk.where(kata)
    needs.attributes(on_disk)
    (on_disk / "link").symlink_to("/nowhere")
    os.setxattr(on_disk / "manifest.json", "user.note", b"value")
    (on_disk / "script").write_text("#!/bin/sh\necho ran\n")
    (on_disk / "script").chmod(0o755)
    wanted = read(on_disk)

    assert read(legacy.path(kata)) == wanted

    assert legacy.is_untouched(kata)


def test_git_that_only_reads_leaves_a_kata(legacy: LegacyServed) -> None:
    needs.programs("git")
    kata = legacy.old({"manifest.json": MANIFEST})
    good_avatar(legacy.disk.where(kata) / "lion")
    for words in (["log", "--format=%H %s"], ["show", "1:manifest.json"], ["fsck", "--full"], ["tag", "-l"]):
        assert git(legacy.path(kata) / "lion", *words) == git(legacy.disk.where(kata) / "lion", *words)

    assert legacy.is_untouched(kata)


def test_the_tags_of_an_avatar_are_read_without_a_conversion(legacy: LegacyServed) -> None:
    needs.programs("git")
    kata = legacy.old({"manifest.json": MANIFEST})
    good_avatar(legacy.disk.where(kata) / "lion", text="old")

    tag = json.loads((legacy.path(kata) / "lion/tags/1.json").read_text())

    assert tag["output"] == "old said 1"
    assert legacy.is_untouched(kata)


def test_rsync_from_the_mount_leaves_a_kata_and_finds_nothing_to_do_again(legacy: LegacyServed, disk: Path) -> None:
    needs.programs("rsync")
    kata = legacy.old()
    first = ["rsync", "-aHAX", f"{legacy.path(kata)}/", f"{disk}/copy/"]
    run(first)

    assert run([*first, "-ni", "--delete"]).stdout == ""
    assert run(["rsync", "-aHAXni", f"{legacy.disk.where(kata)}/", f"{disk}/copy/"]).stdout == ""
    assert legacy.is_untouched(kata)


def test_a_listing_says_of_each_entry_what_stat_says(legacy: LegacyServed) -> None:
    kata = legacy.old()
    for directory in (legacy.top, legacy.path(kata).parent, legacy.path(kata), legacy.path(kata) / "lion"):
        listed = {entry.name: entry.inode() for entry in os.scandir(directory)}
        assert listed == {name: (directory / name).lstat().st_ino for name in listed}
        assert 0 not in listed.values()


def test_no_two_files_of_old_and_new_katas_share_an_inode_number(legacy: LegacyServed) -> None:
    katas = [legacy.path(legacy.old()) for _ in range(3)]
    (katas[0] / "changed").touch()
    new = legacy.make(legacy.old({"unused": ""})[:2] + "FFFFFFF0")
    (new / "f").touch()
    paths = [path for kata in [*katas, new] for path in (kata, *kata.rglob("*"))]

    numbers = [path.lstat().st_ino for path in paths]

    assert len(set(numbers)) == len(numbers) > 20
    shutil.rmtree(new)
