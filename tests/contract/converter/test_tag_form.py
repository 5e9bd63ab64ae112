"""Avatars go into the git-free form one by one: what can't is left as it is, and a kill loses nothing."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs import errors
from katafs.converter import avatar_tags, tag_form
from katafs.converter.results import Outcome, Result
from katafs.converter.runs import Run
from katafs.converter.tag_form import AvatarOutcome, store_as_tags
from katafs.converter.tag_runs import with_tags
from katafs.kata_id import AvatarName, KataId
from katafs.rooted import names
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Tag
from katafs.storers.tag_files import create_tag
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.legacy_disk import piece_of
from katafs.volumes.memory import MemoryStore
from katafs.volumes.store import VolumeStore
from tests.contract.converter.conftest import volume
from tests.contract.storers.cells import KATA as ID
from tests.contract.storers.cells import MANIFEST, NOW, START
from tests.harness import needs
from tests.harness.avatars import git, good_avatar
from tests.harness.kills import killed
from tests.harness.odd_trees import described

KATA = KataId(ID)
LION, BAT = AvatarName("lion"), AvatarName("bat")
RUNS = 3


@pytest.fixture
def kata(store: VolumeStore) -> Path:
    """A kata's volume, with a lion and a bat that git keeps."""
    needs.programs("git")
    storer = GitStorer(store)
    storer.create_kata(MANIFEST)
    for avatar in (LION, BAT):
        storer.start_avatar(KATA, [avatar])
        for number in range(RUNS):
            storer.avatar_ran_tests(KATA, avatar, {**START, f"{number}.py": "é"}, NOW, f"said {number}", "red")
    return volume(store, KATA)


def outcomes(store: VolumeStore, *, drop_git: bool = True) -> dict[AvatarName, AvatarOutcome]:
    """What comes of each avatar."""
    return {outcome.avatar: outcome for outcome in store_as_tags(store, KATA, drop_git=drop_git)}


def test_every_avatar_says_what_came_of_it(store: VolumeStore, kata: Path) -> None:
    wanted = [AvatarOutcome(avatar, Outcome.STORED, RUNS + 1) for avatar in (BAT, LION)]
    assert list(outcomes(store).values()) == wanted
    assert not (kata / "lion/.git").exists()


def test_a_second_time_says_already(store: VolumeStore, kata: Path) -> None:
    outcomes(store)
    before = described(kata, atimes=False)
    assert {outcome.outcome for outcome in outcomes(store).values()} == {Outcome.ALREADY}
    assert described(kata, atimes=False) == before


def test_git_can_be_dropped_later(store: VolumeStore, kata: Path) -> None:
    outcomes(store, drop_git=False)
    assert (kata / "lion/.git").is_dir()
    assert outcomes(store)[LION] == AvatarOutcome(LION, Outcome.STORED, RUNS + 1)
    assert not (kata / "lion/.git").exists()


def test_git_stays_where_a_tag_is_not_read_back_as_git_has_it(
    store: VolumeStore, kata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_other(tags: int, tag: Tag) -> None:
        create_tag(tags, {**tag, "output": "another"} if tag["number"] == 1 else tag)

    monkeypatch.setattr(avatar_tags, "create_tag", create_other)
    found = outcomes(store)[LION]

    assert found.outcome is Outcome.REFUSED
    assert "is not in its file what it is in git" in found.reason
    assert (kata / "lion/.git").is_dir()
    assert not (kata / "lion/tags").exists()


def test_a_git_that_can_not_be_removed_is_said_to_be_left(
    store: VolumeStore, kata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_form, "remove_tree", _refuse)
    found = outcomes(store)[LION]
    monkeypatch.undo()

    (left,) = (kata / "lion").glob(".katafs-dropped-*")
    assert found.outcome is Outcome.REFUSED
    assert f"has all of its tags as files, but {left.name}, its git, can't be removed" in found.reason
    outcomes(store)
    assert not left.exists()


def test_a_git_that_can_not_be_dropped_is_in_its_place(
    store: VolumeStore, kata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = names.rename

    def rename(old: int, old_name: bytes, new: int, new_name: bytes, flags: int) -> None:
        if new_name.startswith(b".katafs-dropped-"):
            _refuse()
        renamed(old, old_name, new, new_name, flags)

    monkeypatch.setattr(names, "rename", rename)
    assert outcomes(store)[LION].outcome is Outcome.REFUSED
    assert (kata / "lion/.git").is_dir()
    assert list((kata / "lion").glob(".katafs-*")) == []


def _refuse(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_kata_whose_avatars_can_not_be_told_is_said_to_be_in_its_volume(
    store: VolumeStore, kata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = piece_of(KATA)
    work = with_tags(lambda _: Result(piece, Outcome.MOVED), store, drop_git=False)
    monkeypatch.setattr(names, "listing", _refuse)
    (result,) = Run(jobs=1).results([piece], work)
    assert (result.outcome, result.reason) == (
        Outcome.FAILED,
        "it is in its volume, but not in the git-free form: Input/output error",
    )


def test_a_git_that_a_kill_left_out_of_the_way_is_put_back_and_asked_again(store: VolumeStore, kata: Path) -> None:
    outcomes(store, drop_git=False)
    GitStorer(store).avatar_ran_tests(KATA, LION, START, NOW, "later", "green")
    (kata / "lion/.git").rename(kata / "lion/.katafs-git-killed")

    assert outcomes(store, drop_git=False)[LION] == AvatarOutcome(LION, Outcome.STORED, RUNS + 2)
    assert (kata / "lion/.git").is_dir()
    assert PlainStorer(store).tag(KATA, LION, RUNS + 1)["output"] == "later"


@pytest.mark.usefixtures("kata")
def test_what_git_got_since_is_added(store: VolumeStore) -> None:
    outcomes(store, drop_git=False)
    GitStorer(store).avatar_ran_tests(KATA, LION, START, NOW, "later", "green")

    assert outcomes(store, drop_git=False)[LION] == AvatarOutcome(LION, Outcome.STORED, RUNS + 2)
    assert PlainStorer(store).tag(KATA, LION, RUNS + 1)["output"] == "later"


@pytest.mark.usefixtures("kata")
def test_a_storer_without_git_goes_on(store: VolumeStore) -> None:
    outcomes(store)
    lights = PlainStorer(store).avatar_ran_tests(KATA, LION, START, NOW, "later", "green")
    assert [light["number"] for light in lights] == [1, 2, 3, 4]


def test_files_are_the_avatars_owners_and_as_old_as_their_tags(store: VolumeStore, kata: Path) -> None:
    needs.root()
    for path in (kata / "lion", *(kata / "lion").rglob("*")):
        os.chown(path, 19661, 33, follow_symlinks=False)
    (kata / "lion").chmod(0o2775)
    before = (kata / "lion").stat()
    outcomes(store, drop_git=False)

    tags = kata / "lion/tags"
    for path in (tags, *tags.iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (19661, 33)
    assert (kata / "lion").stat().st_mtime_ns == before.st_mtime_ns
    assert tags.stat().st_mode & 0o7777 == 0o2775
    made = git(kata / "lion", "for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/2").strip()
    assert (tags / "2.json").stat().st_mtime_ns == int(made) * 10**9


def test_avatars_without_tags_and_without_git_are_not_named(store: VolumeStore, kata: Path) -> None:
    (kata / "tiger").mkdir()
    assert outcomes(store).keys() == {LION, BAT}


def test_an_unknown_kata_is_refused(store: VolumeStore) -> None:
    with pytest.raises(errors.KataNotFound):
        store_as_tags(store, KataId("FEDCBA9876"), drop_git=True)


Damage = Callable[[Path], None]


def _lost_object(avatar: Path) -> None:
    blob = git(avatar, "rev-parse", "2:manifest.json").strip()
    (avatar / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()


def _not_utf8(avatar: Path) -> None:
    (avatar / "manifest.json").write_bytes(b'{"a":"\xff"}')
    git(avatar, "commit", "--all", "--message=4", "--quiet")
    git(avatar, "tag", "--message=4", "4")


def _lone_surrogate(avatar: Path) -> None:
    (avatar / "manifest.json").write_text('{"a":"\\ud800"}')
    git(avatar, "commit", "--all", "--message=4", "--quiet")
    git(avatar, "tag", "--message=4", "4")


def _too_large(avatar: Path) -> None:
    (avatar / "manifest.json").write_text(json.dumps({"a": "x" * (33 << 20)}))
    git(avatar, "commit", "--all", "--message=4", "--quiet")
    git(avatar, "tag", "--message=4", "4")


def _no_tags(avatar: Path) -> None:
    git(avatar, "tag", "--delete", "0", "1", "2", "3")


def _tags_is_a_link(avatar: Path) -> None:
    (avatar / "tags").symlink_to("sandbox")


def _another_tag_is_there(avatar: Path) -> None:
    (avatar / "tags").mkdir()
    tag = {"number": 1, "colour": "green", "time": None, "visible_files": {}, "output": None}
    (avatar / "tags/1.json").write_text(json.dumps(tag))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_lost_object, "avatar lion of kata 123456789A: tag 2: object"),
        (_not_utf8, "tag 4 of avatar lion of kata 123456789A is not UTF-8"),
        (_lone_surrogate, "tag 4"),
        (_too_large, "tag 4 of avatar lion of kata 123456789A is too large"),
        (_no_tags, "has no tags"),
        (_tags_is_a_link, "is not what belongs there"),
        (_another_tag_is_there, "tag 1 of avatar lion of kata 123456789A is not in its file what it is in git"),
    ],
)
def test_what_cannot_all_be_read_is_refused_and_untouched(
    store: VolumeStore, kata: Path, damage: Damage, reason: str
) -> None:
    damage(kata / "lion")
    before = described(kata / "lion", atimes=False)
    found = outcomes(store)

    assert found[LION].outcome is Outcome.REFUSED
    assert reason in found[LION].reason
    assert len(found[LION].reason.splitlines()) == 1
    assert described(kata / "lion", atimes=False) == before
    assert found[BAT] == AvatarOutcome(BAT, Outcome.STORED, RUNS + 1)


@pytest.mark.parametrize("name", [".git", "lion"])
def test_a_link_leads_nowhere(store: VolumeStore, kata: Path, disk: Path, name: str) -> None:
    good_avatar(disk / "outside/lion")
    before = described(disk / "outside", atimes=False)
    place = kata / "lion" / name if name == ".git" else kata / name
    shutil.rmtree(place)
    place.symlink_to(disk / "outside/lion" / (name if name == ".git" else ""))

    assert outcomes(store).keys() == {BAT}
    assert described(disk / "outside", atimes=False) == before


def _whole(kata: Path, wanted: list[Tag]) -> bool:
    """Whether an avatar has its git, or every tag as a file; what it has must be whole."""
    avatar = kata / "lion"
    with closing(DirectoryStore(kata.parent)) as store:
        if (avatar / "tags").exists():
            assert PlainStorer(store).tags(KATA, LION) == wanted
        if (avatar / ".git").exists():
            assert GitStorer(store).tags(KATA, LION) == wanted
            git(avatar, "fsck", "--full", "--strict")
    return (avatar / "tags").exists() or (avatar / ".git").exists()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, where nothing waits for a disk."""
    with closing(MemoryStore()) as store:
        yield store.path


def test_a_kill_at_any_moment_loses_nothing(memory: Path) -> None:
    needs.programs("git")
    good = memory / "good" / KATA
    good_avatar(good / "lion", tags=3)
    (good / "lion/sandbox").mkdir()
    with closing(DirectoryStore(good.parent)) as store:
        wanted = GitStorer(store).tags(KATA, LION)
    kata = memory / "killed" / KATA
    calls, step, was_killed = 0, 7, True
    while was_killed:
        calls += step
        shutil.copytree(good, kata, symlinks=True)
        was_killed = killed(lambda: _convert(kata.parent), calls)
        assert _whole(kata, wanted), f"killed at call {calls}"
        _convert(kata.parent)
        left = sorted(path.name for path in (kata / "lion").iterdir())
        assert left == ["increments.json", "manifest.json", "sandbox", "tags"]
        assert _whole(kata, wanted), f"run again after a kill at call {calls}"
        shutil.rmtree(kata)
    assert calls > 20 * step


def _convert(volumes: Path) -> None:
    with closing(DirectoryStore(volumes)) as store:
        (outcome,) = store_as_tags(store, KATA, drop_git=True)
    assert outcome.outcome is not Outcome.REFUSED, outcome
