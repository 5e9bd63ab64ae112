"""What differs between two trees: all that a copy keeps, and nothing that it can't.

Compared are names, types, modes, owners, mtimes, sizes, contents, targets of links, device numbers, xattrs, and which
names within the tree are one file. Not compared are atimes, ctimes and inode numbers, and where a file's holes are.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import NamedTuple

from katafs.rooted import contents, inodes
from katafs.rooted.answer import answer
from katafs.rooted.walks import Entry, listing, meet, top_entry

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
_STATUS: tuple[tuple[str, Callable[[os.stat_result], str]], ...] = (
    ("uid", lambda status: str(status.st_uid)),
    ("gid", lambda status: str(status.st_gid)),
    ("mtime_ns", lambda status: str(status.st_mtime_ns)),
    ("mode", lambda status: f"{stat.S_IMODE(status.st_mode):04o}"),
)
_SHOWN_BYTES = 40
"""So much of an xattr's value or of a link's target stands in a line."""


def differences(left: int, right: int) -> Generator[str, None, None]:
    """A line for each difference between the trees below two descriptors, the top directories' own attributes included:
    `'lion/cyber-dojo.sh': mode 0755 != 0644`. What has a name on one side only is one line, whatever is in it.

    Works as far as it is asked, in the order of the names' bytes. Follows nothing; atimes stay, but for those of
    symbolic links. Raises OSError with the path below the top as its filename: EXDEV where something is mounted,
    EAGAIN for a file that somebody has under a lease, ENOENT for what was removed meanwhile, EMFILE below more
    directories than may be open at once."""
    links = _Links()
    top = _paired(top_entry(left), partial(top_entry, right))
    held = [(top, _below(top))]
    """The pairs of directories on the way down, each with what is still to come in it."""
    try:
        yield from _between(top, links)
        while held:
            found = next(held[-1][1], None)
            if found is None:
                held.pop()[0].close()
            elif isinstance(found, str):
                yield found
            elif found.left.is_directory and found.right.is_directory:
                held.append((found, _below(found)))
                yield from _between(found, links)
            else:
                yield from _closing(found, links)
    finally:
        for pair, _ in held:
            pair.close()


def entry_differences(left_dir: int, left_name: bytes, right_dir: int, right_name: bytes) -> Iterator[str]:
    """As `differences`, of two entries that aren't directories; other names of their files aren't looked for.

    Raises OSError(EISDIR) for a directory and OSError(ENOENT) for a name that stands for nothing."""
    above = _paired(top_entry(left_dir), partial(top_entry, right_dir))
    try:
        pair = _meet(above, left_name, right_name)
        if pair.left.is_directory or pair.right.is_directory:
            pair.close()
            raise answer(errno.EISDIR, left_name)
        yield from _closing(pair, None)
    finally:
        above.close()


class _Pair(NamedTuple):
    """The same place in both trees. Owns both descriptors."""

    left: Entry
    right: Entry

    def close(self) -> None:
        os.close(self.left.descriptor)
        os.close(self.right.descriptor)


class _Links:
    """Which names were one file so far: the same on both sides, or not."""

    def __init__(self) -> None:
        self._firsts: tuple[dict[tuple[int, int], bytes], ...] = ({}, {})
        """For each side the path of a file that was met first, by its inode; both trees are met in one order."""

    def first_names(self, pair: _Pair) -> tuple[bytes, bytes]:
        """The path on each side that the same file was met by first: the pair's own, where it is that."""
        left, right = (
            firsts.setdefault(entry.identity, entry.path) for firsts, entry in zip(self._firsts, pair, strict=True)
        )
        return left, right


def _meet(above: _Pair, left_name: bytes, right_name: bytes) -> _Pair:
    return _paired(meet(above.left, left_name), partial(meet, above.right, right_name))


def _paired(left: Entry, right: Callable[[], Entry]) -> _Pair:
    try:
        return _Pair(left, right())
    except BaseException:
        os.close(left.descriptor)
        raise


def _below(pair: _Pair) -> Iterator[_Pair | str]:
    """What two directories hold: a pair for a name that is in both, which whoever asked closes, else a line."""
    on_left, on_right = (set(listing(entry)) for entry in pair)
    for name in sorted(on_left | on_right):
        if name in on_left and name in on_right:
            yield _meet(pair, name, name)
        else:
            path = b"/".join([*pair.left.parts, name])
            yield f"{_shown(path)}: only on the {'left' if name in on_left else 'right'}"


def _closing(pair: _Pair, links: _Links | None) -> Iterator[str]:
    try:
        yield from _between(pair, links)
    finally:
        pair.close()


def _between(pair: _Pair, links: _Links | None) -> Iterator[str]:
    """The differences between two entries themselves, not between what is in them."""
    shown = _shown(pair.left.path)
    try:
        for what, ours, theirs in _found(pair, links):
            yield f"{shown}: {what} {ours} != {theirs}"
    except OSError as problem:
        raise pair.left.located(problem) from None


_Difference = tuple[str, str, str]
"""What differs, and what it is on the left and on the right."""


def _found(pair: _Pair, links: _Links | None) -> Iterator[_Difference]:
    left, right = pair.left.status, pair.right.status
    kind = stat.S_IFMT(left.st_mode)
    if kind != stat.S_IFMT(right.st_mode):
        yield "type", _TYPES[kind], _TYPES[stat.S_IFMT(right.st_mode)]
        return
    if links is not None and kind != stat.S_IFDIR and max(left.st_nlink, right.st_nlink) > 1:
        ours, theirs = links.first_names(pair)
        if ours != theirs:
            yield "file first met as", _shown(ours), _shown(theirs)
        elif ours != pair.left.path:
            return  # both are what was compared under that name
    for what, value in _STATUS:
        if value(left) != value(right):
            yield what, value(left), value(right)
    if kind == stat.S_IFREG:
        yield from _in_contents(pair)
    elif kind == stat.S_IFLNK:
        yield from _values("target", *(inodes.read_link(entry.descriptor) for entry in pair))
    elif left.st_rdev != right.st_rdev:
        yield "device", str(left.st_rdev), str(right.st_rdev)
    ours_by_name, theirs_by_name = (inodes.all_xattrs(entry.descriptor) for entry in pair)
    for name in sorted(ours_by_name.keys() | theirs_by_name.keys()):
        yield from _values(f"xattr {_shown(name)}", ours_by_name.get(name), theirs_by_name.get(name))


def _in_contents(pair: _Pair) -> Iterator[_Difference]:
    left_bytes, right_bytes = (entry.status.st_size for entry in pair)
    if left_bytes != right_bytes:
        yield "size", str(left_bytes), str(right_bytes)
        return
    differing = contents.first_difference(pair.left.descriptor, pair.right.descriptor)
    if differing is not None:
        offset, ours, theirs = differing
        yield f"content at byte {offset}", _shown_value(ours), _shown_value(theirs)


def _values(what: str, ours: bytes | None, theirs: bytes | None) -> Iterator[_Difference]:
    if ours != theirs:
        yield what, _shown_value(ours), _shown_value(theirs)


def _shown_value(value: bytes | None) -> str:
    if value is None:
        return "nothing"
    return repr(value) if len(value) <= _SHOWN_BYTES else f"{value[:_SHOWN_BYTES]!r}… ({len(value)} bytes)"


def _shown(path: bytes) -> str:
    """Quoted and on one line, whatever bytes a stranger chose: what isn't printable or isn't UTF-8 is escaped."""
    return repr(path.decode("utf-8", "surrogateescape"))
