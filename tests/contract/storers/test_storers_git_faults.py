"""A run that was broken off with git: its tag makes it exist, and what else a kill left is no hindrance."""

import os
import shutil
from pathlib import Path

import pytest

from katafs import errors
from katafs.rooted import files
from katafs.storers import git_avatar
from katafs.storers.storer import Delta, Storer
from tests.contract.storers.cells import FILES, KATA, NOW
from tests.harness.programs import run
from tests.harness.wall_clock import HOUR_S, WallClock


def without_tag(disk: Path, number: int) -> None:
    """Leave of a test run what a kill before `git tag` leaves."""
    run(["git", "-c", "safe.directory=*", "tag", "--delete", str(number)], cwd=disk / KATA / "lion")


def test_a_commit_without_a_tag_is_no_tag(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    assert [tag["number"] for tag in git.tags(KATA, "lion")] == [0, 1]


def test_a_commit_without_a_tag_is_no_increment(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    assert [light["number"] for light in git.avatar_increments(KATA, "lion")] == [1]


def test_the_number_of_a_commit_without_a_tag_is_taken_by_the_next_run(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "third", "green")
    assert git.tag(KATA, "lion", 2)["output"] == "third"


def test_the_run_of_a_commit_without_a_tag_can_be_stored_again(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    without_tag(disk, 2)
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    assert git.tag(KATA, "lion", 2)["output"] == "second"


def test_a_tag_of_a_run_that_was_interrupted_is_undone(
    git: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would be in the way of every later run."""
    created = files.create

    def interrupted(directory: int, name: bytes, content: bytes) -> None:
        created(directory, name, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "create", interrupted)
    with pytest.raises(KeyboardInterrupt):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    monkeypatch.undo()

    assert [tag["number"] for tag in git.tags(KATA, "lion")] == [0, 1]
    lights = git.avatar_ran_tests(KATA, "lion", FILES, NOW, "again", "green")
    assert [light["number"] for light in lights] == [1, 2]


def test_a_tag_that_was_there_before_a_run_that_failed_stays(git: Storer, disk: Path) -> None:
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    (disk / KATA / "lion/increments.json").write_text("[]")

    with pytest.raises(errors.CorruptKata, match="already exists"):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "third", "red")

    assert [tag["output"] for tag in git.tags(KATA, "lion")][1:] == ["first", "second"]


def test_a_lock_that_a_killed_git_left_is_said_in_one_line(git: Storer, disk: Path) -> None:
    (disk / KATA / "lion/.git/index.lock").touch()
    with pytest.raises(errors.GitFailed, match=r"git update-index ended with 128: .*index\.lock.*[^']$"):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")


def test_a_run_that_can_not_be_undone_either_says_what_failed_first(
    git: Storer, disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (disk / KATA / "lion/.git/refs/heads/master.lock").touch()
    with pytest.raises(errors.GitFailed, match=r"git update-ref ended with 128"):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    (logged,) = caplog.records
    assert (logged.getMessage(), "git update-ref ended with" in vars(logged)["error"]) == (
        "a test run is not undone",
        True,
    )


@pytest.mark.parametrize("lock", ["index.lock", "HEAD.lock", "refs/heads/master.lock", "refs/tags/2.lock"])
def test_a_lock_that_a_killed_git_left_long_ago_is_removed(git: Storer, disk: Path, lock: str) -> None:
    path = disk / KATA / "lion/.git" / lock
    path.touch()
    os.utime(path, (1, 1))
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert git.tag(KATA, "lion", 2)["output"] == "second"
    assert not path.exists()


def test_a_lock_that_a_killed_git_left_before_the_clock_was_set_back_is_removed(
    git: Storer, disk: Path, wall_clock: WallClock
) -> None:
    (disk / KATA / "lion/.git/index.lock").touch()
    wall_clock.jump(-HOUR_S)
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert git.tag(KATA, "lion", 2)["output"] == "second"


def test_a_run_is_stored_where_a_copy_lacks_the_empty_directories(git: Storer, disk: Path) -> None:
    """As after `git gc` and a copy of files alone."""
    repository = disk / KATA / "lion/.git"
    run(["git", "-c", "safe.directory=*", "gc", "--quiet", "--prune=now"], cwd=repository)
    shutil.rmtree(repository / "refs/tags")
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert [tag["output"] for tag in git.tags(KATA, "lion")] == ["", "first", "second"]


def test_a_content_that_a_power_cut_has_emptied_is_stored_again(git: Storer, disk: Path) -> None:
    repository = disk / KATA / "lion/.git"
    git.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), {"hiker.py": "first\n"})
    stored = max((repository / "objects").glob("??/*"), key=lambda path: path.stat().st_ctime_ns)
    stored.write_bytes(b"")
    git.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), {"hiker.py": "first\n"})

    assert run(["git", "-c", "safe.directory=*", "show", ":sandbox/hiker.py"], cwd=repository).stdout == "first\n"


def test_a_run_writes_a_manifest_that_was_lost(git: Storer, disk: Path) -> None:
    (disk / KATA / "lion/manifest.json").unlink()
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert git.avatar_visible_files(KATA, "lion")["hiker.py"] == "changed\n"


def test_an_avatar_without_its_sandbox_is_said_to_be(git: Storer, disk: Path) -> None:
    shutil.rmtree(disk / KATA / "lion/sandbox")
    with pytest.raises(errors.CorruptKata, match=r"avatar lion of kata .* has no sandbox"):
        git.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), {"hiker.py": "x"})


def test_what_the_environment_says_of_git_is_nothing_to_it(
    git: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_caller = {
        "GIT_COMMON_DIR": "/nonexistent",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_GLOB_PATHSPECS": "1",
        "GIT_ICASE_PATHSPECS": "1",
    }
    for name, value in of_the_caller.items():
        monkeypatch.setenv(name, value)
    git.start_avatar(KATA, ["tiger"])
    monkeypatch.undo()

    (head,) = run(["git", "-c", "safe.directory=*", "rev-parse", "HEAD"], cwd=disk / KATA / "tiger").stdout.split()
    assert len(head) == 40


def test_a_run_that_git_refused_leaves_the_files_of_the_one_before(git: Storer, disk: Path) -> None:
    before = (disk / KATA / "lion/manifest.json").read_bytes()
    (disk / KATA / "lion/.git/index.lock").touch()
    with pytest.raises(errors.GitFailed):
        git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")
    assert (disk / KATA / "lion/manifest.json").read_bytes() == before


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_git_directory_that_leads_elsewhere_is_refused(git: Storer, disk: Path, kind: str) -> None:
    repository = disk / KATA / "lion/.git"
    repository.rename(disk / "elsewhere")
    if kind == "file":
        repository.write_text(f"gitdir: {disk}/elsewhere\n")
    else:
        repository.symlink_to(disk / "elsewhere")
    with pytest.raises(errors.CorruptKata, match="not a directory"):
        git.tags(KATA, "lion")


@pytest.fixture
def crowded(git: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that the next run asks git to pack, and that has so many packs that git does it."""
    repository = disk / KATA / "lion/.git"
    words = ["git", "-c", "safe.directory=*"]
    for name in ("HEAD", "HEAD^{tree}"):
        run([*words, "pack-objects", "-q", "objects/pack/pack"], cwd=repository, stdin=_sha(repository, name))
    run([*words, "config", "gc.autoPackLimit", "1"], cwd=repository)
    monkeypatch.setattr(git_avatar, "_RUNS_A_GC", 2)
    assert len(_packs(repository)) == 2
    return repository


def _sha(repository: Path, name: str) -> str:
    return run(["git", "-c", "safe.directory=*", "rev-parse", name], cwd=repository).stdout


def _packs(repository: Path) -> list[Path]:
    return list(repository.glob("objects/pack/*.pack"))


@pytest.mark.parametrize(
    "left",
    ["objects/info/commit-graph.lock", "logs/HEAD.lock", "logs/refs/heads/master.lock", "packed-refs.new"],
)
def test_a_repository_is_packed_where_a_packing_was_killed_long_ago(git: Storer, crowded: Path, left: str) -> None:
    path = crowded / left
    path.touch()
    os.utime(path, (1, 1))
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert (len(_packs(crowded)), path.exists()) == (1, False)


def test_an_old_branch_stays_whatever_its_name_ends_with(git: Storer, disk: Path) -> None:
    repository = disk / KATA / "lion/.git"
    branch = repository / "refs/heads/packed-refs.new"
    branch.write_text(_sha(repository, "HEAD"))
    os.utime(branch, (1, 1))
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert branch.exists()


def test_a_run_is_stored_where_the_repository_can_not_be_packed(
    git: Storer, crowded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else none could be stored ever again: the next one has the same number, and asks for the same."""
    lost = _sha(crowded, "0:manifest.json").strip()
    (crowded / "objects" / lost[:2] / lost[2:]).unlink()
    git.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red")

    assert git.tag(KATA, "lion", 2)["output"] == "second"
    (logged,) = caplog.records
    assert (logged.getMessage(), "git gc ended with" in vars(logged)["error"]) == ("a repository is not packed", True)
