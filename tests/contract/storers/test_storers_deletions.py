"""What goes on in a kata while somebody deletes it finds that it, or the avatar, isn't there: nothing is corrupt."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from katafs import errors
from katafs.rooted import files
from katafs.storers.storer import Delta, Storer
from tests.contract.storers.cells import FILES, KATA, NOW, WHATEVER_THE_STORE

CALLS: dict[str, Callable[[Storer], object]] = {
    "run": lambda storer: storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "", "red"),
    "save": lambda storer: storer.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), FILES),
    "increments": lambda storer: storer.avatar_increments(KATA, "lion"),
    "visible files": lambda storer: storer.avatar_visible_files(KATA, "lion"),
    "tags": lambda storer: storer.tags(KATA, "lion"),
    "diff": lambda storer: storer.tag_diff(KATA, "lion", 0, 1),
}


def when_locked(monkeypatch: pytest.MonkeyPatch, do: Callable[[int], object]) -> None:
    """Do this once, with the directory that is locked next, as soon as it is."""
    locked = files.locked

    @contextmanager
    def late(directory: int, *, within_s: float) -> Iterator[None]:
        with locked(directory, within_s=within_s):
            monkeypatch.undo()
            do(directory)
            yield

    monkeypatch.setattr(files, "locked", late)


@WHATEVER_THE_STORE
@pytest.mark.usefixtures("lion")
def test_a_run_in_a_kata_that_is_deleted_meanwhile_finds_none(storer: Storer, monkeypatch: pytest.MonkeyPatch) -> None:
    when_locked(monkeypatch, lambda _: storer.delete_kata(KATA))
    with pytest.raises(errors.KataNotFound, match=f"kata {KATA} was deleted meanwhile"):
        CALLS["run"](storer)


@WHATEVER_THE_STORE
@pytest.mark.usefixtures("lion")
def test_a_run_of_an_avatar_that_is_deleted_meanwhile_finds_none(
    storer: Storer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(directory: int) -> None:
        """As a deletion that goes on."""
        place = Path(files.path_of(directory))
        (place / "increments.json").unlink()
        place.rename(place.with_name("hidden"))

    when_locked(monkeypatch, delete)
    with pytest.raises(errors.AvatarNotFound, match=f"avatar lion of kata {KATA} was deleted meanwhile"):
        CALLS["run"](storer)


@WHATEVER_THE_STORE
@pytest.mark.usefixtures("lion")
@pytest.mark.parametrize("call", CALLS)
def test_of_an_avatar_nothing_is_seen_while_it_is_deleted(
    storer: Storer, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    removed, seen = os.unlink, []

    def unlink(path: str | bytes, *, dir_fd: int | None = None) -> None:
        monkeypatch.undo()
        removed(path, dir_fd=dir_fd)
        seen.append(path)
        with pytest.raises(errors.AvatarNotFound):
            CALLS[call](storer)

    monkeypatch.setattr(os, "unlink", unlink)
    storer.delete_kata(KATA)
    assert len(seen) == 1
