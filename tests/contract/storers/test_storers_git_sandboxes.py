"""What a test run's container leaves in the sandbox is stored by git, and never obeyed by it."""

import shutil
from pathlib import Path

import pytest

from katafs.storers.git import GitStorer
from katafs.storers.storer import Delta
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import KATA, MANIFEST, NOW, START
from tests.harness.avatars import git


def hostile_repository(place: Path, canary: Path) -> None:
    """A repository in the place of a file, which has a program run on each of its files that has changed."""
    program = f"touch {canary}; cat"
    place.unlink()
    place.mkdir()
    git(place, "init", "--quiet")
    git(place, "config", "user.name", "evil")
    git(place, "config", "user.email", "evil@example.org")
    (place / ".gitattributes").write_text("* filter=evil\n")
    (place / "file").write_text("before")
    git(place, "add", ".")
    git(place, "commit", "--quiet", "--message", "evil")
    git(place, "config", "filter.evil.clean", program)
    git(place, "config", "core.fsmonitor", program)


@pytest.mark.parametrize("name", ["hiker.py", "cyber-dojo.sh"])
def test_git_enters_no_repository_that_a_test_run_has_made_of_a_file(disk: Path, tmp_path: Path, name: str) -> None:
    store, canary = DirectoryStore(disk), tmp_path / "canary"
    storer = GitStorer(store)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    place = disk / KATA / "lion/sandbox" / name
    hostile_repository(place, canary)
    for number in range(1, 4):
        (place / "file").write_text(f"changed {number}")  # so that who looks has to ask the program
        storer.sandbox_save(KATA, "lion", Delta(), START)
        storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed", "green")
        assert storer.tag_visible_files(KATA, "lion", number)[name] == START[name]
    storer.tag_diff(KATA, "lion", 1, 3)
    assert not canary.exists()
    git(place, "add", "file")
    assert canary.exists(), "the attack itself does nothing"
    store.close()


@pytest.mark.parametrize(("again", "kind"), [(True, "100644"), (False, "")])
def test_git_has_what_is_where_a_repository_was(disk: Path, tmp_path: Path, *, again: bool, kind: str) -> None:
    store = DirectoryStore(disk)
    storer = GitStorer(store)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    place = disk / KATA / "lion/sandbox/hiker.py"
    hostile_repository(place, tmp_path / "canary")
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed", "green")
    shutil.rmtree(place)
    if again:
        place.write_text(START["hiker.py"])
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed", "green")
    assert git(disk / KATA / "lion", "ls-tree", "2", "sandbox/hiker.py").partition(" ")[0] == kind
    store.close()


def test_git_has_what_is_saved_where_the_sandbox_itself_was_made_a_repository(disk: Path) -> None:
    store = DirectoryStore(disk)
    storer = GitStorer(store)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    sandbox = disk / KATA / "lion/sandbox"
    git(sandbox, "init", "--quiet")
    author = ("-c", "user.name=evil", "-c", "user.email=evil@example.org")
    git(sandbox, *author, "commit", "--quiet", "--allow-empty", "--message", "evil")
    storer.sandbox_save(KATA, "lion", Delta(deleted=list(START)), {})
    storer.avatar_ran_tests(KATA, "lion", {}, NOW, "nothing", "amber")
    storer.sandbox_save(KATA, "lion", Delta(new=["hiker.py"]), START)
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed", "green")
    stored = git(disk / KATA / "lion", "ls-tree", "-r", "--name-only", "2", "sandbox").split()
    assert stored == ["sandbox/hiker.py", "sandbox/output"]
    store.close()
