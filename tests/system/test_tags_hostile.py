"""Hostile repositories through the mount, all of them at once: each tag has its answer, and others have theirs."""

import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import avatars, hostile_git, needs
from tests.harness.hostile_git import ATTACKS, SECRET, Outcome
from tests.harness.mounted import Mounted
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory

GOOD = "FFFFFFFFFF"
ERRNO = {Outcome.CORRUPT: errno.EIO, Outcome.TOO_LARGE: errno.EFBIG, Outcome.MISSING: errno.ENOENT}

pytestmark = [pytest.mark.xdist_group("tags-hostile"), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Attacked:
    """A flat mount of one kata for each attack, and of a good one."""

    mounted: Mounted
    canaries: list[Path]
    katas: dict[str, str]

    def tag(self, name: str, number: int) -> Path:
        """A tag's file in an attack's kata."""
        return self.mounted.path / self.katas[name] / "lion/tags" / f"{number}.json"


@pytest.fixture(scope="module")
def attacked() -> Iterator[Attacked]:
    """Nothing that is asked of the mount changes it, so that one serves all tests."""
    needs.fuse()
    needs.programs("git")
    directory = fresh_directory()
    katas = {name: f"{number:010X}" for number, name in enumerate(ATTACKS)}
    avatars.good_avatar(directory / "volumes" / GOOD / "lion")
    canaries = []
    for name, attack in ATTACKS.items():
        place = hostile_git.built(directory / name, attack, directory / "volumes" / katas[name] / "lion")
        canaries.append(place.canary)
    with mounting(directory) as mount:
        mounted = mount()
        mounted.expect("WARNING|^Traceback")  # a damaged kata is a warning with its cause
        yield Attacked(mounted, canaries, katas)
    remove_directory(directory)


def answer(path: Path) -> tuple[int, bytes]:
    """The errno that reading a file comes to, 0 for none, and its bytes."""
    try:
        content = path.read_bytes()
        return 0, content
    except OSError as error:
        assert error.errno is not None  # noqa: PT017  # it says which errno, whatever it is
        return error.errno, b""


def wanted(name: str) -> list[int]:
    attack = ATTACKS[name]
    return [ERRNO.get(attack.listing, ERRNO.get(found, 0)) for found in (attack.tag_0, attack.tag_1)]


@pytest.mark.parametrize("name", ATTACKS)
def test_each_tag_has_its_answer(attacked: Attacked, name: str) -> None:
    answers = [answer(attacked.tag(name, number)) for number in (0, 1)]

    assert [number for number, _ in answers] == wanted(name)
    assert [content for _, content in answers if SECRET.encode() in content] == []


def test_the_mount_answers_others_meanwhile(attacked: Attacked) -> None:
    over = threading.Event()
    answered = []

    def ask() -> None:
        while not over.is_set():
            good = attacked.mounted.path / GOOD / "lion"
            answered.append((os.stat(good / "increments.json").st_size > 0, answer(good / "tags/1.json")[0]))

    other = threading.Thread(target=ask)
    other.start()
    with ThreadPoolExecutor(8) as readers:
        found = list(readers.map(lambda name: [answer(attacked.tag(name, n))[0] for n in (0, 1)], ATTACKS))
    over.set()
    other.join()

    assert found == [wanted(name) for name in ATTACKS]
    assert set(answered) == {(True, 0)}


def test_nothing_ran(attacked: Attacked) -> None:
    for name in ATTACKS:
        answer(attacked.tag(name, 0))
        answer(attacked.tag(name, 1))

    assert [canary for canary in attacked.canaries if canary.exists()] == []
