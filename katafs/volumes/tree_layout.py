"""Which layout a mounted tree of katas has: read from the tree, since nobody has to know how it was mounted."""

import os
from pathlib import Path

from katafs.errors import StoreUnreachable
from katafs.kata_id import inner_of, is_inner, is_outer, kata_id, outer_of
from katafs.namespace import Layout


def layout_of(path: Path) -> Layout:
    """The layout of the tree at `path`: flat where a kata is listed, else split where an outer directory is.

    Where both have katas, one of them is a stray directory that is named like a kata: a flat mount is told by the
    links that it has in the split one's places. A tree without katas has either. Raises StoreUnreachable for what
    can't be listed, and for an empty directory that nothing is mounted on: it would be taken for a tree without katas
    while its daemon is down."""
    has_kata, outers = False, []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                kata = kata_id(entry.name)
                if kata and entry.is_dir(follow_symlinks=False):
                    if os.path.islink(path / outer_of(kata) / inner_of(kata)):
                        return Layout.FLAT
                    has_kata = True
                if is_outer(entry.name) and entry.is_dir(follow_symlinks=False):
                    outers.append(path / entry.name)
        if not (has_kata or outers or os.path.ismount(path)):
            raise StoreUnreachable(f"{path} has no katas, and nothing is mounted on it")
        is_split = any(map(_lists_kata, outers)) if has_kata else bool(outers)
    except OSError as problem:
        raise StoreUnreachable(f"the tree of katas {path} can't be listed: {problem.strerror}") from problem
    return Layout.SPLIT if is_split else Layout.FLAT


def _lists_kata(outer: Path) -> bool:
    with os.scandir(outer) as entries:
        return any(is_inner(entry.name) and entry.is_dir(follow_symlinks=False) for entry in entries)
