"""Real katas go into volumes, from one form into the other, and come out again: nothing of them changes or is lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.converter.exports import Form, export
from katafs.converter.results import Outcome
from katafs.converter.tag_form import store_as_tags
from katafs.kata_id import AvatarName
from katafs.namespace import Layout
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.reading import Reader
from katafs.volumes.tree_store import TreeStore
from tests.contract.converter.conftest import AVATARS, TAGS, Real, directory_of, inside
from tests.harness.avatars import git
from tests.harness.odd_trees import Description, described
from tests.harness.programs import run

pytestmark = pytest.mark.timeout(600)


def looks(path: Path, *, without: tuple[bytes, ...] = ()) -> Description:
    """All that an export must keep, but for the directories of these names in avatars."""
    found = described(path, atimes=False)
    return {where: facts for where, facts in found.items() if not {*where.split(b"/")[1:2]} & {*without}}


def exported(real: Real, to: Path, form: Form) -> Path:
    """Export every kata."""
    for kata in real.katas():
        export(real.store, kata, to, form)
    return to


FREE = pytest.mark.parametrize("form", ["without_git", "both_forms"])
"""Avatars in the git-free form, without their git and beside it."""


@pytest.fixture
def free(request: pytest.FixtureRequest, kind: str, form: str) -> Real:
    """Those of the parameter, in each kind of store."""
    assert kind
    real: Real = request.getfixturevalue(form)
    return real


@FREE
def test_every_avatar_and_every_tag_was_stored(free: Real) -> None:
    assert [outcome for outcome in free.outcomes if outcome.outcome is not Outcome.STORED] == []
    assert (len(free.outcomes), sum(outcome.tags for outcome in free.outcomes)) == (AVATARS, TAGS)


def test_the_tree_is_what_the_server_had(real: Real, out: Path) -> None:
    exported(real, out, Form.HOST_DISK)

    assert len(real.katas()) == 25
    for kata in real.katas():
        assert looks(inside(out, kata)) == looks(inside(real.tree, kata)), kata
    assert sorted(path.name for path in out.glob("*/*")) == sorted(path.name for path in real.tree.glob("*/*"))


def test_an_unpacked_archive_is_what_the_server_had(real: Real, out: Path) -> None:
    exported(real, out, Form.TGZ)

    assert sorted(path.name for path in out.iterdir()) == [f"{kata}.tgz" for kata in real.katas()]
    for kata in real.katas():
        run(["tar", "--numeric-owner", "-xpzf", out / f"{kata}.tgz", "-C", out])
        assert looks(inside(out, kata)) == looks(inside(real.tree, kata)), kata


def test_the_tree_without_git_has_every_tag(real: Real, out: Path) -> None:
    exported(real, out, Form.TAGS)

    assert list(out.glob("*/*/*/.git")) == []
    with closing(TreeStore(out, Layout.SPLIT)) as tree:
        found = {avatar: PlainStorer(tree).tags(*avatar) for avatar in real.avatars()}
    assert found == real.tags()
    assert sum(map(len, found.values())) == TAGS
    for kata in real.katas():
        gone = (b".git", b"tags")
        assert looks(inside(out, kata), without=gone) == looks(inside(real.tree, kata), without=gone), kata


@FREE
def test_volumes_without_git_have_every_tag(free: Real, form: str) -> None:
    plain, reader = PlainStorer(free.store), Reader(free.store)
    for (kata, name), wanted in free.tags().items():
        assert plain.tags(kata, name) == wanted, (kata, name)
        stored = inside(free.tree, kata) / name / "increments.json"
        assert (free.volume(kata) / name / "increments.json").read_bytes() == stored.read_bytes()
        assert plain.avatar_increments(kata, name) == json.loads(stored.read_bytes())
        newest = reader.visible_files(kata, AvatarName(name), wanted[-1]["number"])
        assert plain.avatar_visible_files(kata, name) == newest
        assert (free.volume(kata) / name / ".git").exists() is (form == "both_forms")


@FREE
def test_lights_are_the_same_without_git(free: Real, real: Real) -> None:
    before, after = (
        [reader.lights(kata, avatar) for kata in reader.katas() for avatar in reader.avatars(kata)]
        for reader in (Reader(real.store), Reader(free.store))
    )
    assert after == before


def test_a_second_time_says_already_and_changes_nothing(both_forms: Real) -> None:
    before = [looks(both_forms.volume(kata)) for kata in both_forms.katas()]
    outcomes = [out for kata in both_forms.katas() for out in store_as_tags(both_forms.store, kata, drop_git=False)]

    assert [outcome for outcome in outcomes if outcome.outcome is not Outcome.ALREADY] == []
    assert (len(outcomes), sum(outcome.tags for outcome in outcomes)) == (AVATARS, TAGS)
    assert [looks(both_forms.volume(kata)) for kata in both_forms.katas()] == before


def test_tags_beside_git_are_left_out_of_the_tree(both_forms: Real, out: Path) -> None:
    exported(both_forms, out, Form.HOST_DISK)

    for kata in both_forms.katas():
        assert looks(inside(out, kata)) == looks(inside(both_forms.tree, kata)), kata


@pytest.fixture(scope="module")
def rebuilt(without_git: Real, kind: str) -> Iterator[Path]:
    """The tree that is exported of avatars without git."""
    with directory_of(kind) as directory:
        yield exported(without_git, directory / "out", Form.HOST_DISK)


def test_a_rebuilt_history_has_every_tag(without_git: Real, rebuilt: Path) -> None:
    with closing(TreeStore(rebuilt, Layout.SPLIT)) as tree:
        found = {avatar: GitStorer(tree).tags(*avatar) for avatar in without_git.avatars()}
    assert found == without_git.tags()
    assert sum(map(len, found.values())) == TAGS


def test_git_itself_agrees_with_a_rebuilt_history(without_git: Real, rebuilt: Path) -> None:
    compared = 0
    for (kata, name), wanted in without_git.tags().items():
        avatar, original = inside(rebuilt, kata) / name, inside(without_git.tree, kata) / name
        numbers = [str(tag["number"]) for tag in wanted]
        assert git(avatar, "fsck", "--full", "--strict") == ""
        assert git(avatar, "tag") == git(original, "tag")
        assert git(avatar, "log", "--format=%s").split() == numbers[::-1]
        kinds = git(avatar, "for-each-ref", "--format=%(objecttype) %(contents:subject)", "refs/tags")
        assert sorted(kinds.splitlines()) == sorted(f"tag {number}" for number in numbers)
        for number in numbers:
            ours, theirs = (json.loads(git(where, "show", f"{number}:manifest.json")) for where in (avatar, original))
            assert ours == theirs, (kata, name, number)
            compared += 1
        # Some real files are executable, which nobody has told git.
        assert git(avatar, "-c", "core.fileMode=false", "diff", "HEAD", "--", "manifest.json", "increments.json") == ""
    assert compared == TAGS


def test_all_but_the_history_is_what_the_server_had(without_git: Real, rebuilt: Path) -> None:
    for kata in without_git.katas():
        wanted = looks(inside(without_git.tree, kata), without=(b".git",))
        assert looks(inside(rebuilt, kata), without=(b".git",)) == wanted, kata


def test_a_history_is_rebuilt_the_same_each_time(without_git: Real, rebuilt: Path, out: Path) -> None:
    again = exported(without_git, out, Form.HOST_DISK)

    for kata, name in without_git.avatars():
        avatars = [inside(out, kata) / name for out in (rebuilt, again)]
        ours, theirs = (git(avatar, "for-each-ref", "--format=%(refname) %(objectname)") for avatar in avatars)
        assert ours == theirs, (kata, name)


def test_an_exported_tree_without_git_is_what_the_volumes_are(without_git: Real, out: Path) -> None:
    exported(without_git, out, Form.TAGS)

    for kata in without_git.katas():
        assert looks(inside(out, kata)) == looks(without_git.volume(kata)), kata
