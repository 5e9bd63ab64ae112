"""An avatar's index: what its next commit has. git is given the bytes of every file, and never looks for one itself.

A test run can write anything into a sandbox. What git would find there it would obey, or wait for: `.gitattributes`
changes what is stored of other files, or stops the avatar; a FIFO of that name keeps git for ever; a repository in the
place of a file has a git of its own run in it.
"""

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from katafs.errors import CorruptKata
from katafs.rooted import files, names
from katafs.storers.dulwich_files import directory, open_file
from katafs.storers.git_program import GitProgram
from katafs.storers.json_files import LIMIT_BYTES

_FILE, _SCRIPT, _LINK = b"100644", b"100755", b"120000"
_GONE = b"0 0000000000000000000000000000000000000000"
"""In the place of a mode and an object (git-update-index(1), USING --INDEX-INFO)."""
_OPEN_AT_ONCE = 100


class _Found(NamedTuple):
    mode: bytes
    content: int
    """A descriptor of it."""


class GitIndex:
    """The index of an avatar's repository, by a descriptor of the avatar's directory that has to stay open."""

    def __init__(self, avatar: int, git: GitProgram) -> None:
        self._avatar = avatar
        self._git = git

    def take(self, *paths: bytes) -> None:
        """Have these files as they are now. Those that aren't there any more go, and so does what has become none, or
        one that is too large to be read at once, or that somebody holds a lease on. Raises GitFailed, and OSError as it
        comes."""
        self._take(dict.fromkeys(paths, _GONE))

    def take_all(self, *paths: bytes) -> None:
        """The same of these and of every file that it has, as `git commit --all` does."""
        known = dict.fromkeys(paths, _GONE)
        for line in self._git.run("ls-files", "-z", "--stage").split(b"\0")[:-1]:
            words, path = line.split(b"\t", 1)
            known[path] = words.removesuffix(b" 0")
        self._take(known)

    def _take(self, known: Mapping[bytes, bytes]) -> None:
        paths, lines = list(known), []
        while paths:
            for path, kept in self._kept(paths[:_OPEN_AT_ONCE]).items():
                if kept != known[path]:
                    lines.append(b"%s\t%s\0" % (kept, path))
            del paths[:_OPEN_AT_ONCE]
        if lines:
            self._git.run("update-index", "-z", "--index-info", stdin=lines)

    def _kept(self, paths: Sequence[bytes]) -> dict[bytes, bytes]:
        """The mode and the object of each of these files, which git has then."""
        with contextlib.ExitStack() as held:
            found = {path: self._found(path, held) for path in paths}
            lent = [each.content for each in found.values() if each]
            ways = [b"/proc/self/fd/%d\n" % content for content in lent]
            words = ("hash-object", "-w", "--no-filters", "--stdin-paths")
            objects = iter(self._git.run(*words, stdin=ways, lent=lent).split())
            return {path: b"%s %s" % (each.mode, next(objects)) if each else _GONE for path, each in found.items()}

    def _found(self, path: bytes, held: contextlib.ExitStack) -> _Found | None:
        *way, name = path.split(b"/")
        try:
            with directory(self._avatar, *way) as place:
                status = files.status_of(place, name)
                if status is None or status.st_size > LIMIT_BYTES:
                    return None
                is_link = stat.S_ISLNK(status.st_mode)
                content = _target(place, name) if is_link else open_file(place, name)
        except (FileNotFoundError, BlockingIOError, CorruptKata):
            return None
        held.callback(os.close, content)
        return _Found(_LINK if is_link else _SCRIPT if status.st_mode & stat.S_IXUSR else _FILE, content)


def _target(place: int, name: bytes) -> int:
    """Where a link leads, as a file of its own."""
    descriptor = os.memfd_create("katafs-link", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, os.readlink(names.check(name), dir_fd=place))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
