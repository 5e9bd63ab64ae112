"""Conversions that fail beside a mount: the kata stays where it is, whole, and readable; and it is said why."""

import errno
import os
import re
import stat
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread

import pytest

from katafs.kata_id import KataId
from katafs.volumes.legacy_disk import piece_of
from katafs.volumes.legacy_locks import Locks
from tests.harness.descriptors import held
from tests.harness.kernel_stacks import waiting_in
from tests.harness.mounts import Mounts
from tests.harness.old_disk import FILES
from tests.harness.other_mounts import memory_disk
from tests.harness.programs import run
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.mounted.conftest import ServeLegacy
from tests.mounted.served import LegacyServed
from tests.mounted.test_legacy_first_change import CHANGES

HIKER = "lion/sandbox/hiker.c"


def warnings(served: LegacyServed) -> list[str]:
    return [line for line in served.mounted.log().splitlines() if not line.startswith("katafs: INFO")]


def is_whole(served: LegacyServed, kata: str) -> bool:
    return all((served.path(kata) / name).read_text() == content for name, content in FILES.items())


def test_a_kata_with_a_device_node_can_only_be_read(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy()
    kata = served.old()
    os.mknod(served.disk.where(kata) / "lion/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    before = served.disk.left()
    served.mounted.expect("lion/null in it is a device node")

    for title, (do, _, _) in CHANGES.items():
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            pytest.fail(f"{title} worked: {do(served.path(kata))}")

    assert is_whole(served, kata)
    assert served.is_untouched(kata)
    assert served.disk.left() == before
    said = warnings(served)
    assert len(said) == len(CHANGES)
    line = r'katafs: WARNING: failed operation=\w+ error="lion/null in it is a device node" path=(\S+)'
    named = [match and match[1] for match in map(re.compile(line).fullmatch, said)]
    assert all(path and f"{path}/".startswith(f"/{kata[:2]}/{kata[2:]}/") for path in named)


def test_a_kata_into_which_somebody_writes_past_the_mount_waits_for_that(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy()
    kata = served.old()
    by_copy = os.stat(served.disk.path).st_dev != os.stat(served.store).st_dev
    served.mounted.expect("is open for writing")
    with (served.disk.where(kata) / HIKER).open("a") as writer:
        if by_copy:
            with refused(errno.EIO):
                (served.path(kata) / "new").touch()
            assert served.is_on_disk(kata)
        else:
            (served.path(kata) / "new").touch()  # by rename: the writer's file goes along
        writer.write("more")
    (served.path(kata) / "newer").touch()

    assert (served.path(kata) / HIKER).read_text() == FILES[HIKER] + "more"
    assert served.is_converted(kata)


def test_a_full_disk_is_enospc_and_leaves_the_kata(mount: Mounts, disk: Path, serve_legacy: ServeLegacy) -> None:
    (disk / "small").mkdir()
    with memory_disk(disk / "small"):
        served = serve_legacy(volumes=f"dir:{disk}/small")
        kata = served.old({**FILES, "large": "x" * 3_000_000})
        filler = disk / "small" / "filler"
        with filler.open("wb") as file:
            file.write(bytes(6_000_000))
        before = sorted(os.listdir(disk / "small"))
        served.mounted.expect("failed operation=create error=.*No space left on device")

        with refused(errno.ENOSPC):
            (served.path(kata) / "new").touch()
        served.mounted.wait_for_log("WARNING: failed operation=create error=.*No space left on device")

        assert is_whole(served, kata)
        assert sorted(os.listdir(disk / "small")) == sorted({*before, "katafs_root"})
        filler.unlink()
        (served.path(kata) / "new").touch()
        assert (disk / "small" / kata / "new").exists()
        assert not served.is_on_disk(kata)
        served.mounted.stop()


def test_a_store_that_is_gone_is_eio_until_it_is_back(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy("-o", "timeout=0")
    kata = served.old()
    away = served.store.with_name("away")
    served.mounted.expect("the directory of volumes .* is gone")
    served.store.rename(away)

    with refused(errno.EIO):
        (served.path(kata) / "new").touch()
    assert (served.path(kata) / "manifest.json").read_text() == FILES["manifest.json"]
    assert served.is_on_disk(kata)
    away.rename(served.store)

    (served.path(kata) / "new").touch()
    assert served.is_converted(kata)
    assert is_whole(served, kata)


def test_a_volume_that_holds_something_else_is_never_merged(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy()
    kata = served.old()
    served.volume(kata).mkdir()
    (served.volume(kata) / "foreign").write_text("somebody else's")
    served.mounted.expect("holds something else already")

    with refused(errno.EIO):
        (served.path(kata) / "new").touch()

    assert is_whole(served, kata)
    assert os.listdir(served.volume(kata)) == ["foreign"]
    assert set(os.listdir(served.path(kata))) == {"manifest.json", "lion"}


def test_what_a_killed_conversion_left_is_not_shown(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy()
    kata = served.old()
    outer = served.disk.path / kata[:2]
    for place in (served.disk.path, outer):
        (place / f".katafs-done-{kata}").mkdir()
        (place / f".katafs-done-{kata}" / "half").touch()

    assert os.listdir(served.top / kata[:2]) == [kata[2:]]
    assert os.listdir(served.top) == [kata[:2]]
    (served.path(kata) / "new").touch()
    until(lambda: served.is_converted(kata), "the conversion")
    assert not (outer / f".katafs-done-{kata}").exists()


def test_a_kata_that_another_converter_has_holds_up_the_first_changes_of_no_other(serve_legacy: ServeLegacy) -> None:
    served = serve_legacy()
    files = {str(number): "old" for number in range(20)}
    waiting, other = KataId(served.old(files)), served.old()
    threads = [Thread(target=append, args=[served.path(waiting) / name]) for name in files]
    tasks = Path(f"/proc/{served.mounted.pid}/task")
    before = len(os.listdir(tasks))
    with held(served.disk.path) as top, closing(Locks(top)) as locks, locks.claim(piece_of(waiting).key):
        for thread in threads:
            thread.start()
        until(lambda: len(os.listdir(tasks)) >= before + 2, "the changes to wait for the other converter")
        run(["touch", served.path(other) / "new"], timeout=60)

        assert served.is_converted(other)
        assert served.is_on_disk(waiting)
    for thread in threads:
        thread.join(60)
    assert served.is_converted(waiting)
    assert {(served.path(waiting) / name).read_text() for name in files} == {"oldnew"}


def test_a_stopped_converter_with_many_katas_in_hand_holds_up_the_first_changes_of_no_other(
    serve_legacy: ServeLegacy,
) -> None:
    served = serve_legacy()
    waiting, other = [KataId(served.old()) for _ in range(20)], served.old()
    paths = [served.path(kata) / name for kata in waiting for name in ("one", "two")]
    threads = [Thread(target=append, args=[path]) for path in paths]
    with held(served.disk.path) as top, closing(Locks(top)) as locks, ExitStack() as claims:
        for kata in waiting:
            claims.enter_context(locks.claim(piece_of(kata).key))
        for thread in threads:
            thread.start()
        until(lambda: waiting_in(served.mounted.pid, "fcntl_setlk") >= 8, "changes to wait for the converter")
        run(["touch", served.path(other) / "new"], timeout=60)

        assert served.is_converted(other)
    for thread in threads:
        thread.join(60)
    assert {path.read_text() for path in paths} == {"new"}


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("new")
