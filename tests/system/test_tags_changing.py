"""Tags are read while the server commits test runs and git packs them anew: no tag is missing or damaged meanwhile."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

from katafs.storers.git_tags import GitTags
from tests.harness import needs
from tests.harness.avatars import commit_tag, git, good_avatar

ROUNDS = 12


def read_meanwhile(avatar: Path, change: Callable[[], None]) -> list[list[int]]:
    """The numbers seen in each round of reading every tag anew, while `change` runs. Any error of either is raised."""
    over = threading.Event()
    rounds: list[list[int]] = []
    problems: list[BaseException] = []

    def read() -> None:
        descriptor = os.open(avatar, os.O_PATH | os.O_DIRECTORY)
        try:
            while not over.is_set() or not rounds:
                tags = GitTags()
                numbers = tags.numbers(descriptor) or []
                for number in numbers:
                    assert json.loads(tags.read(descriptor, number))["output"] == f" said {number}"
                rounds.append(numbers)
        except BaseException as problem:  # noqa: BLE001  # it is raised again where the test sees it
            problems.append(problem)
        finally:
            os.close(descriptor)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        change()
    finally:
        over.set()
        reader.join()
    for problem in problems:
        raise problem
    return rounds


def test_while_test_runs_are_committed(disk: Path) -> None:
    needs.programs("git")
    avatar = disk / "lion"
    good_avatar(avatar, tags=1)

    def commit() -> None:
        for number in range(1, ROUNDS):
            commit_tag(avatar, number)

    rounds = read_meanwhile(avatar, commit)

    assert all(numbers == list(range(len(numbers))) for numbers in rounds)


def test_while_everything_is_packed_anew(disk: Path) -> None:
    needs.programs("git")
    avatar = disk / "lion"
    good_avatar(avatar, tags=6)

    def repack() -> None:
        for number in range(ROUNDS):
            git(avatar, "repack", "-a", "-d", "-f", "-q", f"--window={number}")
            git(avatar, "prune-packed", "-q")
            git(avatar, "pack-refs", "--all")
            git(avatar, "tag", "-f", "-m", f"again {number}", "0", "0^{commit}")
            git(avatar, "gc", "--quiet", "--prune=now")

    rounds = read_meanwhile(avatar, repack)

    assert all(numbers == list(range(6)) for numbers in rounds)
