"""`--convert` and `--read-only` beside an old disk."""

import errno
import os
from pathlib import Path

import pytest

from katafs.cli.exit_codes import ExitCode
from katafs.namespace import Layout
from tests.harness.mounted import PROGRAM as KATAFS
from tests.harness.mounts import Mounts
from tests.harness.old_disk import FILES, OldDisk
from tests.harness.other_mounts import bound
from tests.harness.programs import NOBODY, run
from tests.harness.refusals import refused
from tests.mounted.conftest import ServeLegacy
from tests.mounted.served import fresh_id
from tests.mounted.test_legacy_first_change import CHANGES

HIKER = "lion/sandbox/hiker.c"


@pytest.mark.parametrize("layout", Layout)
def test_never_refuses_every_change_of_an_old_kata(serve_legacy: ServeLegacy, layout: Layout) -> None:
    served = serve_legacy("--convert", "never", layout=layout)
    kata = served.old()
    before = served.disk.left()
    for title, (do, _, _) in CHANGES.items():
        with pytest.raises(OSError, match="Read-only file system"):
            pytest.fail(f"{title} worked: {do(served.path(kata))}")
    for path in (served.path(kata), served.path(kata) / "lion"):
        with refused(errno.EROFS):
            path.rmdir()

    assert served.is_untouched(kata)
    assert served.disk.left() == before
    assert (served.path(kata) / HIKER).read_text() == FILES[HIKER]


def test_never_refuses_every_change_of_a_stray(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy("--convert", "never")
    (served.disk.path / "stray").write_text("content")
    path = served.top / "stray"
    (served.top / "new").touch()
    for change in (
        lambda: path.write_text("new"),
        lambda: path.unlink(),
        lambda: path.rename(served.top / "other"),
        lambda: path.chmod(0o600),
        lambda: os.rename(served.top / "new", path),
    ):
        with refused(errno.EROFS):
            change()

    assert path.read_text() == "content"


def test_never_lets_everything_else_change(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy("--convert", "never")
    beside = served.old()
    kata = f"{beside[:2]}FFFFFFFF"
    for title, (do, ask, answer) in CHANGES.items():
        served.path(kata).mkdir()
        for name, content in FILES.items():
            path = served.path(kata) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        do(served.path(kata))
        assert ask(served.path(kata)) == answer, title
        run(["rm", "-rf", served.path(kata)])
    (served.top / "new").write_text("beside strays")
    (served.top / beside[:2] / "new").write_text("beside katas")

    assert served.is_untouched(beside)


def test_on_open_converts_what_is_read(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy("--convert", "on-open")
    kata, other = served.old(), served.old()
    (served.path(kata) / HIKER).stat()
    os.listdir(served.path(kata))
    assert served.is_untouched(kata)

    assert (served.path(kata) / HIKER).read_text() == FILES[HIKER]

    assert served.is_converted(kata)
    assert served.is_untouched(other)


def test_on_open_what_cannot_be_converted_is_read_all_the_same(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy("--convert", "on-open")
    kata = served.old()
    os.mknod(served.disk.where(kata) / "null", 0o600 | 0o020000, os.makedev(1, 3))
    served.mounted.expect("null in it is a device node")

    assert (served.path(kata) / HIKER).read_text() == FILES[HIKER]

    with refused(errno.EIO):
        (served.path(kata) / HIKER).write_text("new")
    assert served.is_untouched(kata)


@pytest.mark.parametrize("layout", Layout)
def test_a_mount_that_is_read_only_shows_an_old_disk_and_changes_nothing(
    serve_legacy: ServeLegacy, old: OldDisk, layout: Layout
) -> None:
    kata = fresh_id()
    old.make(kata)
    (old.path / "stray").write_text("content")
    before = old.path.stat()
    served = serve_legacy("--read-only", layout=layout)

    assert (served.path(kata) / HIKER).read_text() == FILES[HIKER]
    assert (served.top / "stray").read_text() == "content"
    assert set(os.listdir(served.top)) >= {"stray", served.path(kata).relative_to(served.top).parts[0]}
    shown = served.top.stat()
    assert (shown.st_mode, shown.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    for change in (
        lambda: (served.path(kata) / HIKER).write_text("new"),
        lambda: (served.top / "new").mkdir(),
        lambda: (served.top / "stray").unlink(),
    ):
        with refused(errno.EROFS):
            change()
    assert served.volumes() == set()
    assert old.path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_disk_that_is_not_there_is_said(mount: Mounts, disk: Path) -> None:
    mounted = mount("--legacy", str(disk / "nowhere"), ready=False)
    mounted.ended(ExitCode.STORE_UNREACHABLE)

    assert f"the old disk {disk}/nowhere can't be opened: No such file or directory" in mounted.log()


def test_a_disk_that_holds_the_volumes_is_refused(mount: Mounts, disk: Path) -> None:
    mounted = mount("--legacy", str(disk), ready=False)
    mounted.ended(1)

    assert f"the volumes are in {disk}/volumes" in mounted.log()


def test_only_root_mounts_beside_an_old_disk(old: OldDisk, disk: Path) -> None:
    point = disk / "point"
    point.mkdir()
    os.chown(point, NOBODY.uid, NOBODY.gid)
    (disk / "volumes").mkdir()
    argv = [*KATAFS, "mount", str(point), "--volumes", f"dir:{disk}/volumes", "--legacy", str(old.path)]

    assert "--legacy needs root" in NOBODY.run(argv, status=1).stderr


def test_a_mount_that_is_read_only_converts_nothing_that_is_opened(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy("--read-only", "--convert", "on-open")
    kata = served.old()

    assert (served.path(kata) / HIKER).read_text() == FILES[HIKER]
    assert served.is_untouched(kata)


def test_never_leaves_an_empty_outer_directory_on_the_disk(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy("--convert", "never", layout=Layout.SPLIT)
    (served.disk.path / "EE").mkdir()

    with refused(errno.EROFS):
        (served.top / "EE").rmdir()
    assert (served.disk.path / "EE").is_dir()


@pytest.mark.parametrize("rule", ["never", "on-write"])
def test_an_old_disk_that_is_mounted_read_only_is_served(mount: Mounts, old: OldDisk, disk: Path, rule: str) -> None:
    kata = fresh_id()
    old.make(kata)
    shown = disk / "read-only"
    shown.mkdir()
    with bound(old.path, shown):
        run(["mount", "-o", "remount,bind,ro", shown])
        mounted = mount("--legacy", str(shown), "--layout", "split", "--convert", rule)
        path = mounted.path / kata[:2] / kata[2:]
        assert (path / HIKER).read_text() == FILES[HIKER]
        with refused(errno.EROFS):
            (path / HIKER).write_text("new")
        (mounted.path / kata[:2] / "FFFFFFFF").mkdir()
        assert (mounted.path / kata[:2] / "FFFFFFFF").is_dir()
        mounted.stop()
