"""The manual pages: nothing wrong with them, and nothing of `--help` missing."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from katafs.cli import manual
from katafs.cli.main import katafs
from tests.harness import needs
from tests.harness.fstab import HELPER
from tests.harness.mounted import PROGRAM
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run

COMMANDS = ["", *(name for name, command in sorted(katafs.commands.items()) if not command.hidden), "config show"]
README = Path(__file__).parents[2] / "README.md"
DAY = {"SOURCE_DATE_EPOCH": "1700000000"}


@pytest.fixture(scope="module")
def documented() -> Iterator[Path]:
    """Where the README's command wrote, in the place of /usr/local/share."""
    (command,) = re.findall(r"^katafs (\w+) /usr/local/share$", README.read_text(), re.MULTILINE)
    path = fresh_directory()
    run([*PROGRAM, command, path / "share"], env=DAY)
    yield path / "share"
    remove_directory(path)


def pages(documented: Path) -> list[Path]:
    return sorted(documented.glob("man/man*/*"))


def page_of(command: str) -> str:
    """The file of a command's page."""
    return f"{'-'.join(['katafs', *command.split()])}.1"


def words_of(page: Path) -> str:
    """What a reader sees, in one line with single blanks."""
    shown = run(["man", "--local-file", page], env={"MANWIDTH": "1000", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}).stdout
    return " ".join(shown.split())


def test_every_command_that_is_shown_has_a_page(documented: Path) -> None:
    wanted = {page_of(command) for command in COMMANDS} | {"mount.fuse.katafs.8"}

    assert {page.name for page in pages(documented)} == wanted


def test_man_finds_nothing_wrong(documented: Path) -> None:
    needs.programs("man")
    for page in pages(documented):
        done = run(["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "--local-file", page])
        assert done.stderr == "", page.name


def test_mandoc_finds_nothing_wrong(documented: Path) -> None:
    needs.programs("mandoc")

    assert run(["mandoc", "-T", "lint", *pages(documented)], status=None).stdout == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_help_is_in_the_page_with_its_text(command: str, documented: Path) -> None:
    needs.programs("man")
    shown = words_of(documented / "man/man1" / page_of(command))

    assert missing(run([*PROGRAM, *command.split(), "--help"], env={"COLUMNS": "1000"}).stdout, shown) == []


def test_every_command_is_in_the_programs_page_with_its_summary(documented: Path) -> None:
    needs.programs("man")
    shown = words_of(documented / "man/man1/katafs.1")

    summaries = {
        name: katafs.commands[name].get_short_help_str(limit=1000) for name in katafs.commands if name in COMMANDS
    }
    assert [name for name, text in summaries.items() if f"katafs-{name}(1) {text}" not in shown] == []


def test_so_it_is_in_the_helpers_page(documented: Path) -> None:
    needs.programs("man")
    shown = words_of(documented / "man/man8/mount.fuse.katafs.8")

    assert missing(run([HELPER, "--help"]).stdout, shown) == []


def missing(help_text: str, shown: str) -> list[str]:
    """The options, examples, exit codes and sentences of a help text that the page lacks."""
    body = help_text.partition("\n")[2]  # the page's synopsis is in another form
    body = re.sub(r"(?m)^Commands:\n(  .*\n)+", "", body)  # there click cuts their summaries short
    lines = [" ".join(line.split()) for line in body.splitlines()]
    headings = ("Options:", "Commands:", "Examples:", "Example:", "Exit codes:")
    assert any(line.startswith("-") for line in lines)
    return [line for line in lines if line not in headings and not all(word in shown for word in pieces(line))]


def pieces(line: str) -> list[str]:
    """A help's line in pieces that may stand apart in a page: the option, and a few words at a time."""
    return re.findall(r"\S+(?: \S+)?", line)


def test_man_finds_the_pages(documented: Path) -> None:
    needs.programs("man")

    found = run(
        ["man", "--where", "katafs-mount", "mount.fuse.katafs"], env={"MANPATH": str(documented / "man")}
    ).stdout

    assert found.split() == [
        str(documented / "man/man1/katafs-mount.1"), str(documented / "man/man8/mount.fuse.katafs.8")
    ]  # fmt: skip


def test_the_day_is_the_sources(documented: Path) -> None:
    assert "2023-11-14" in (documented / "man/man1/katafs.1").read_text().splitlines()[0]


def test_text_is_never_a_request_of_roffs() -> None:
    command = click.Command("odd", help=".so /etc/passwd\n\n'br of \\fBit, and --an-option\n\n\b\nKept:\n.sp 5\n  a\\b")

    shown = manual.page(click.Context(command, info_name="odd"), 1, "2026-11-23").splitlines()

    assert [line for line in shown if "/etc" in line and not line.startswith("odd")] == [r"\&.so /etc/passwd"]
    assert r"\&'br of \efBit, and \-\-an\-option" in shown
    assert (r"\&.sp 5" in shown, r"  a\eb" in shown, ".SH KEPT" in shown) == (True, True, True)


def test_lines_that_are_kept_without_a_title_stay_in_their_section() -> None:
    command = click.Command("odd", help="First.\n\n    \b\n    one  1\n    two  2\n\n    Last.")

    shown = manual.page(click.Context(command, info_name="odd"), 1, "2026-11-23").splitlines()

    start = shown.index(".SH DESCRIPTION")
    wanted = ["First.", ".PP", ".nf", "one  1", "two  2", ".fi", ".PP", "Last."]
    assert shown[start + 1 : start + 9] == wanted
