"""The parts of the storer without git stand alone: each works without the others, on a store that is only memory."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from katafs import errors
from katafs.config import Sandboxes
from katafs.errors import StoreUnreachable
from katafs.kata_id import AvatarName, VolumeName
from katafs.rooted import names
from katafs.storers.avatars import AvatarsStorer
from katafs.storers.katas import KatasStorer
from katafs.storers.places import Places
from katafs.storers.plain import PlainStorer
from katafs.storers.starts import NewAvatar, Starts
from katafs.storers.storer import Delta
from katafs.storers.tags import TagsStorer, start_tags
from katafs.volumes.memory import MemoryStore
from tests.contract.storers.cells import KATA, MANIFEST, NOW, START

LION = VolumeName(f"{KATA}_lion")


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """A store in memory."""
    with closing(MemoryStore()) as store:
        yield store


def test_avatars_save_without_tags_or_a_manifest(store: MemoryStore) -> None:
    store.create(VolumeName(KATA))
    (store.path / KATA / "lion/sandbox").mkdir(parents=True)
    AvatarsStorer(store).sandbox_save(KATA, "lion", Delta(new=["a"]), {"a": "content"})
    assert (store.path / KATA / "lion/sandbox/a").read_text() == "content"


def test_avatars_start_without_tags(store: MemoryStore) -> None:
    KatasStorer(store).create_kata(MANIFEST)

    def fill(new: NewAvatar, start: dict[str, str]) -> None:
        assert (new.name, start, names.is_empty(new.sandbox)) == ("lion", START, True)

    assert Starts(store, Sandboxes.KATA).first_free(KATA, ["lion"], fill) == "lion"


def test_tags_are_kept_without_a_sandbox(store: MemoryStore) -> None:
    store.create(VolumeName(KATA))
    (store.path / KATA / "lion").mkdir()
    with Places(store).avatar(KATA, "lion") as directory:
        start_tags(directory, START)
    tags = TagsStorer(store)
    tags.avatar_ran_tests(KATA, "lion", START, NOW, "out", "red")
    assert [tag["output"] for tag in tags.tags(KATA, "lion")] == ["", "out"]


def test_an_avatars_volume_has_its_sandbox_at_the_top(store: MemoryStore) -> None:
    storer = PlainStorer(store, Sandboxes.AVATAR)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    assert {path.name for path in (store.path / LION).iterdir()} == START.keys()


def test_an_avatars_directory_has_no_sandbox_where_it_has_a_volume(store: MemoryStore) -> None:
    storer = PlainStorer(store, Sandboxes.AVATAR)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    assert {path.name for path in (store.path / KATA / "lion").iterdir()} == {"tags", "increments.json"}


def test_an_avatar_is_where_it_was_started_whatever_the_storer_would_choose(store: MemoryStore) -> None:
    storer = PlainStorer(store, Sandboxes.AVATAR)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    PlainStorer(store).sandbox_save(KATA, "lion", Delta(new=["a"]), {"a": "content"})
    assert (store.path / LION / "a").read_text() == "content"


def test_deleting_a_kata_removes_its_avatars_volumes(store: MemoryStore) -> None:
    storer = PlainStorer(store, Sandboxes.AVATAR)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    storer.delete_kata(KATA)
    assert store.catalog().names() == frozenset()


def test_an_avatar_that_is_only_a_volume_was_started(store: MemoryStore) -> None:
    KatasStorer(store).create_kata(MANIFEST)
    store.create(LION)
    assert AvatarsStorer(store).started_avatars(KATA) == [AvatarName("lion")]


def test_an_avatar_that_is_only_a_volume_is_not_started_again(store: MemoryStore) -> None:
    storer = PlainStorer(store)
    storer.create_kata(MANIFEST)
    store.create(LION)
    assert storer.start_avatar(KATA, ["lion", "bear"]) == "bear"


def test_an_avatar_that_is_only_a_volume_has_no_increments(store: MemoryStore) -> None:
    storer = PlainStorer(store)
    storer.create_kata(MANIFEST)
    store.create(LION)
    with pytest.raises(errors.IncrementsMissing):
        storer.avatar_increments(KATA, "lion")


def test_a_volume_that_no_kata_belongs_to_is_no_kata(store: MemoryStore) -> None:
    store.create(LION)
    assert KatasStorer(store).katas() == []


def test_a_store_that_can_not_be_reached_is_no_missing_kata(store: MemoryStore) -> None:
    storer = PlainStorer(store)
    storer.create_kata(MANIFEST)
    store.fail(StoreUnreachable("gone"))
    with pytest.raises(StoreUnreachable):
        storer.kata_manifest(KATA)


def test_a_kata_without_output_starts_avatars_without_it(store: MemoryStore) -> None:
    storer = PlainStorer(store)
    storer.create_kata({"id": KATA, "visible_files": {"a": "x"}})
    storer.start_avatar(KATA, ["lion"])
    assert (storer.tag(KATA, "lion", 0)["output"], storer.avatar_visible_files(KATA, "lion")) == (None, {"a": "x"})


def test_an_avatar_whose_start_fails_gives_its_name_back(store: MemoryStore) -> None:
    storer = PlainStorer(store, Sandboxes.AVATAR)
    KatasStorer(store).create_kata({"id": KATA, "visible_files": {}})
    manifest = store.path / KATA / "manifest.json"
    manifest.write_text('{"id":"123456789A","visible_files":{"a":"\\ud800"}}')
    with pytest.raises(errors.BadContent):
        storer.start_avatar(KATA, ["lion"])
    assert (storer.started_avatars(KATA), LION in store.catalog()) == ([], False)


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"number":2}', b'{"number":1,"colour":null}'])
def test_a_broken_tag_is_a_corrupt_kata(store: MemoryStore, content: bytes) -> None:
    storer = PlainStorer(store)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "", "red")
    (store.path / KATA / "lion/tags/1.json").write_bytes(content)
    with pytest.raises(errors.CorruptKata):
        storer.tag(KATA, "lion", 1)


def test_a_broken_tag_leaves_the_others_readable(store: MemoryStore) -> None:
    storer = PlainStorer(store)
    storer.create_kata(MANIFEST)
    storer.start_avatar(KATA, ["lion"])
    storer.avatar_ran_tests(KATA, "lion", START, NOW, "", "red")
    (store.path / KATA / "lion/tags/1.json").write_bytes(b"{")
    assert storer.tag(KATA, "lion", 0)["number"] == 0
