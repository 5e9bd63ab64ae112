"""Which layout a mounted tree of katas has: read from the tree, since nobody has to know how it was mounted."""

import os
from pathlib import Path

from katafs.errors import StoreUnreachable
from katafs.kata_id import is_outer, kata_id
from katafs.namespace import Layout


def layout_of(path: Path) -> Layout:
    """The layout of the tree at `path`: flat where a kata is listed, else split where an outer directory is.

    A tree without katas has either. Raises StoreUnreachable for what can't be listed, and for an empty directory that
    nothing is mounted on: it would be taken for a tree without katas while its daemon is down."""
    layout = None
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if kata_id(entry.name) and entry.is_dir(follow_symlinks=False):
                    return Layout.FLAT
                if is_outer(entry.name) and entry.is_dir(follow_symlinks=False):
                    layout = Layout.SPLIT
        if layout is None and not os.path.ismount(path):
            raise StoreUnreachable(f"{path} has no katas, and nothing is mounted on it")
    except OSError as problem:
        raise StoreUnreachable(f"the tree of katas {path} can't be listed: {problem.strerror}") from problem
    return layout or Layout.FLAT
