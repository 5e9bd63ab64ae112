"""Manual pages, made of what click's `--help` is made of: there is no other text to keep in step.

man(7) is the language. A paragraph that click keeps as it is (it begins with \\b) and whose first line is `Title:`
becomes a section of its own. Writes no files.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator

import click

from katafs import __version__

_COLUMNS = 78
"""The longest line that mandoc(1) thinks good style, less what guards it."""
_KEPT = "\b"
_STANDARD_TITLES = {"EXIT CODES": "EXIT STATUS", "EXAMPLE": "EXAMPLES"}
"""As man-pages(7) has them."""


def page(context: click.Context, section: int, date: str) -> str:
    """The page of one command; `date` as it is to be shown, such as 2026-11-23."""
    command = context.command
    name = page_name(context)
    lines = [
        f'.TH {name.upper()} {section} {date} "katafs {__version__}" "katafs\'s manual"',
        ".SH NAME",
        _text(f"{name} - {_summary(command)}"),
        *_synopsis(context),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
        *_options(context),
        *_commands(context),
        *_paragraphs(command.epilog or ""),
        *_see_also(context),
    ]
    return "\n".join(lines) + "\n"


def page_name(context: click.Context) -> str:
    """As git does it: the page of `katafs mount` is katafs-mount."""
    return context.command_path.replace(" ", "-")


def shown_commands(context: click.Context) -> Iterator[click.Context]:
    """The contexts of a group's commands, those that are hidden excepted."""
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None and not command.hidden:
                yield click.Context(command, info_name=name, parent=context)


def all_commands(context: click.Context) -> Iterator[click.Context]:
    """The same, and the commands of those that are groups."""
    for each in shown_commands(context):
        yield each
        yield from all_commands(each)


def _summary(command: click.Command) -> str:
    """The first sentence without its full stop."""
    first = (command.help or "").partition("\n\n")[0]
    return " ".join(re.split(r"(?<=\w)\.(?:\s|$)|[;:]\s", first)[0].split())


def _synopsis(context: click.Context) -> Iterator[str]:
    pieces = context.command.collect_usage_pieces(context)
    yield ".SH SYNOPSIS"
    yield " ".join([rf"\fB{_literal(context.command_path)}\fR", *map(_literal, pieces)])


def _options(context: click.Context) -> Iterator[str]:
    options = (each for each in context.command.get_params(context) if isinstance(each, click.Option))
    records = [record for each in options if (record := each.get_help_record(context))]
    if records:
        yield ".SH OPTIONS"
    for names, help_text in records:
        yield ".TP"
        yield re.sub(r"(?<![\w\]])(?:\\-){1,2}\w(?:\w|\\-)*", r"\\fB\g<0>\\fR", _literal(names))
        yield _text(help_text)


def _commands(context: click.Context) -> Iterator[str]:
    commands = list(shown_commands(context))
    if commands:
        yield ".SH COMMANDS"
    for command in commands:
        yield ".TP"
        yield rf"\fB{_literal(page_name(command))}\fR(1)"
        yield _text(command.command.get_short_help_str(limit=1000))


def _see_also(context: click.Context) -> Iterator[str]:
    if context.parent is not None:
        yield ".SH SEE ALSO"
        yield rf"\fB{_literal(page_name(context.parent))}\fR(1)"


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        kept = paragraph.startswith(_KEPT)
        lines = paragraph.partition(_KEPT)[2].strip("\n").split("\n") if kept else []
        if kept and lines[0].endswith(":"):
            yield f".SH {_title(lines.pop(0))}"
        elif number:
            yield ".PP"
        if kept:
            yield from (".nf", *map(_literal, lines), ".fi")
        elif paragraph:
            yield _text(paragraph)


def _title(line: str) -> str:
    title = line.rstrip(":").upper()
    return _STANDARD_TITLES.get(title, title)


def _text(text: str) -> str:
    """Text that may be broken anywhere between words. What looks like an option keeps its hyphens."""
    words = (_literal(word) if re.match(r"\W*-", word) else _escaped(word) for word in text.split())
    lines = textwrap.wrap(" ".join(words), _COLUMNS, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(_guarded, lines))


def _literal(text: str) -> str:
    """What people type: a hyphen there is a minus for roff, so that it can be copied from the page."""
    return _guarded(_escaped(text).replace("-", r"\-"))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e")


def _guarded(line: str) -> str:
    """A line that isn't taken for a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
