"""A `.git` that does harm: nothing runs, nothing outside is read, and each tag has a named error or is shown."""

import errno
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from katafs.errors import CorruptKata
from katafs.storers import increments
from katafs.storers.git_tags import GitTags
from katafs.untrusted.packs import Pack
from tests.harness import avatars, hostile_git, needs
from tests.harness.hostile_git import ATTACKS, SECRET, Attack, Outcome, damage
from tests.harness.hostile_git.attack import pack_everything
from tests.harness.other_mounts import bound
from tests.harness.programs import run

pytestmark = pytest.mark.timeout(120)

ATTACK = pytest.mark.parametrize("attack", [pytest.param(attack, id=name) for name, attack in ATTACKS.items()])
TRAP = pytest.mark.parametrize(
    "attack", [pytest.param(attack, id=name) for name, attack in ATTACKS.items() if attack.springs]
)


def outcome(avatar: Path, number: int) -> tuple[Outcome, bytes]:
    """What asking for a tag comes to, and all of its bytes."""
    tags = GitTags()
    descriptor = os.open(avatar, os.O_PATH | os.O_DIRECTORY)
    try:
        tags.status(descriptor, number)
        return Outcome.SHOWN, tags.read(descriptor, number)
    except CorruptKata:
        return Outcome.CORRUPT, b""
    except FileNotFoundError:
        return Outcome.MISSING, b""
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return Outcome.TOO_LARGE, b""
    finally:
        os.close(descriptor)


@ATTACK
def test_each_tag_is_shown_or_has_a_named_error(disk: Path, attack: Attack) -> None:
    needs.programs("git")
    place = hostile_git.built(disk, attack)

    outcomes = [outcome(place.avatar, number) for number in (0, 1)]

    assert [found for found, _ in outcomes] == [attack.tag_0, attack.tag_1]
    assert [content for _, content in outcomes if SECRET.encode() in content] == []
    assert not place.canary.exists()


@ATTACK
def test_no_descriptor_is_left_open(disk: Path, attack: Attack) -> None:
    needs.programs("git")
    place = hostile_git.built(disk, attack)
    before = set(os.listdir("/proc/self/fd"))

    outcome(place.avatar, 1)

    assert set(os.listdir("/proc/self/fd")) - before == set()


@pytest.mark.parametrize("name", ["large-manifest", "large-packed-manifest", "bomb-that-lies", "bomb-in-a-pack"])
def test_what_is_refused_for_its_size_is_never_in_memory(disk: Path, name: str) -> None:
    needs.programs("git")
    place = hostile_git.built(disk, ATTACKS[name])
    tracemalloc = needs.traced_allocations()
    tracemalloc.start()
    try:
        outcome(place.avatar, 1)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 8 << 20


class Counted:
    """A function, and how many threads were in it at once."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def __call__(self, *arguments: object) -> object:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.002)  # for others to come in
        try:
            return self._function(*arguments)
        finally:
            with self._lock:
                self._now -= 1


def read_by_several(avatar: Path) -> set[Outcome]:
    """What asking for tag 1 comes to for some threads at once, each with nothing remembered."""
    with ThreadPoolExecutor(6) as threads:
        return {found for found, _ in threads.map(outcome, [avatar] * 6, [1] * 6)}


def test_many_lights_are_in_the_memory_of_one_thread_at_a_time(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.programs("git")
    many = Attack(damage.lights(b"[" + b"{}," * 30_000 + b"{}]"), Outcome.SHOWN, Outcome.SHOWN)
    place = hostile_git.built(disk, many)
    counted = Counted(increments.lights)
    monkeypatch.setattr(increments, "lights", counted)

    assert read_by_several(place.avatar) == {Outcome.SHOWN}
    assert counted.most == 1


def test_many_packs_are_open_in_one_thread_at_a_time(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.programs("git")
    place = hostile_git.built(disk, Attack(lambda place: None, Outcome.SHOWN, Outcome.SHOWN))
    pack = pack_everything(place)
    for number in range(70):
        for file in (pack, pack.with_suffix(".idx")):
            os.link(file, pack.with_name(f"pack-{number}{file.suffix}"))
    counted = Counted(Pack.find)
    monkeypatch.setattr(Pack, "find", lambda *arguments: counted(*arguments))

    assert read_by_several(place.avatar) == {Outcome.SHOWN}
    assert counted.most == 1


@TRAP
def test_git_itself_falls_for_it(disk: Path, attack: Attack) -> None:
    needs.programs("git")
    place = hostile_git.built(disk, attack)

    run(["git", "-c", "safe.directory=*", "-C", place.avatar, *attack.springs], env=avatars.GIT, status=None)

    assert place.canary.exists()


@pytest.mark.parametrize("name", ["alternates", "git-file", "linked-objects", "linked-object", "linked-pack"])
def test_git_itself_reads_outside(disk: Path, name: str) -> None:
    needs.programs("git")
    place = hostile_git.built(disk, ATTACKS[name])
    if name == "linked-objects":
        (place.git / "refs/tags/1").write_text((place.outside / ".git/refs/tags/1").read_text())

    assert SECRET in avatars.git(place.avatar, "show", "1:manifest.json")


@pytest.mark.parametrize("name", [".git", ".git/objects", ".git/refs/tags"])
def test_nothing_is_read_of_what_is_mounted_in_git(disk: Path, name: str) -> None:
    needs.root()
    needs.programs("git")
    place = hostile_git.built(disk, Attack(lambda place: None, Outcome.SHOWN, Outcome.SHOWN))

    with bound(place.outside / name, place.avatar / name):
        assert outcome(place.avatar, 1) == (Outcome.CORRUPT, b"")


@pytest.mark.parametrize("name", ["linked-refs", "linked-tags", "linked-packed-refs", "fifo-packed-refs"])
def test_refs_that_can_not_be_read_are_not_an_empty_list(disk: Path, name: str) -> None:
    needs.programs("git")
    place = hostile_git.built(disk, ATTACKS[name])
    descriptor = os.open(place.avatar, os.O_PATH | os.O_DIRECTORY)

    with pytest.raises(CorruptKata):
        GitTags().numbers(descriptor)
    os.close(descriptor)
