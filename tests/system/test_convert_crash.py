"""A conversion is killed at each of its calls in turn: each kata is whole in one place, and a second run ends it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.crashes import Ended, run_katafs
from tests.harness.ext4_disks import disk_and_volumes
from tests.system.old_disks import (
    INNER,
    KATA,
    OUTER,
    STRAYS,
    attributes,
    look,
    look_untouched,
    make_disk,
    marked,
    rubbish,
    words,
)

pytestmark = pytest.mark.timeout(600)

MOST_CALLS = 1000
OUTERS = (Path(), Path(OUTER))


class Scene:
    """A disk and a store, made anew for each crash."""

    def __init__(self, directory: Path, volumes: Path) -> None:
        self._scratch = directory
        self.disk, self.volumes = directory / "katas", volumes

    def make(self) -> None:
        for old in (self.disk, *self.volumes.iterdir()):
            if old.exists():
                shutil.rmtree(old)
        make_disk(self.disk)
        self.kata = look(self.disk / OUTER / INNER)
        self.strays = {stray: look(self.disk / stray) for stray in STRAYS}
        self.outers = {outer: attributes(self.disk / outer) for outer in OUTERS}

    def convert(self, *arguments: str, crash_at: int = 0, before: bool = False) -> Ended:
        # One worker, so that the N-th call is the same one each time.
        command = words(self.disk, self.volumes, "--all", "--jobs", "1", *arguments)
        return run_katafs(command, self._scratch, crash_at=crash_at, before=before)

    def wrong_after_crash(self) -> Iterator[str]:
        """While a piece stands on the disk it is as it was; else it is whole in the store."""
        root = self.volumes / "katafs_root"
        places = [(self.disk / OUTER / INNER, self.volumes / KATA, self.kata)]
        places += [(self.disk / stray, root / stray, self.strays[stray]) for stray in STRAYS]
        for on_disk, in_store, wanted in places:
            found = look(on_disk)
            if found is not None and found != wanted:
                yield f"{on_disk.name} was touched on the disk"
            if found is None and look(in_store) != wanted:
                yield f"{on_disk.name} is neither whole on the disk nor in the store"

    def wrong_after_finish(self, ended: Ended) -> Iterator[str]:
        """All is in the store as it was, and nothing is left over anywhere."""
        root = self.volumes / "katafs_root"
        if ended.status != 0:
            yield f"the second run ended with {ended.status}: {ended.output}"
        if look(self.volumes / KATA) != self.kata or marked(self.volumes / KATA):
            yield "the kata's volume isn't the kata, or isn't committed"
        for stray, wanted in self.strays.items():
            if look(root / stray) != wanted:
                yield f"{stray} isn't what it was"
        for outer, kept in self.outers.items():
            if (root / outer).is_dir() and attributes(root / outer) != kept:
                yield f"directory {outer}: {attributes(root / outer)} != {kept}"
        if os.listdir(self.disk):
            yield f"left on the disk: {os.listdir(self.disk)}"
        if {*os.listdir(self.volumes)} != {KATA, "katafs_root"} or rubbish(self.volumes):
            yield f"left in the store: {os.listdir(self.volumes)}, {rubbish(self.volumes)}"


MOVED = pytest.mark.parametrize("scene", ["move"], indirect=True)
COPIED = pytest.mark.parametrize("scene", ["copy"], indirect=True)


@pytest.fixture
def scene(request: pytest.FixtureRequest, disk: Path) -> Iterator[Scene]:
    """The store on the disk's own file system, or on a second one."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    with disk_and_volumes(disk, in_two=request.param == "copy") as (old, volumes):
        yield Scene(old, volumes)


def _crash_everywhere(scene: Scene, prepare: Callable[[], object], *, before: bool,
                      meanwhile: Callable[[], object] = lambda: None) -> list[str]:  # fmt: skip
    """What was wrong after each crash, and after the run that followed it."""
    wrong: list[str] = []
    for number in range(1, MOST_CALLS):
        scene.make()
        prepare()
        first = scene.convert(crash_at=number, before=before)
        told = f"{'before' if before else 'after'} call {number}, {first.call}"
        if not first.crashed:
            assert first.status == 0, first.output
            assert number > 30, "too few calls were counted for a conversion"
            return wrong
        wrong += [f"{told}: {what}" for what in scene.wrong_after_crash()]
        meanwhile()
        wrong += [f"{told}: then {what}" for what in scene.wrong_after_finish(scene.convert())]
    raise AssertionError("it never came to its end")


@MOVED
def test_killed_after_any_call(scene: Scene) -> None:
    assert _crash_everywhere(scene, lambda: None, before=False) == []


@MOVED
def test_killed_before_any_call(scene: Scene) -> None:
    assert _crash_everywhere(scene, lambda: None, before=True) == []


@COPIED
def test_killed_at_any_call_with_a_copy_that_was_kept(scene: Scene) -> None:
    def keep() -> None:
        kept = scene.convert("--keep")
        assert kept.status == 0, kept.output
        assert look_untouched(scene.volumes / KATA) == scene.kata == look(scene.disk / OUTER / INNER)
        assert marked(scene.volumes / KATA)

    assert _crash_everywhere(scene, keep, before=False) == []


@COPIED
def test_killed_at_any_call_and_the_kata_goes_on_where_it_still_stands(scene: Scene) -> None:
    def play_on() -> None:
        sandbox = scene.disk / OUTER / INNER / "lion" / "sandbox"
        if sandbox.exists():
            (sandbox / "cyber-dojo.sh").write_text("changed after the crash\n")
            scene.kata = look(scene.disk / OUTER / INNER)

    assert _crash_everywhere(scene, lambda: None, before=False, meanwhile=play_on) == []
