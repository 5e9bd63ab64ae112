"""What goes on in a kata while somebody deletes it finds that it, or the avatar, isn't there: nothing is corrupt."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from katafs import errors
from katafs.rooted import files, names
from katafs.storers.storer import Storer
from tests.contract.storers.cells import KATA, LION_CALLS, MANIFEST, WHATEVER_THE_STORE, Cell

CALLS: dict[str, Callable[[Storer], object]] = {
    **LION_CALLS,
    "start": lambda storer: storer.start_avatar(KATA, ["bear"]),
    "manifest": lambda storer: storer.kata_manifest(KATA),
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
@pytest.mark.usefixtures("kata")
def test_a_start_in_a_kata_of_which_a_deletion_has_left_the_volume_finds_none(
    storer: Storer, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(_: int) -> None:
        """As a deletion before its last step."""
        (cell.directory() / "manifest.json").unlink()
        for path in cell.directory().iterdir():
            shutil.rmtree(path)

    when_locked(monkeypatch, delete)
    with pytest.raises(errors.KataNotFound, match=f"kata {KATA} was deleted meanwhile"):
        CALLS["start"](storer)


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


@pytest.mark.parametrize("cell", ["git-directories", "plain-memory", "plain-memory-avatar"], indirect=True)
@pytest.mark.usefixtures("lion")
def test_a_save_in_a_sandbox_that_a_deletion_empties_meanwhile_finds_no_kata(
    storer: Storer, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = names.rename

    def late(old: int, old_name: bytes, new: int, new_name: bytes, flags: int) -> None:
        """As a deletion that goes on."""
        (cell.directory() / "manifest.json").rename(cell.directory() / ".katafs-deleted")
        for path in cell.sandbox().iterdir():
            path.unlink()
        monkeypatch.undo()
        rename(old, old_name, new, new_name, flags)

    monkeypatch.setattr(names, "rename", late)
    with pytest.raises(errors.KataNotFound, match=f"kata {KATA} was deleted meanwhile"):
        CALLS["save"](storer)


@pytest.mark.parametrize("cell", ["git-directories", "plain-memory", "plain-memory-avatar"], indirect=True)
@pytest.mark.usefixtures("lion")
@pytest.mark.parametrize("call", CALLS)
def test_of_a_kata_nothing_is_corrupt_while_it_is_deleted(
    storer: Storer, cell: Cell, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """After every other step of the deletion: who writes after each keeps it from ending. Until an avatar's directory
    goes, a run may be stored."""
    for number in range(10):
        (cell.directory() / f"stray {number}").touch()
    steps = 0

    def looking(removed: Callable[..., None]) -> Callable[..., None]:
        def remove(*arguments: object, **options: object) -> None:
            nonlocal steps
            removed(*arguments, **options)
            steps += 1
            if steps % 2:
                with monkeypatch.context() as patch, suppress(errors.KataNotFound, errors.AvatarNotFound):
                    for name, real in removals.items():
                        patch.setattr(os, name, real)
                    CALLS[call](storer)

        return remove

    removals: dict[str, Callable[..., None]] = {"unlink": os.unlink, "rmdir": os.rmdir}
    for name, real in removals.items():
        monkeypatch.setattr(os, name, looking(real))
    storer.delete_kata(KATA)
    assert steps > 5


@WHATEVER_THE_STORE
@pytest.mark.usefixtures("kata")
def test_nothing_is_corrupt_either_while_a_kata_is_deleted_that_was_made_anew_in_its_volume(
    storer: Storer, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a moment for that between the last look into the volume and its end."""
    unlink: Callable[..., None] = os.unlink
    looks = 0

    def looking(*arguments: object, **options: object) -> None:
        nonlocal looks
        unlink(*arguments, **options)
        if next(cell.directory().iterdir(), None) is None and not looks:
            looks += 1
            storer.create_kata(MANIFEST)
            for number in range(10):
                (cell.directory() / f"stray {number}").touch()
        elif looks:
            looks += 1
            with suppress(errors.KataNotFound):
                storer.kata_manifest(KATA)

    monkeypatch.setattr(os, "unlink", looking)
    storer.delete_kata(KATA)
    assert looks > 10


def test_a_part_that_is_missing_is_not_taken_for_a_deletion(git: Storer, disk: Path) -> None:
    shutil.rmtree(disk / KATA / "lion/.git/objects")
    with pytest.raises(errors.CorruptKata, match=f"'objects' of avatar lion of kata {KATA} isn't there"):
        CALLS["save"](git)


@WHATEVER_THE_STORE
@pytest.mark.usefixtures("lion")
def test_a_kata_whose_deletion_was_broken_off_can_be_deleted(storer: Storer, cell: Cell) -> None:
    (cell.directory() / "manifest.json").rename(cell.directory() / ".katafs-deleted")
    shutil.rmtree(cell.avatar())
    with pytest.raises(errors.KataNotFound):
        storer.avatar_increments(KATA, "lion")
    storer.delete_kata(KATA)
    assert not storer.kata_exists(KATA)


@WHATEVER_THE_STORE
@pytest.mark.usefixtures("lion")
def test_a_kata_is_deleted_whatever_a_container_has_put_into_it(storer: Storer, cell: Cell) -> None:
    (cell.directory() / ".katafs-deleted" / "full").mkdir(parents=True)
    storer.delete_kata(KATA)
    assert not storer.kata_exists(KATA)
