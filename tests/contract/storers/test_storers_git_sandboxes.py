"""What a test run's container leaves in the sandbox is stored by git, and never obeyed by it."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from katafs.storers.git import GitStorer
from katafs.storers.storer import Delta, Storer
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.store import VolumeStore
from tests.contract.storers.cells import KATA, MANIFEST, NOW, START
from tests.harness import needs
from tests.harness.avatars import git
from tests.harness.leases import leased
from tests.harness.programs import NOBODY


@pytest.fixture
def storer(disk: Path) -> Iterator[Storer]:
    """A storer with git, with an avatar."""
    with closing(DirectoryStore(disk)) as store:
        yield _started(store)


def _started(store: VolumeStore) -> Storer:
    storer = GitStorer(store)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    return storer


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
def test_git_enters_no_repository_that_a_test_run_has_made_of_a_file(
    storer: Storer, disk: Path, tmp_path: Path, name: str
) -> None:
    canary = tmp_path / "canary"
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


@pytest.mark.parametrize(("again", "kind"), [(True, "100644"), (False, "")])
def test_git_has_what_is_where_a_repository_was(
    storer: Storer, disk: Path, tmp_path: Path, *, again: bool, kind: str
) -> None:
    place = disk / KATA / "lion/sandbox/hiker.py"
    hostile_repository(place, tmp_path / "canary")
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed", "green")
    shutil.rmtree(place)
    if again:
        place.write_text(START["hiker.py"])
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed", "green")
    assert git(disk / KATA / "lion", "ls-tree", "2", "sandbox/hiker.py").partition(" ")[0] == kind


@pytest.mark.parametrize(
    ("attributes", "content"),
    [
        ("* text", b"a\r\nb\r\n"),
        ("* text=auto eol=crlf", b"a\r\nb\r\n"),
        ("* crlf", b"a\r\nb\r\n"),
        ("* ident", b"$Id: 42 $\n"),
        ("* working-tree-encoding=UTF-16LE", b"abc\n"),
        ("* working-tree-encoding=nothing", b"a\n"),
        ("* working-tree-encoding", b"a\n"),
        ("* binary -diff", b"a\n"),
    ],
)
@pytest.mark.parametrize("saved", [True, False])
def test_git_has_the_bytes_of_a_file_whatever_attributes_are_beside_it(
    storer: Storer, disk: Path, attributes: str, content: bytes, *, saved: bool
) -> None:
    """A test run that can write `.gitattributes` would stop the avatar, or change what is stored of other files."""
    sandbox = disk / KATA / "lion/sandbox"
    (sandbox / ".gitattributes").write_text(f"{attributes}\n")
    if saved:
        storer.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), {"hiker.py": content})
    else:
        (sandbox / "hiker.py").write_bytes(content)
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed", "green")
    assert git(disk / KATA / "lion", "cat-file", "blob", "1:sandbox/hiker.py").encode() == content
    assert not any(diff.binary for diff in storer.tag_diff(KATA, "lion", 0, 1))


@pytest.mark.parametrize("name", [".gitattributes", "hiker.py", ".gitignore", "output"])
@pytest.mark.parametrize("made", [os.mkfifo, lambda path: os.mknod(path, stat.S_IFCHR, os.makedev(1, 5))])
def test_git_waits_for_nothing_that_a_test_run_left(
    storer: Storer, disk: Path, made: Callable[[Path], None], name: str
) -> None:
    """What never ends to be read, as /dev/zero, or a FIFO that nobody writes to."""
    needs.root()
    place = disk / KATA / "lion/sandbox" / name
    place.unlink(missing_ok=True)
    made(place)
    storer.sandbox_save(KATA, "lion", Delta(changed=["instructions"]), {"instructions": "changed\n"})
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed\n", "green")
    assert "instructions" in [diff.new_name for diff in storer.tag_diff(KATA, "lion", 0, 1)]
    assert not stat.S_ISREG(place.lstat().st_mode) or name == "output"


def test_git_does_not_wait_for_who_holds_a_lease(storer: Storer, disk: Path) -> None:
    for held in (True, False):
        with leased(disk / KATA / "lion/sandbox/hiker.py") if held else nullcontext():
            storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed\n", "green")
    names = [git(disk / KATA / "lion", "ls-tree", "-r", "--name-only", tag, "sandbox").split() for tag in ("1", "2")]
    assert [each for each in names[1] if each not in names[0]] == ["sandbox/hiker.py"]


def test_a_server_that_has_become_another_user_stores_runs(disk: Path) -> None:
    """What it has open nobody else sees in /proc then, not even that user: PR_SET_DUMPABLE, prctl(2)."""
    needs.root()
    os.chown(disk, NOBODY.uid, NOBODY.gid)

    assert NOBODY.call(_ran_tests, disk) == [1]


def _ran_tests(disk: Path) -> list[int]:
    with closing(DirectoryStore(disk)) as store:
        storer = _started(store)
        storer.avatar_ran_tests(KATA, "lion", START, NOW, "1 passed\n", "green")
        return [light["number"] for light in storer.avatar_increments(KATA, "lion")]


def test_git_has_no_file_that_was_deleted_and_that_the_run_makes_again(storer: Storer, disk: Path) -> None:
    """As after the servers' `git rm`: what tests leave beside the saved files isn't stored."""
    storer.sandbox_save(KATA, "lion", Delta(deleted=["instructions"]), {})
    (disk / KATA / "lion/sandbox/instructions").write_text("made by the tests\n")
    storer.avatar_ran_tests(KATA, "lion", {"hiker.py": ""}, NOW, "1 passed\n", "green")
    deleted = [diff.old_name for diff in storer.tag_diff(KATA, "lion", 0, 1) if diff.new_name is None]
    assert deleted == ["instructions"]


def test_git_has_what_is_saved_where_the_sandbox_itself_was_made_a_repository(storer: Storer, disk: Path) -> None:
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
