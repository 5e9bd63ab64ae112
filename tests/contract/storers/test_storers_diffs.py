"""Both storers say the same of two tags: git finds one's differences, and the other's are found without it."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from katafs.storers.diff import FileDiff, Status
from katafs.storers.git import GitStorer
from katafs.storers.line_diff import Change
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Delta, Storer
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import KATA, NOW

TEXT = "".join(f"line {number}\n" for number in range(20))
NEAR = TEXT.replace("line 7\n", "line seven\n")
WHITE = " \t\r\n"


class Both:
    """The two storers, which get the same calls."""

    def __init__(self, directory: Path) -> None:
        self._stores = [DirectoryStore(directory / kind, create_missing=True) for kind in ("git", "plain")]
        self.git, self.plain = GitStorer(self._stores[0]), PlainStorer(self._stores[1])
        self._files: dict[str, str] = {}

    def start(self, files: dict[str, str]) -> None:
        """Make the kata, and an avatar in it."""
        self._files = files
        for storer in (self.git, self.plain):
            storer.create_kata({"id": KATA, "visible_files": files})
            storer.start_avatar(KATA, ["lion"])

    def run(self, files: dict[str, str], output: str = "") -> None:
        """Make these the files, and run the tests."""
        old, self._files = self._files, files
        deleted = sorted(old.keys() - files.keys() - {"output"})
        changed = [name for name in files if name in old and files[name] != old[name]]
        delta = Delta(deleted, [name for name in files if name not in old], changed)
        for storer in (self.git, self.plain):
            storer.sandbox_save(KATA, "lion", delta, files)
            storer.avatar_ran_tests(KATA, "lion", files, NOW, output, "red")

    def diffs(self, old: int, new: int) -> list[list[FileDiff]]:
        """What git says, and what is said without it."""
        storers: list[Storer] = [self.git, self.plain]
        return [storer.tag_diff(KATA, "lion", old, new) for storer in storers]

    def close(self) -> None:
        """Close the stores."""
        for store in self._stores:
            store.close()


@pytest.fixture
def both(disk: Path) -> Iterator[Both]:
    """Two storers with nothing stored."""
    both = Both(disk)
    yield both
    both.close()


CASES = [
    pytest.param({}, {"a": TEXT}, [(None, "a", Status.ADDED)], id="added"),
    pytest.param({"a": TEXT}, {}, [("a", None, Status.DELETED)], id="deleted"),
    pytest.param({"a": TEXT}, {"a": NEAR}, [("a", "a", Status.CHANGED)], id="changed"),
    pytest.param({"a": TEXT}, {"a": TEXT}, [], id="the same"),
    pytest.param({}, {"a": ""}, [("output", "a", Status.COPIED)], id="an empty file is a copy of the empty output"),
    pytest.param({"a": "x\n"}, {"a": "x  \t\r\n"}, [], id="white space at a line's end"),
    pytest.param({"a": "x\ny\n"}, {"a": "x\ny"}, [], id="the last newline"),
    pytest.param({"a": "x y\n"}, {"a": "x  y\n"}, [("a", "a", Status.CHANGED)], id="white space within a line"),
    pytest.param({"a": "x\n"}, {"a": "x\n\n"}, [("a", "a", Status.CHANGED)], id="an empty line more"),
    pytest.param({"a": TEXT}, {"b": TEXT}, [("a", "b", Status.RENAMED)], id="renamed"),
    pytest.param({"a": TEXT}, {"b": NEAR}, [("a", "b", Status.RENAMED)], id="renamed and changed"),
    pytest.param({"a": TEXT}, {"a": TEXT, "b": TEXT}, [("a", "b", Status.COPIED)], id="copied"),
    pytest.param({"a": TEXT}, {"a": TEXT, "b": NEAR}, [("a", "b", Status.COPIED)], id="copied and changed"),
    pytest.param(
        {"a": TEXT}, {"b": TEXT, "c": TEXT}, [("a", "b", Status.COPIED), ("a", "c", Status.RENAMED)], id="to two names"
    ),
    pytest.param(
        {"a": TEXT, "b": NEAR},
        {"c": TEXT, "d": NEAR},
        [("a", "c", Status.RENAMED), ("b", "d", Status.RENAMED)],
        id="two at once",
    ),
    pytest.param(
        {"a": TEXT},
        {"b": "other\n" * 20},
        [("a", None, Status.DELETED), (None, "b", Status.ADDED)],
        id="one goes, and another comes",
    ),
    pytest.param({"a b": "x\n"}, {"a b": "y\n"}, [("a b", "a b", Status.CHANGED)], id="a name with a space"),
    pytest.param({'é"\n\t': "x\n"}, {'é"\n\t': "y\n"}, [('é"\n\t',) * 2 + (Status.CHANGED,)], id="a name to quote"),
    pytest.param({"a b": TEXT}, {'c"d': TEXT}, [("a b", 'c"d', Status.RENAMED)], id="a name to quote, renamed"),
    pytest.param({"a": "x\0\n"}, {"a": "y\0\n"}, [("a", "a", Status.CHANGED)], id="no text"),
    pytest.param({"a": "-- x\n"}, {"a": "++ y\n"}, [("a", "a", Status.CHANGED)], id="lines that look like a patch"),
    pytest.param(
        {"a": "diff --git a/x b/x\n@@ -1 +1 @@\n"},
        {"a": "diff --git a/y b/y\n@@ -1 +1 @@\n"},
        [("a", "a", Status.CHANGED)],
        id="lines that look like a header",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_both_find_the_files_that_differ(
    both: Both, old: dict[str, str], new: dict[str, str], expected: list[tuple[str | None, str | None, Status]]
) -> None:
    both.start({**old, "output": ""})
    both.run(new)
    found = [[(diff.old_name, diff.new_name, diff.status) for diff in diffs] for diffs in both.diffs(0, 1)]
    assert found == [expected, expected]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
@pytest.mark.usefixtures("expected")
def test_both_find_the_same_lines(both: Both, old: dict[str, str], new: dict[str, str]) -> None:
    both.start({**old, "output": ""})
    both.run(new)
    git, plain = both.diffs(0, 1)
    assert git == plain


@pytest.fixture
def expected() -> None:
    """Not looked at by the test that compares the two."""


def test_lines_are_deleted_before_others_come(both: Both) -> None:
    both.start({"a": "one\ntwo\nthree\n", "output": ""})
    both.run({"a": "one\n2\nthree \n"})
    (diff,) = both.diffs(0, 1)[1]
    assert [(line.change, line.text) for line in diff.lines] == [
        (Change.SAME, "one"),
        (Change.DELETED, "two"),
        (Change.ADDED, "2"),
        (Change.SAME, "three "),
    ]


def test_a_diff_backwards_swaps_added_and_deleted(both: Both) -> None:
    both.start({"a": TEXT, "output": ""})
    both.run({"a": TEXT, "b": "other\n"})
    assert [[(diff.old_name, diff.status) for diff in diffs] for diffs in both.diffs(1, 0)] == [
        [("b", Status.DELETED)]
    ] * 2


def test_both_see_a_file_again_that_a_test_run_removed(both: Both, disk: Path) -> None:
    both.start({"a": "one\n", "output": ""})
    for kind in ("git", "plain"):
        (disk / kind / KATA / "lion/sandbox/a").unlink()
    both.run({"a": "one\n"}, output="removed")
    both.run({"a": "two\n"}, output="removed")
    both.run({"a": "three\n"}, output="removed")
    git, plain = both.diffs(2, 3)
    assert [(diff.new_name, diff.status) for diff in git] == [("a", Status.CHANGED)]
    assert git == plain


def test_a_saved_file_that_is_not_visible_is_known_to_git_alone(both: Both) -> None:
    both.start({"a": TEXT, "output": ""})
    for storer in (both.git, both.plain):
        storer.sandbox_save(KATA, "lion", Delta(new=["hidden"]), {"hidden": "more\n"})
    both.run({"a": TEXT})
    assert [[diff.new_name for diff in diffs] for diffs in both.diffs(0, 1)] == [["hidden"], []]


def test_both_take_a_file_that_is_new_and_deleted_for_deleted(both: Both, disk: Path) -> None:
    both.start({"output": ""})
    for storer in (both.git, both.plain):
        storer.sandbox_save(KATA, "lion", Delta(["a"], ["a"]), {"a": ""})
    assert list(disk.glob("*/*/lion/sandbox/a")) == []


@pytest.mark.parametrize("seed", range(4))
def test_both_agree_on_edits_made_at_random(both: Both, seed: int) -> None:
    editor = Editor(random.Random(seed))
    files = editor.some_files()
    both.start({**files, "output": ""})
    for _ in range(12):
        files = editor.edited(files)
        both.run(files, output=editor.text())
    for new in range(1, 13):
        git, plain = both.diffs(new - 1, new)
        assert [meaning(diff) for diff in plain] == [meaning(diff) for diff in git]
        assert changed_lines(plain) <= changed_lines(git)


class Editor:
    """Edits files at random, as a seed decides."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def some_files(self) -> dict[str, str]:
        """The files at the start."""
        return {f"f{number}": self.text() for number in range(5)}

    def text(self) -> str:
        """Lines with much white space at their ends. Each has its newline: git before 2.44 measures others wrongly."""
        words = ["a", "b", "}", "{", "", "  x", "return 1", "é"]
        lines = [self._chance.choice(words) + self._chance.choice(["", "", " ", "\t"]) for _ in range(self._below(30))]
        return "".join(f"{line}\n" for line in lines)

    def edited(self, files: dict[str, str]) -> dict[str, str]:
        """The files after a while: some changed, some renamed, some copied, some gone."""
        after: dict[str, str] = {}
        for name, text in files.items():
            what = self._chance.random()
            if what < 0.4:
                after[name] = self._changed(text)
            elif what < 0.6:
                after[f"g{self._below(30)}"] = self._changed(text)
            elif what < 0.7:
                after |= {name: text, f"h{self._below(9)}": self._changed(text)}
            elif what < 0.9:
                after[name] = text
        return after

    def _changed(self, text: str) -> str:
        lines = text.splitlines(keepends=True)
        for _ in range(self._below(4)):
            lines.insert(self._below(len(lines) + 1), self._chance.choice(["new\n", "a\n", "}\n"]))
            lines.pop(self._below(len(lines)))
        return "".join(lines)

    def _below(self, number: int) -> int:
        return self._chance.randrange(number)


def meaning(diff: FileDiff) -> tuple[object, ...]:
    """What a difference says, whichever of several equal lines it takes for the new one."""
    new = [line.text for line in diff.lines if line.change is not Change.DELETED]
    old = [line.text.rstrip(WHITE) for line in diff.lines if line.change is not Change.ADDED]
    return diff.old_name, diff.new_name, diff.status, diff.binary, new, old


def changed_lines(diffs: Sequence[FileDiff]) -> int:
    """How many lines were added or deleted."""
    return sum(line.change is not Change.SAME for diff in diffs for line in diff.lines)
