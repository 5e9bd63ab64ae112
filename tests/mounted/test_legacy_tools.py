"""What operators run on a mount beside an old disk: where, lights, tag, rsync, and the daemon's own end and restart."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.avatars import good_avatar
from tests.harness.odd_trees import described, make_odd_tree
from tests.harness.old_disk import OldDisk
from tests.harness.programs import run
from tests.mounted.conftest import ServeLegacy
from tests.mounted.served import LegacyServed, fresh_id
from tests.system.facts import Facts, differences, tree_facts, tree_inodes

KATAFS = [sys.executable, "-m", "katafs"]


def where(path: Path) -> dict[str, str]:
    lines = run([*KATAFS, "where", path]).stdout.splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def test_where_an_old_kata_is_and_where_it_is_then(legacy: LegacyServed) -> None:
    kata = legacy.old()
    path = legacy.path(kata) / "lion/sandbox/hiker.c"
    old = where(path)
    assert (old["volume"], old["path"]) == (kata, "/lion/sandbox/hiker.c")
    assert f"source={legacy.disk.where(kata)},readonly," in old["docker"]

    path.write_text("new")

    new = where(path)
    assert (new["volume"], new["path"]) == (kata, "/lion/sandbox/hiker.c")
    assert f"source={legacy.volume(kata)},target" in new["docker"]


def test_where_says_of_a_stray_that_no_volume_has_it(legacy: LegacyServed) -> None:
    name = f"stray-{fresh_id()}"
    (legacy.disk.path / name).write_text("content")
    assert "is not kept in a volume" in run([*KATAFS, "where", legacy.top / name], status=1).stderr

    (legacy.top / name).write_text("new")

    assert where(legacy.top / name)["path"] == f"/{name}"


def test_lights_and_tag_read_an_old_kata_and_leave_it(legacy: LegacyServed) -> None:
    needs.programs("git")
    kata = legacy.old({"manifest.json": json.dumps({"id": "unused", "visible_files": {}})})
    good_avatar(legacy.disk.where(kata) / "lion", text="old", tags=3)

    lights = run([*KATAFS, "lights", kata, "--mount", legacy.top]).stdout
    tag = run([*KATAFS, "tag", kata, "lion", "2", "--mount", legacy.top]).stdout

    assert "lion" in lights
    assert "old 2" in tag
    assert legacy.is_untouched(kata)


def _filled(old: OldDisk) -> list[str]:
    """Katas, strays and odd things on an old disk."""
    katas = [fresh_id() for _ in range(4)]
    for kata in katas:
        old.make(kata)
    make_odd_tree(old.where(katas[0]) / "lion")
    for name in ("stray", f"{katas[1][:2]}/stray"):
        (old.path / name).write_text("content")
        os.utime(old.path / name, ns=(1, 1_000_000_001))
    os.symlink("/nowhere", old.path / "dangling")
    (old.path / katas[2][:2]).chmod(0o2775)
    os.chown(old.path / katas[2][:2], 19661, 33)
    for outer in {kata[:2] for kata in katas}:
        os.utime(old.path / outer, ns=(5, 1_222_222_222_000_000_005))
    return katas


def test_a_second_rsync_of_the_mount_finds_nothing_to_do_however_much_is_converted(
    serve_legacy: ServeLegacy, old: OldDisk, disk: Path
) -> None:
    needs.programs("rsync")
    katas = _filled(old)
    before = described(old.path, atimes=False)
    served = serve_legacy(layout=Layout.SPLIT)
    copy = ["rsync", "-aHX", "--fake-super", f"{served.top}/", f"{disk}/copy/"]
    assert run(copy).stderr == ""
    assert run([*copy, "-ni", "--delete"]).stdout == ""
    assert all(served.is_untouched(kata) for kata in katas)

    for kata in katas[:2]:
        (served.path(kata) / "manifest.json").chmod(0o644)  # as it is

    assert run([*copy, "-ni", "--delete"]).stdout == ""
    again = described(served.top, atimes=False)
    assert set(again) == set(before) - {b".katafs-lock"}
    assert all(served.is_converted(kata) for kata in katas[:2])
    served.mounted.stop()
    served = serve_legacy(layout=Layout.SPLIT)
    assert run([*copy, "-ni", "--delete"]).stdout == ""


def _comparable(root: Path) -> dict[bytes, Facts]:
    """A tree's facts without those that are the file system's own affair: a directory's size, and what takes blocks."""
    return {
        path: replace(facts, blocks=0, size_bytes=0 if facts.kind == "d" else facts.size_bytes)
        for path, facts in tree_facts(root).items()
        if path not in (b".", b".katafs-lock")
    }


def test_the_mount_shows_what_the_disk_had_and_shows_it_still_when_all_is_converted(
    serve_legacy: ServeLegacy, old: OldDisk
) -> None:
    _filled(old)
    wanted = _comparable(old.path)
    served = serve_legacy("-o", "timeout=0")
    assert differences(wanted, _comparable(served.top)) == ""

    run([*KATAFS, "convert", "--all", "--from", old.path, "--volumes", f"dir:{served.store}"])

    assert differences(wanted, _comparable(served.top)) == ""
    assert old.left() == set()


def test_no_two_inodes_share_a_number_however_much_is_converted(serve_legacy: ServeLegacy, old: OldDisk) -> None:
    katas = _filled(old)
    wanted = _shared(old.path)
    served = serve_legacy("-o", "timeout=0")
    for kata in [None, *katas]:
        if kata:
            (served.path(kata) / "manifest.json").chmod(0o644)
        assert _shared(served.top) == wanted
    assert len(wanted) == 3  # the odd tree's hard links


def _shared(root: Path) -> set[frozenset[bytes]]:
    """The paths that lead to one inode by several names."""
    numbers = tree_inodes(root)
    assert 0 not in numbers.values()
    names: dict[int, set[bytes]] = {}
    for path, number in numbers.items():
        names.setdefault(number, set()).add(path)
    return {frozenset(paths) for paths in names.values() if len(paths) > 1}
