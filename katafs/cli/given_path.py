"""The paths that commands take as they are given."""

import os
from typing import Any

import click


class GivenPath(click.Path):
    """A path. Not an empty one, as of a shell's variable that isn't set: that would be the directory in which the
    command runs, and all that is in it an old disk.

    What is there isn't looked at, as click would: the disk may hang, and whoever opens it says what is wrong. Whether
    it is a directory counts for a shell's completion alone."""

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401  as click has it: a str, or what `path_type` says
        """As click asks for it."""
        if not os.fspath(value):
            self.fail("'' is no path", param, ctx)
        return self.coerce_path_result(value)
