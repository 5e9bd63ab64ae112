"""What a program says of a fault at its end: one line, and an exit code."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator

import click

from katafs.cli import exit_codes
from katafs.cli.plain_text import in_a_line
from katafs.errors import KatafsError
from katafs.observe import logs


@contextlib.contextmanager
def told(program: str) -> Iterator[None]:
    """End the program, with SystemExit, where a fault of katafs's or of the system's comes out of the block."""
    try:
        yield
    except KatafsError as fault:
        _say(_line(program, str(fault)))
        sys.exit(exit_codes.of_fault(fault))
    except BrokenPipeError:
        raise  # click's: who reads has read enough
    except OSError as refused:
        named = f"{os.fsdecode(refused.filename)}: " if isinstance(refused.filename, str | bytes) else ""
        _say(_line(program, f"{named}{refused.strerror or refused}"))
        _give_up_output()
        sys.exit(exit_codes.ExitCode.FAILED)


def tell_usage(wrong: click.ClickException) -> None:
    """What click says of wrong usage."""
    text = io.StringIO()
    wrong.show(text)
    _say(text.getvalue().rstrip("\n"))


def complain(problem: str) -> None:
    """What is wrong with one thing of several: a line on stderr, after which the command goes on."""
    click.echo(_line("katafs", problem), err=True)


def _line(program: str, problem: str) -> str:
    return f"{program}: {in_a_line(problem)}"


def _say(text: str) -> None:
    click.echo(logs.for_stderr(text, logging.ERROR), err=True)


def _give_up_output() -> None:
    """What couldn't be written isn't tried once more at the end, where Python would say so in its own words."""
    if sys.stdout is None:  # it was closed when the program began
        return
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
