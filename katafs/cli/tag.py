"""`katafs tag`."""

from collections.abc import Iterable

import click

from katafs.cli import exit_codes, katas
from katafs.cli.patch_text import patch_lines
from katafs.cli.plain_text import echoed
from katafs.errors import KatafsError
from katafs.kata_id import AvatarName, KataId
from katafs.storers.reading import Reader

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_NUMBER = click.IntRange(min=0)

_EXAMPLES = """\b
Examples:
  katafs tag 123456789A lion 3
  katafs tag 123456789A lion 3 --file hiker.c
  katafs tag 123456789A lion 3 --output --mount /katas
  katafs tag 123456789A lion 2 --diff 3"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("kata", metavar="ID", type=katas.kata)
@click.argument("avatar", metavar="AVATAR", type=katas.avatar)
@click.argument("number", metavar="N", type=_NUMBER)
@click.option("--file", "name", metavar="NAME", help="Print this one of the tag's visible files.")
@click.option("--output", is_flag=True, help="Print what the test run printed.")
@click.option("--diff", "other", metavar="N", type=_NUMBER, help="Print what changed from this tag to tag N.")
@katas.source_options
def tag(
    kata: KataId,
    avatar: AvatarName,
    number: int,
    name: str | None,
    output: bool,
    other: int | None,
    mount: str | None,
    volumes: str | None,
    prefix: str,
) -> None:
    """Print tag N of an avatar as one JSON object: number, colour, time, visible_files and output; or a part of it.

    Tag 0 is the start, and each test run is a tag."""
    if (name is not None) + output + (other is not None) > 1:
        raise click.UsageError("--file, --output and --diff: only one of them")
    with katas.opened(mount, volumes, prefix) as reader:
        if other is not None:
            _print_patch(patch_lines(reader.tag_diff(kata, avatar, number, other)))
        elif name is not None or output:
            click.echo(echoed(_part(reader, kata, avatar, number, "output" if name is None else name)), nl=False)
        else:
            content = reader.tag_json(kata, avatar, number)
            click.echo(echoed(content.decode(errors="surrogateescape")), nl=False)


def _part(reader: Reader, kata: KataId, avatar: AvatarName, number: int, name: str) -> str:
    shown = reader.visible_files(kata, avatar, number)
    if name not in shown:
        raise KatafsError(f"tag {number} of avatar {avatar} of kata {kata} has no {name}")
    return shown[name]


def _print_patch(lines: Iterable[str]) -> None:
    for line in lines:
        text = echoed(line).decode(errors="surrogateescape")
        click.secho(text, fg=_STYLES.get(text[:1]))
