"""The tags of an avatar with `.git`: loose and packed, and what is remembered of them."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katafs.errors import CorruptKata
from katafs.storers.git_tags import GitTags, TagStatus
from katafs.storers.git_tags_cache import Bounded
from katafs.storers.increments import Light, light_of, stored_lights
from tests.harness import needs
from tests.harness.avatars import commit_tag, git, good_avatar
from tests.harness.git_objects import loose_path


@pytest.fixture
def avatar(disk: Path) -> Path:
    """An avatar with tags 0 to 3."""
    needs.programs("git")
    good_avatar(disk / "lion", tags=4)
    return disk / "lion"


@pytest.fixture
def descriptor(avatar: Path) -> Iterator[int]:
    """An O_PATH descriptor of it."""
    descriptor = os.open(avatar, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def repacked(*options: str) -> Callable[[Path], None]:
    def change(avatar: Path) -> None:
        git(avatar, *options)
        git(avatar, "pack-refs", "--all")
        git(avatar, "prune-packed", "-q")

    return change


def half_packed(avatar: Path) -> None:
    repacked("repack", "-a", "-d", "-q")(avatar)
    commit_tag(avatar, 4)
    git(avatar, "tag", "-d", "4")


FORMS = {
    "loose": lambda avatar: None,
    "packed": repacked("gc", "-q"),
    "without-deltas": repacked("repack", "-a", "-d", "-q", "--window=0"),
    "ref-deltas": repacked("-c", "repack.useDeltaBaseOffset=false", "repack", "-a", "-d", "-f", "-q"),
    "index-version-1": repacked("-c", "pack.indexVersion=1", "repack", "-a", "-d", "-q"),
    "packed-and-loose": half_packed,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_repository_says_the_same(avatar: Path, descriptor: int, form: str) -> None:
    before = [GitTags().read(descriptor, number) for number in range(4)]
    FORMS[form](avatar)

    assert [GitTags().read(descriptor, number) for number in range(4)] == before
    assert GitTags().numbers(descriptor) == [0, 1, 2, 3]


def test_a_tag_says_its_number_light_files_and_output(descriptor: int) -> None:
    assert json.loads(GitTags().read(descriptor, 2)) == {
        "number": 2,
        "colour": "red",
        "time": [2016, 8, 29, 10, 0, 2],
        "visible_files": {"hiker.c": " 2\n" + "int x;\n" * 50},
        "output": " said 2",
    }


def test_the_status_is_the_size_of_the_bytes_and_the_time_of_the_tag(descriptor: int) -> None:
    content = GitTags().read(descriptor, 2)

    assert GitTags().status(descriptor, 2) == TagStatus(len(content), 1_472_464_800_000_000_000)


def test_a_tag_that_is_only_a_name_has_its_commits_time(avatar: Path, descriptor: int) -> None:
    git(avatar, "tag", "7", "HEAD")

    assert GitTags().status(descriptor, 7).mtime_ns == 1_472_464_800_000_000_000


@pytest.mark.parametrize("number", [4, 10**9, -1])
def test_a_tag_that_is_not_there_is_not_found(descriptor: int, number: int) -> None:
    with pytest.raises(FileNotFoundError):
        GitTags().status(descriptor, number)


def test_tags_that_are_no_numbers_are_not_listed(avatar: Path, descriptor: int) -> None:
    for name in ("v1", "01", "1x", "1000000000", "a/2"):
        git(avatar, "tag", name, "HEAD")

    assert GitTags().numbers(descriptor) == [0, 1, 2, 3]


def test_an_avatar_without_git_has_no_numbers(avatar: Path, descriptor: int) -> None:
    (avatar / ".git").rename(avatar / "git")

    assert GitTags().numbers(descriptor) is None


def test_an_unborn_head_has_no_tags(disk: Path) -> None:
    needs.programs("git")
    good_avatar(disk / "lion", tags=0)
    descriptor = os.open(disk / "lion", os.O_PATH)

    assert GitTags().numbers(descriptor) == []
    os.close(descriptor)


def test_a_directory_that_is_no_repository_has_no_tags(avatar: Path, descriptor: int) -> None:
    (avatar / ".git").rename(avatar / "git")
    (avatar / ".git").mkdir()

    assert GitTags().numbers(descriptor) == []


def test_a_new_tag_shows_at_once(avatar: Path, descriptor: int) -> None:
    tags = GitTags()
    tags.numbers(descriptor)
    commit_tag(avatar, 4)

    assert tags.numbers(descriptor) == [0, 1, 2, 3, 4]
    assert json.loads(tags.read(descriptor, 4))["number"] == 4


def test_a_tag_that_is_moved_shows_at_once(avatar: Path, descriptor: int) -> None:
    tags = GitTags()
    tags.status(descriptor, 1)
    git(avatar, "tag", "-f", "-m", "1", "1", "3")

    assert json.loads(tags.read(descriptor, 1))["output"] == " said 3"


def test_a_tag_that_is_deleted_is_gone_at_once(avatar: Path, descriptor: int) -> None:
    tags = GitTags()
    tags.status(descriptor, 1)
    git(avatar, "tag", "-d", "1")

    with pytest.raises(FileNotFoundError):
        tags.status(descriptor, 1)


def without_blobs(avatar: Path) -> None:
    """Delete the manifests, so that whoever reads one again fails."""
    for number in range(4):
        loose_path(avatar / ".git", git(avatar, "rev-parse", f"{number}:manifest.json").strip()).unlink()


def test_a_status_that_is_known_reads_no_blob(avatar: Path, descriptor: int) -> None:
    tags = GitTags()
    before = [tags.status(descriptor, number) for number in range(4)]
    without_blobs(avatar)

    assert [tags.status(descriptor, number) for number in range(4)] == before


def test_an_error_is_not_remembered(avatar: Path, descriptor: int) -> None:
    tags = GitTags()
    path = loose_path(avatar / ".git", git(avatar, "rev-parse", "1:manifest.json").strip())
    path.rename(avatar / "away")
    with pytest.raises(CorruptKata, match=r"tag 1: object .* is missing"):
        tags.status(descriptor, 1)
    (avatar / "away").rename(path)

    assert tags.status(descriptor, 1) == GitTags().status(descriptor, 1)


def test_what_is_known_of_one_avatar_is_not_told_to_another(avatar: Path, descriptor: int, disk: Path) -> None:
    tags = GitTags()
    tags.status(descriptor, 1)
    good_avatar(disk / "wolf", tags=0)
    (disk / "wolf/.git/refs/tags/1").write_bytes((avatar / ".git/refs/tags/1").read_bytes())
    other = os.open(disk / "wolf", os.O_PATH)

    with pytest.raises(CorruptKata):
        tags.status(other, 1)
    os.close(other)


def test_a_ref_that_goes_on_changing_keeps_nobody(
    avatar: Path, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def change(self: GitTags, git_directory: int, key: object) -> None:
        tried.append(1)
        git(avatar, "tag", "-f", "-m", f"{len(tried)}", "1", "3")
        raise CorruptKata("nobody can read it")

    monkeypatch.setattr(GitTags, "_built", change)
    with pytest.raises(CorruptKata, match="tag 1: nobody can read it"):
        GitTags().status(descriptor, 1)

    assert len(tried) == 5


def test_an_object_that_is_damaged_in_one_pack_is_read_from_another(avatar: Path, descriptor: int) -> None:
    git(avatar, "repack", "-a", "-d", "-q")
    packs = avatar / ".git/objects/pack"
    (whole,) = packs.glob("*.pack")
    index = whole.with_suffix(".idx").read_bytes()
    for name in ("pack-0", "pack-f"):
        (packs / f"{name}.idx").write_bytes(index)
        (packs / f"{name}.pack").write_bytes(bytes(whole.stat().st_size))

    assert GitTags().status(descriptor, 1).size_bytes > 0


def test_a_damaged_pack_does_not_hide_a_loose_object(avatar: Path, descriptor: int) -> None:
    (avatar / ".git/objects/pack/pack-x.idx").write_bytes(b"damaged")
    (avatar / ".git/objects/pack/pack-x.pack").write_bytes(b"damaged")

    assert GitTags().status(descriptor, 1).size_bytes > 0


@pytest.mark.parametrize("name", ["pack-x", "._pack-x", "pack-0", "pack-f"])
def test_a_damaged_pack_does_not_hide_what_another_has(avatar: Path, descriptor: int, name: str) -> None:
    git(avatar, "repack", "-a", "-d", "-q")
    (avatar / f".git/objects/pack/{name}.idx").write_bytes(b"")
    (avatar / f".git/objects/pack/{name}.pack").write_bytes(b"")

    assert GitTags().status(descriptor, 1).size_bytes > 0


def test_an_index_without_its_pack_hides_nothing(avatar: Path, descriptor: int) -> None:
    git(avatar, "repack", "-a", "-d", "-q")
    (avatar / ".git/objects/pack/pack-x.idx").write_bytes(b"left over")

    assert GitTags().status(descriptor, 1).size_bytes > 0


def test_several_threads_read_the_same(descriptor: int) -> None:
    tags = GitTags()
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(tags.read(descriptor, 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [GitTags().read(descriptor, 1)] * 8


def test_lights_are_one_a_tag(descriptor: int) -> None:
    assert [light_of(stored_lights(descriptor), number) for number in (0, 1, 2)] == [
        Light(0, None, None),
        Light(1, "red", [2016, 8, 29, 10, 0, 1]),
        Light(2, "red", [2016, 8, 29, 10, 0, 2]),
    ]


def test_without_increments_there_are_no_lights(avatar: Path, descriptor: int) -> None:
    (avatar / "increments.json").unlink()

    assert stored_lights(descriptor) == {}


def test_lights_are_not_read_through_a_link(avatar: Path, descriptor: int) -> None:
    (avatar / "increments.json").rename(avatar / "elsewhere")
    (avatar / "increments.json").symlink_to("elsewhere")

    with pytest.raises(CorruptKata):
        stored_lights(descriptor)


def test_a_cache_drops_what_was_not_asked_for_longest() -> None:
    cache: Bounded[str, bytes] = Bounded(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    cache.get("a")
    cache.put("c", b"1234")

    assert [cache.get(key) for key in "abc"] == [b"1234", None, b"1234"]


def test_a_cache_does_not_keep_what_is_too_large() -> None:
    cache: Bounded[str, bytes] = Bounded(10, len)
    cache.put("a", b"1")
    cache.put("b", b"12345678901")

    assert [cache.get("a"), cache.get("b")] == [b"1", None]


def test_a_cache_counts_what_is_put_twice_once() -> None:
    cache: Bounded[str, bytes] = Bounded(10, len)
    for _ in range(5):
        cache.put("a", b"1234")
    cache.put("b", b"123456")

    assert [cache.get("a"), cache.get("b")] == [b"1234", b"123456"]
