"""An avatar's index: what its next commit has. git never looks for a file itself: it is told what there is.

A test run can write anything into a sandbox. What git would find there it would obey, or wait for: `.gitattributes`
changes what is stored of other files, or stops the avatar; a FIFO of that name keeps git for ever; a repository in the
place of a file has a git of its own run in it.
"""

import os
import stat
from collections.abc import Mapping

from katafs.errors import CorruptKata
from katafs.rooted import files, names
from katafs.storers.git_objects import write_object
from katafs.storers.git_program import GitProgram
from katafs.storers.json_files import LIMIT_BYTES
from katafs.untrusted.files import directory, read_file
from katafs.untrusted.objects import object_name

_FILE, _SCRIPT, _LINK = b"100644", b"100755", b"120000"
_GONE = b"0 0000000000000000000000000000000000000000"
"""In the place of a mode and an object (git-update-index(1), USING --INDEX-INFO)."""


class GitIndex:
    """The index of an avatar's repository, by a descriptor of the avatar's directory that has to stay open."""

    def __init__(self, avatar: int, git: GitProgram) -> None:
        self._avatar = avatar
        self._git = git

    def take(self, *paths: bytes) -> None:
        """Have these files as they are now. Those that aren't there any more go, and so does what has become none, or
        one that is too large to be read at once, or that somebody holds a lease on. Raises GitFailed, and OSError as it
        comes."""
        self._take(dict.fromkeys(paths, b""))  # whatever the index has of them

    def take_all(self, *paths: bytes) -> None:
        """The same of these and of every file that it has, as `git commit --all` does."""
        known = dict.fromkeys(paths, _GONE)
        for line in self._git.run("ls-files", "-z", "--stage").split(b"\0")[:-1]:
            words, path = line.split(b"\t", 1)
            known[path] = words.removesuffix(b" 0")
        self._take(known)

    def _take(self, known: Mapping[bytes, bytes]) -> None:
        lines = []
        for path, was in known.items():
            kept = self._kept(path, was)
            if kept != was:
                lines.append(b"%s\t%s\0" % (kept, path))
        if lines:
            self._git.run("update-index", "-z", "--index-info", stdin=lines)

    def _kept(self, path: bytes, was: bytes) -> bytes:
        """The mode and the object of a file, which git has then."""
        found = self._found(path)
        if found is None:
            return _GONE
        mode, content = found
        kept = b"%s %s" % (mode, object_name(b"blob", content))
        if kept != was:
            write_object(self._avatar, b"blob", content)
        return kept

    def _found(self, path: bytes) -> tuple[bytes, bytes] | None:
        """The mode and the content of a file."""
        *way, name = path.split(b"/")
        try:
            with directory(self._avatar, *way) as place:
                status = files.status_of(place, name)
                if status is None or status.st_size > LIMIT_BYTES:
                    return None
                if stat.S_ISLNK(status.st_mode):
                    return _LINK, os.readlink(names.check(name), dir_fd=place)
                mode = _SCRIPT if status.st_mode & stat.S_IXUSR else _FILE
                return mode, read_file(place, name, LIMIT_BYTES)
        except (FileNotFoundError, BlockingIOError, CorruptKata):
            return None
