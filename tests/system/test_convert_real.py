"""Real katas converted, by move and by copy, on both stores: through a mount they are what they were on the disk."""

import json
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from katafs.rooted import comparing
from tests.harness import needs, real_katas
from tests.harness.descriptors import held
from tests.harness.ext4_disks import ext4_disk
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import Finished, run
from tests.system.facts import differences, tree_facts, tree_inodes
from tests.system.old_disks import convert, rubbish
from tests.system.stores import Directories, InEngine, Store

pytestmark = pytest.mark.timeout(600)


class Conversion:
    """A set of real katas, what was known of it on the disk, and what a conversion made of it."""

    def __init__(self, how: str, original: Path, source: Path, store: Store, report: Path) -> None:
        self.how, self.original, self.source, self.store, self.report = how, original, source, store, report
        self.katas = sorted(f"{path.parent.name}{path.name}" for path in original.glob("??/????????"))
        self.inodes = {kata: tree_inodes(source / kata[:2] / kata[2:]) for kata in self.katas}
        self.first = self.again("--report", str(report))

    def again(self, *options: str) -> Finished:
        return convert(self.source, self.store.volumes, "--all", *options, env=self.store.env, status=None)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.report.read_text().splitlines()]


CASES = [
    pytest.param(
        (store, how, name),
        id=f"{store}-{how}-{name}",
        marks=pytest.mark.xdist_group("docker" if store == "docker" else f"convert-{how}"),
    )
    for store in ("directories", "docker")
    for how in ("move", "copy")
    for name in real_katas.SETS
]


@pytest.fixture(scope="module", params=CASES)
def conversion(request: pytest.FixtureRequest) -> Iterator[Conversion]:
    """One conversion, which every test here only looks at."""
    needs.programs("rsync", "mkfs.ext4", "losetup")
    kind, how, name = request.param
    engine = request.getfixturevalue("engine") if kind == "docker" else None
    with real_katas.unpacked(name) as directory, ExitStack() as mounted:
        old = mounted.enter_context(ext4_disk(directory / "old")) if how == "copy" else directory / "old"
        old.mkdir(exist_ok=True)
        real_katas.unpack(name, old)
        store = InEngine(engine).emptied() if engine else Directories(directory / "volumes")
        (directory / "volumes").mkdir()
        yield Conversion(how, directory / "katas", old / "katas", store, directory / "report.jsonl")
    if isinstance(store, InEngine):
        store.emptied()


def test_every_piece_was_converted_in_the_way_that_is_right_there(conversion: Conversion) -> None:
    assert conversion.first.status == 0, conversion.first
    outcome = {"move": "moved", "copy": "copied"}[conversion.how]
    assert {line["outcome"] for line in conversion.lines()} == {outcome}
    assert f"{outcome} {len(conversion.lines())}; " in conversion.first.stdout
    assert conversion.first.stderr == ""


def test_the_report_has_a_line_for_each_kata(conversion: Conversion) -> None:
    lines = {line["id"]: line for line in conversion.lines()}
    assert sorted(lines) == conversion.katas
    for kata, line in lines.items():
        original = conversion.original / kata[:2] / kata[2:]
        files = [path.lstat() for path in original.rglob("*")]
        sizes = {status.st_ino: status.st_size for status in files if stat.S_ISREG(status.st_mode)}
        assert list(line) == ["id", "outcome", "entries", "bytes", "seconds", "reason"]
        assert (line["entries"], line["bytes"], line["reason"]) == (len(files), sum(sizes.values()), "")
        assert isinstance(line["seconds"], float)
        assert 0 < line["seconds"] < 60


def test_each_volume_holds_exactly_what_the_kata_was(conversion: Conversion) -> None:
    assert conversion.store.names() == {*conversion.katas, "katafs_root"}
    for kata in conversion.katas:
        original = conversion.original / kata[:2] / kata[2:]
        with held(original) as left, held(conversion.store.directory(kata)) as right:
            assert list(comparing.differences(left, right)) == []


def test_a_move_keeps_every_inode_and_a_copy_none(conversion: Conversion) -> None:
    for kata, before in conversion.inodes.items():
        after = tree_inodes(conversion.store.directory(kata))
        if conversion.how == "move":
            assert differences(before, after) == ""
        else:
            assert before.keys() == after.keys()


def test_the_disk_is_empty_and_nothing_is_left_over(conversion: Conversion) -> None:
    assert list(conversion.source.iterdir()) == []
    for volume in conversion.store.names():
        place = conversion.store.directory(volume)
        assert rubbish(place) == []
        assert [path for path in place.parent.iterdir() if path.name.startswith(".katafs-")] == []


def test_converting_again_says_already(conversion: Conversion) -> None:
    again = conversion.again("--report", f"{conversion.report}.again")
    assert again.status == 0, again
    lines = [json.loads(line) for line in Path(f"{conversion.report}.again").read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == conversion.katas
    assert {line["outcome"] for line in lines} == {"already"}
    assert list(conversion.source.iterdir()) == []
    Path(f"{conversion.report}.again").unlink()


def test_through_a_mount_the_tree_is_the_one_that_was_on_the_disk(conversion: Conversion) -> None:
    directory = fresh_directory()
    try:
        with mounting(directory) as mount:
            store = conversion.store
            path = mount("--layout", "split", volumes=store.volumes, env=store.env).path
            wanted = tree_facts(conversion.original)
            assert len(wanted) > 700
            assert differences(wanted, tree_facts(path)) == ""
            rsync = run(["rsync", "-niaHAX", "--delete", f"{conversion.original}/", f"{path}/"])
            assert rsync.stdout + rsync.stderr == ""
    finally:
        remove_directory(directory)
