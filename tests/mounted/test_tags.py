"""How the tags of an avatar that is kept with git show in the mount."""

import contextlib
import errno
import filecmp
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.avatars import commit_tag, git, good_avatar
from tests.harness.mounts import Mounts
from tests.harness.programs import run
from tests.harness.waiting import until

KATA = "123456789A"
OTHER = "123456789B"
TAGS = ["0.json", "1.json", "2.json"]


def _avatar(root: Path, layout: str = "flat") -> Path:
    """An avatar with tags 0 to 2, made through the mount."""
    needs.programs("git")
    kata = root / KATA if layout == "flat" else root / KATA[:2] / KATA[2:]
    kata.mkdir(parents=True)
    good_avatar(kata / "lion", tags=3)
    return kata / "lion"


def _refused(call: object, *args: object) -> int | None:
    assert callable(call)
    with pytest.raises(OSError) as refusal:  # noqa: PT011 which errno it is, is the result
        call(*args)
    return refusal.value.errno


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        (["--layout", "flat"], True),
        (["--layout", "split"], False),
        (["--layout", "flat", "--tags", "unlisted"], False),
        (["--layout", "split", "--tags", "listed"], True),
    ],
    ids=["flat", "split", "flat unlisted", "split listed"],
)
def test_tags_are_listed_or_found_when_they_are_named(mount: Mounts, arguments: list[str], listed: bool) -> None:
    avatar = _avatar(mount(*arguments).path, arguments[1])

    assert ("tags" in os.listdir(avatar)) == listed
    assert sorted(os.listdir(avatar / "tags")) == TAGS
    assert json.loads((avatar / "tags" / "2.json").read_text())["number"] == 2


def test_tags_can_be_switched_off(mount: Mounts) -> None:
    avatar = _avatar(mount("--tags", "off").path)

    assert "tags" not in os.listdir(avatar)
    assert _refused(os.stat, avatar / "tags") == errno.ENOENT


def test_a_new_tag_shows(mount: Mounts) -> None:
    avatar = _avatar(mount("-o", "timeout=0").path)
    assert _refused(os.stat, avatar / "tags" / "3.json") == errno.ENOENT

    commit_tag(avatar, 3, "new")

    assert "3.json" in os.listdir(avatar / "tags")
    assert json.loads((avatar / "tags" / "3.json").read_text())["number"] == 3


def test_listed_and_looked_up_attributes_agree(mount: Mounts) -> None:
    avatar = _avatar(mount().path)

    for entry in os.scandir(avatar / "tags"):
        status = os.stat(entry.path)
        assert entry.inode() == status.st_ino
        assert status.st_size == len(Path(entry.path).read_bytes())
        assert status.st_mode & 0o777 == 0o444
        assert (status.st_uid, status.st_gid) == (avatar.stat().st_uid, avatar.stat().st_gid)


def test_inode_numbers_are_the_tags_own(mount: Mounts) -> None:
    avatar = _avatar(mount().path)

    numbers = [path.stat().st_ino for path in avatar.parent.rglob("*")]

    assert len(set(numbers)) == len(numbers)


def test_tags_can_not_be_written(mount: Mounts) -> None:
    tags = _avatar(mount().path) / "tags"

    assert _refused(os.open, tags / "0.json", os.O_WRONLY) == errno.EROFS
    assert _refused(os.truncate, tags / "0.json", 0) == errno.EROFS
    assert _refused(os.chmod, tags / "0.json", 0o600) == errno.EROFS
    assert _refused(os.open, tags / "new", os.O_CREAT | os.O_WRONLY) == errno.EROFS
    assert _refused(os.mkdir, tags / "new") == errno.EROFS
    # As for unlink: there is no such file that could be moved or removed, so that `rm -rf` of the avatar goes on.
    assert _refused(os.rename, tags / "0.json", tags.parent / "0.json") == errno.ENOENT


def test_a_directory_of_tags_that_the_volume_holds_is_an_ordinary_one(mount: Mounts, disk: Path) -> None:
    root = mount().path
    avatar = root / KATA / "lion"
    (avatar / "tags").mkdir(parents=True)

    (avatar / "tags" / "0.json").write_text("{}")

    assert (disk / "volumes" / KATA / "lion" / "tags" / "0.json").read_text() == "{}"
    assert os.listdir(avatar) == ["tags"]


def test_an_avatar_without_git_has_no_tags(mount: Mounts) -> None:
    avatar = mount().path / KATA / "lion"
    avatar.mkdir(parents=True)

    assert os.listdir(avatar) == []
    assert _refused(os.stat, avatar / "tags") == errno.ENOENT


def test_a_damaged_tag_is_an_error_and_the_others_are_there(mount: Mounts) -> None:
    mounted = mount()
    mounted.expect("WARNING")
    avatar = _avatar(mounted.path)
    damaged = git(avatar, "rev-parse", "refs/tags/1").strip()
    loose = avatar / ".git" / "objects" / damaged[:2] / damaged[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"not an object")

    assert sorted(os.listdir(avatar / "tags")) == TAGS
    assert _refused((avatar / "tags" / "1.json").read_bytes) == errno.EIO
    assert json.loads((avatar / "tags" / "0.json").read_text())["number"] == 0


def test_a_kata_with_listed_tags_can_be_removed(mount: Mounts) -> None:
    root = mount().path
    _avatar(root)

    shutil.rmtree(root / KATA, ignore_errors=True)  # what git shows of itself is no file to be removed
    shutil.rmtree(root / KATA, ignore_errors=True)

    assert os.listdir(root) == []


@pytest.mark.parametrize("command", ["mv", "cp --archive"])
def test_a_kata_with_unlisted_tags_can_be_moved_and_copied(mount: Mounts, command: str) -> None:
    root = mount("--tags", "unlisted").path
    _avatar(root)

    run([*command.split(), root / KATA, root / OTHER])

    assert sorted(os.listdir(root / OTHER / "lion" / "tags")) == TAGS
    assert (root / KATA).exists() == (command != "mv")


@pytest.mark.parametrize("command", ["mv", "cp --archive"])
def test_listed_tags_are_in_the_way_of_a_copy_and_nothing_is_lost(mount: Mounts, command: str) -> None:
    root = mount().path
    avatar = _avatar(root)

    failed = run([*command.split(), root / KATA, root / OTHER], status=1)

    assert "tags" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert not filecmp.dircmp(avatar, root / OTHER / "lion", ignore=[]).left_only
    assert sorted(os.listdir(root / OTHER / "lion" / "tags")) == TAGS


def test_listed_tags_become_files_in_what_rsync_copies(mount: Mounts) -> None:
    needs.programs("rsync")
    root = mount().path
    avatar = _avatar(root)

    run(["rsync", "--archive", f"{root / KATA}/", root / OTHER])

    commit_tag(root / OTHER / "lion", 3)
    assert sorted(os.listdir(root / OTHER / "lion" / "tags")) == TAGS
    assert sorted(os.listdir(avatar / "tags")) == TAGS


def test_an_open_tag_keeps_its_content(mount: Mounts) -> None:
    avatar = _avatar(mount().path)
    with (avatar / "tags" / "1.json").open("rb") as opened:
        content = (avatar / "tags" / "1.json").read_bytes()
        git(avatar, "tag", "-d", "1")

        assert opened.read() == content


def test_open_tags_take_no_more_memory_than_there_is_for_them(mount: Mounts) -> None:
    """Each is held as it was when it was opened, and a stranger may have made large ones."""
    mounted = mount()
    mounted.expect("WARNING")
    avatar = _avatar(mounted.path)
    commit_tag(avatar, 3, "x" * (15 << 20))
    tag = avatar / "tags" / "3.json"
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(tag.open("rb")) for _ in range(8)]

        assert _refused(tag.open, "rb") == errno.ENFILE
        assert json.loads((avatar / "tags" / "2.json").read_text())["number"] == 2
        assert {os.pread(file.fileno(), 9, 0) for file in files} == {b'{"number"'}
        files[0].close()
        until(lambda: _is_readable(tag), "the closed one's memory to be free again")


def _is_readable(tag: Path) -> bool:
    try:
        return len(tag.read_bytes()) > 30 << 20
    except OSError as problem:
        if problem.errno != errno.ENFILE:
            raise
        return False
