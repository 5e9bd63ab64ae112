"""What every storer promises of katas."""

import errno
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from katafs import errors
from katafs.config import Sandboxes
from katafs.kata_id import KataId, VolumeName
from katafs.rooted import files
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Storer
from katafs.volumes import directory_listing
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import KATA, MANIFEST, OTHER, WHATEVER_THE_STORE, Cell

LOWER_CASE = "123456789a"


def manifest_without(key: str) -> dict[str, Any]:
    """A manifest that lacks a key."""
    return {name: value for name, value in MANIFEST.items() if name != key}


def test_creating_a_kata_gives_its_id(storer: Storer) -> None:
    assert storer.create_kata(MANIFEST) == KATA


def test_a_created_kata_exists(storer: Storer, kata: str) -> None:
    assert storer.kata_exists(kata)


def test_a_kata_not_created_does_not_exist(storer: Storer) -> None:
    assert not storer.kata_exists(KATA)


@WHATEVER_THE_STORE
@pytest.mark.parametrize("text", ["", "12345", LOWER_CASE, "../../etc", "123456789AB", None, 5, b"123456789A"])
def test_what_is_no_id_does_not_exist(storer: Storer, text: str) -> None:
    assert not storer.kata_exists(text)


def test_a_manifest_comes_back_key_for_key(storer: Storer) -> None:
    manifest = {**MANIFEST, "unheard_of": {"nested": [1, None, "é"]}, "browser": None}
    storer.create_kata(manifest)
    assert list(storer.kata_manifest(KATA).items()) == list(manifest.items())


def test_a_manifest_is_a_copy(storer: Storer) -> None:
    files = {"hiker.py": "before"}
    storer.create_kata({"id": KATA, "visible_files": files})
    files["hiker.py"] = "after"
    assert storer.kata_manifest(KATA)["visible_files"] == {"hiker.py": "before"}


@pytest.mark.usefixtures("kata")
def test_a_manifest_on_the_disk_is_compact_json(cell: Cell) -> None:
    content = (cell.directory() / "manifest.json").read_text()
    assert content == json.dumps(MANIFEST, ensure_ascii=False, separators=(",", ":"))


def test_a_missing_katas_manifest_is_not_found(storer: Storer) -> None:
    with pytest.raises(errors.KataNotFound):
        storer.kata_manifest(KATA)


def test_the_manifest_of_what_is_no_id_is_refused(storer: Storer) -> None:
    with pytest.raises(errors.BadId):
        storer.kata_manifest(LOWER_CASE)


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    ("partial", "completed"),
    [
        ("123456", KATA),
        ("123456789", KATA),
        (KATA, KATA),
        ("12345", "12345"),
        ("12FFFF", "12FFFF"),
        ("12345B", "12345B"),
        ("", ""),
        ("12345g", "12345g"),
        ("../../", "../../"),
        (None, None),
        (b"12345678", b"12345678"),
    ],
)
@pytest.mark.usefixtures("kata")
def test_an_id_is_completed_from_six_characters(storer: Storer, partial: str, completed: str) -> None:
    assert storer.completed(partial) == completed


@pytest.mark.usefixtures("kata")
def test_an_id_that_two_katas_begin_with_is_not_completed(storer: Storer) -> None:
    storer.create_kata({**MANIFEST, "id": "1234567FFF"})
    assert storer.completed("1234567") == "1234567"


def test_every_kata_is_listed_in_order(storer: Storer) -> None:
    for kata in (OTHER, KATA):
        storer.create_kata({**MANIFEST, "id": kata})
    assert storer.katas() == [KataId(KATA), KataId(OTHER)]


def test_a_store_without_katas_lists_none(storer: Storer) -> None:
    assert storer.katas() == []


def test_a_deleted_kata_no_longer_exists(storer: Storer, kata: str) -> None:
    storer.start_avatar(kata, ["lion"])
    storer.delete_kata(kata)
    assert not storer.kata_exists(kata)


def test_a_deleted_katas_avatars_are_gone_when_it_is_made_again(storer: Storer, kata: str) -> None:
    storer.start_avatar(kata, ["lion"])
    storer.delete_kata(kata)
    storer.create_kata(MANIFEST)
    assert storer.started_avatars(kata) == []


def test_deleting_one_kata_leaves_the_others(storer: Storer, kata: str) -> None:
    storer.create_kata({**MANIFEST, "id": OTHER})
    storer.delete_kata(kata)
    assert storer.katas() == [OTHER]


@pytest.mark.parametrize("way", ["started", "deleted"])
def test_a_kata_is_deleted_with_what_another_process_did_a_moment_ago(
    disk: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_listing, "_REST", 10**9)
    monkeypatch.setattr(directory_listing, "_LONGEST_REST_NS", 10**12)
    with closing(DirectoryStore(disk)) as store, closing(DirectoryStore(disk)) as others:
        storer, other = (PlainStorer(each, Sandboxes.AVATAR) for each in (store, others))
        storer.create_kata(MANIFEST)
        (other if way == "started" else storer).start_avatar(KATA, ["lion"])
        if way == "deleted":
            shutil.rmtree(disk / f"{KATA}_lion")
        storer.delete_kata(KATA)
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("name", [b"sandbox", KATA.encode()])
def test_a_kata_is_deleted_with_what_comes_into_it_meanwhile(
    disk: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    with closing(DirectoryStore(disk)) as store:
        _written_to(monkeypatch, name, 2)  # a directory is first removed in the hope that it is empty
        storer = PlainStorer(store)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        storer.delete_kata(KATA)
    assert list(disk.iterdir()) == []


def test_a_kata_into_which_something_never_ends_to_write_is_given_up(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(DirectoryStore(disk)) as store:
        _written_to(monkeypatch, KATA.encode(), 1000)
        storer = PlainStorer(store)
        storer.create_kata(MANIFEST)
        with pytest.raises(OSError, match=os.strerror(errno.ENOTEMPTY)):
            storer.delete_kata(KATA)
        assert storer.kata_exists(KATA)


def _written_to(monkeypatch: pytest.MonkeyPatch, name: bytes, times: int) -> None:
    """Have a program make a file in a directory of this name so often, just before it would be removed."""
    rmdir, left = os.rmdir, [b"late"] * times

    def removed(path: str | bytes, *, dir_fd: int | None = None) -> None:
        if os.path.basename(os.fsencode(path)) == name and left:
            os.mknod(os.path.join(os.fsencode(path), left.pop()), dir_fd=dir_fd)
        rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", removed)


@pytest.mark.parametrize("first", ["the avatar's volume", "the kata's"])
def test_a_kata_that_somebody_else_deletes_meanwhile_is_not_found(
    disk: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    with closing(DirectoryStore(disk)) as store:
        storer = PlainStorer(store, Sandboxes.AVATAR)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        remove = store.remove

        def too_late(name: VolumeName) -> None:
            if (name == KATA) == (first == "the kata's"):
                monkeypatch.undo()
                PlainStorer(store, Sandboxes.AVATAR).delete_kata(KATA)
            remove(name)

        monkeypatch.setattr(store, "remove", too_late)
        with pytest.raises(errors.KataNotFound):
            storer.delete_kata(KATA)


def test_a_kata_that_others_delete_and_make_anew_meanwhile_stays(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(DirectoryStore(disk)) as store:
        storer = PlainStorer(store)
        storer.create_kata(MANIFEST)
        remove = store.remove

        def too_late(name: VolumeName) -> None:
            monkeypatch.undo()
            storer.delete_kata(KATA)
            storer.create_kata(MANIFEST)
            remove(name)

        monkeypatch.setattr(store, "remove", too_late)
        with pytest.raises(errors.KataNotFound):
            storer.delete_kata(KATA)
        assert storer.kata_manifest(KATA) == MANIFEST


def test_deleting_a_missing_kata_is_not_found(storer: Storer) -> None:
    with pytest.raises(errors.KataNotFound):
        storer.delete_kata(KATA)


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        pytest.param(manifest_without("id"), errors.BadManifest, id="without an id"),
        pytest.param({**MANIFEST, "id": "12345"}, errors.BadId, id="a short id"),
        pytest.param({**MANIFEST, "id": LOWER_CASE}, errors.BadId, id="an id in lower case"),
        pytest.param({**MANIFEST, "id": None}, errors.BadId, id="a null id"),
        pytest.param(manifest_without("visible_files"), errors.BadManifest, id="without visible files"),
        pytest.param({**MANIFEST, "visible_files": ["a"]}, errors.BadManifest, id="files that are a list"),
        pytest.param({**MANIFEST, "visible_files": {"a": 1}}, errors.BadContent, id="content that is no text"),
        pytest.param({**MANIFEST, "visible_files": {"a": "\udcff"}}, errors.BadContent, id="content not UTF-8"),
        pytest.param({**MANIFEST, "visible_files": {"../a": ""}}, errors.BadFileName, id="a file name that is a path"),
        pytest.param({**MANIFEST, "extra": {1, 2}}, errors.BadContent, id="what JSON has no word for"),
    ],
)
def test_a_bad_manifest_is_refused_and_nothing_is_stored(
    storer: Storer, manifest: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        storer.create_kata(manifest)
    assert storer.katas() == []


def test_an_id_that_is_taken_is_refused_and_its_kata_stays(storer: Storer, kata: str) -> None:
    with pytest.raises(errors.KataExists):
        storer.create_kata({**MANIFEST, "language": "other"})
    assert storer.kata_manifest(kata) == MANIFEST


def test_of_storers_that_create_the_same_kata_one_wins(cell: Cell) -> None:
    def creates(storer: Storer) -> bool:
        try:
            storer.create_kata(MANIFEST)
        except errors.KataExists:
            return False
        return True

    racers = [cell.storer() for _ in range(4)]
    with ThreadPoolExecutor(len(racers)) as pool:
        assert list(pool.map(creates, racers)).count(True) == 1


@WHATEVER_THE_STORE
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":"\xff"}', b"[" * 100_000])
def test_a_broken_manifest_is_a_corrupt_kata(storer: Storer, kata: str, cell: Cell, content: bytes) -> None:
    (cell.directory() / "manifest.json").write_bytes(content)
    with pytest.raises(errors.CorruptKata):
        storer.kata_manifest(kata)


def test_a_kata_without_a_manifest_is_corrupt(storer: Storer, kata: str, cell: Cell) -> None:
    (cell.directory() / "manifest.json").unlink()
    (cell.directory() / "f.lock").touch()
    with pytest.raises(errors.CorruptKata):
        storer.kata_manifest(kata)


@pytest.mark.parametrize("what", [None, "a file", "a directory"])
def test_a_kata_with_nothing_in_it_is_not_found(storer: Storer, kata: str, cell: Cell, what: str | None) -> None:
    """While it is made it has what is to become its manifest, and almost deleted what was to become an avatar."""
    temporary = cell.directory() / ".katafs-0123456789abcdef"
    (cell.directory() / "manifest.json").unlink()
    if what is not None:
        temporary.mkdir() if what == "a directory" else temporary.touch()
    with pytest.raises(errors.KataNotFound, match="nothing in it"):
        storer.kata_manifest(kata)


@WHATEVER_THE_STORE
def test_a_kata_that_is_made_while_its_manifest_is_read_is_not_corrupt(
    storer: Storer, kata: str, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell.directory() / "manifest.json").rename(cell.directory() / ".katafs-0123456789abcdef")
    read = files.read

    def late(directory: int, name: bytes, limit_bytes: int) -> bytes:
        try:
            return read(directory, name, limit_bytes)
        except FileNotFoundError:
            (cell.directory() / ".katafs-0123456789abcdef").rename(cell.directory() / "manifest.json")
            raise

    monkeypatch.setattr(files, "read", late)
    with pytest.raises(errors.KataNotFound, match=f"kata {kata} was made only now"):
        storer.kata_manifest(kata)
    assert storer.kata_manifest(kata) == MANIFEST


def test_a_manifest_that_is_a_link_is_not_followed(storer: Storer, kata: str, cell: Cell) -> None:
    (cell.directory() / "manifest.json").unlink()
    (cell.directory() / "manifest.json").symlink_to("/etc/hostname")
    with pytest.raises(errors.CorruptKata):
        storer.kata_manifest(kata)


def test_strays_at_the_top_of_a_kata_are_no_avatars(storer: Storer, kata: str, cell: Cell) -> None:
    (cell.directory() / "f.lock").touch()
    (cell.directory() / "lion").touch()
    (cell.directory() / "cat").mkdir()
    assert storer.started_avatars(kata) == []
