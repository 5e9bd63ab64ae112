"""What the README and the decision notes name must exist."""

import re
import sys
from pathlib import Path

import pytest

from katafs.cli import exit_codes
from katafs.settings.settings import KNOWN
from tests.harness.pages import Page
from tests.harness.programs import run

_PROJECT = Path(__file__).parents[2]
_PAGES = [*_PROJECT.glob("*.md"), *_PROJECT.glob("docs/**/*.md")]


def _pages() -> list[object]:
    return [pytest.param(page, id=str(page.relative_to(_PROJECT))) for page in sorted(_PAGES)]


@pytest.mark.parametrize("page", _pages())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    inside = [link for link in links if "://" not in link]

    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", _pages())
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"(?<![\w/.])(?:scripts|tests|docs|systemd|benchmarks)/[\w./-]*\w", page.read_text())

    assert [name for name in named if not (_PROJECT / name).exists()] == []


@pytest.mark.parametrize("page", _pages())
def test_every_command_is_run_by_a_test(page: Path) -> None:
    asked_for = [
        having
        for test in (_PROJECT / "tests").rglob("*.py")
        for having in re.findall(r"\.commands\(\s*[\"']([^\"']+)[\"']", test.read_text())
    ]

    assert [block for block in Page(page).blocks_of("sh") if not any(having in block for having in asked_for)] == []


def test_every_decision_is_in_the_index() -> None:
    index = (_PROJECT / "docs/decisions/README.md").read_text()
    notes = sorted(note.name for note in (_PROJECT / "docs/decisions").glob("[0-9]*.md"))

    assert [note for note in notes if f"({note})" not in index] == []


def test_changes_are_told_from_the_users_side() -> None:
    lines = [line for line in (_PROJECT / "CHANGELOG.md").read_text().splitlines() if line.startswith("- ")]

    assert lines
    assert [line for line in lines if not line.startswith("- katafs now ")] == []


def test_the_readme_has_the_exit_codes_of_the_help() -> None:
    in_help = re.findall(r"^ +(\d)  (.+)$", exit_codes.TABLE, re.MULTILINE)
    in_readme = re.findall(r"^\| (\d) \| (.+) \|$", (_PROJECT / "README.md").read_text(), re.MULTILINE)

    assert in_readme == in_help


def test_the_readme_python_runs_as_it_stands(disk: Path) -> None:
    (example,) = Page(_PROJECT / "README.md").blocks_of("python")
    assert "/srv/katas" in example

    run([sys.executable, "-c", example.replace("/srv/katas", f"{disk}/katas")])

    assert (disk / "katas/123456789A/lion/tags/1.json").exists()


@pytest.mark.parametrize("name", ["timeout", "negative_timeout", "inodes", "open_directories"])
def test_the_readme_has_the_defaults_of_options(name: str) -> None:
    said = re.search(rf"^\| `{name}=\w+` \|.*?([\d.]+) by default", (_PROJECT / "README.md").read_text(), re.MULTILINE)

    assert said
    assert float(said[1]) == KNOWN[name].default
