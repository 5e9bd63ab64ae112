"""What a shell may complete an argument with; what can be told of commands and options click knows by itself."""

import click
from click.shell_completion import CompletionItem


def directories(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Directories, which the shell finds. Not by click's own type of them: that refuses with its own exit code."""
    return [CompletionItem(incomplete, type="dir")]
