"""`katafs document`: the manual pages and the shells' completion, as files. Hidden: it is for who installs katafs."""

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from katafs.cli import exit_codes, manual, mount_helper
from katafs.cli.given_path import GivenPath

_PROGRAM = "katafs"
_COMPLETE_VARIABLE = "_KATAFS_COMPLETE"
"""As click derives it from the program's name."""

_COMPLETIONS = {
    "bash": "bash-completion/completions/katafs",
    "zsh": "zsh/site-functions/_katafs",
    "fish": "fish/vendor_completions.d/katafs.fish",
}
"""Where each shell looks, below /usr/share and /usr/local/share."""


@click.command(hidden=True, epilog=f"\b\nExample:\n  katafs document /usr/local/share\n\n{exit_codes.TABLE}")
@click.argument("directory", metavar="DIRECTORY", type=GivenPath(file_okay=False, path_type=Path))
@click.pass_context
def document(context: click.Context, directory: Path) -> None:
    """Write the manual pages, and completion for bash, zsh and fish, to where they belong below DIRECTORY."""
    root = context.find_root().command
    for name, text in (*_pages(root), *_completions(root)):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _pages(root: click.Command) -> Iterator[tuple[str, str]]:
    top = click.Context(root, info_name=_PROGRAM, **root.context_settings)
    for each in (top, *manual.all_commands(top)):
        yield f"man/man1/{manual.page_name(each)}.1", manual.page(each, 1, _date())
    helper = click.Context(mount_helper.helper, info_name=mount_helper.NAME, **mount_helper.helper.context_settings)
    yield f"man/man8/{mount_helper.NAME}.8", manual.page(helper, 8, _date())


def _completions(root: click.Command) -> Iterator[tuple[str, str]]:
    for shell, path in _COMPLETIONS.items():
        completion = get_completion_class(shell)
        assert completion is not None  # click has all three
        yield path, completion(root, {}, _PROGRAM, _COMPLETE_VARIABLE).source()


def _date() -> str:
    """Today, or the day of https://reproducible-builds.org/docs/source-date-epoch/."""
    epoch_s = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch_s is None:
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    return datetime.datetime.fromtimestamp(int(epoch_s), datetime.UTC).date().isoformat()
