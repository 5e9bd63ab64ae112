"""Runs the real git, through GitPython, in one avatar's repository and as the caller.

For repositories that a storer made itself: git obeys the settings it finds in one. It works in `.git` and is never let
to the files beside it, which a test run may have written: what it is to keep, it is given. Nothing of the caller's own
reaches it, neither settings nor hooks nor what its environment says of repositories and authors.
"""

import errno
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence

from git import Git
from git.exc import GitCommandError

from katafs.errors import CorruptKata, GitFailed, StoreFull
from katafs.kata_id import AvatarName, KataId
from katafs.namespace import GIT_NAME
from katafs.rooted import files
from katafs.rooted.answer import answer

_SETTINGS = {
    "commit.gpgSign": "false",
    "core.fsmonitor": "false",
    "core.fsync": "all",  # a run that was answered is on the disk, as without git; gits before 2.36 pass it over
    "core.hooksPath": "/dev/null",
    "core.quotePath": "false",
    "gc.autoDetach": "false",  # or it would go on in a volume that its caller has closed
    "init.defaultBranch": "master",
    "safe.directory": "*",
    "tag.gpgSign": "false",
}
_WHERE = ("-C", ".git")
"""Beside it are files that a test run may have written: git would read `.gitattributes` there, which may be a FIFO."""
_LASTING_S = 600
"""No git of an avatar takes so long: it waits for a FIFO, which a container that had the whole kata left in `.git`."""
_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "Out of diskspace")
"""How git says that a disk is full; the last is csum-file.c's own word for it, while a pack is written."""


def author_of(kata: KataId, avatar: AvatarName) -> tuple[str, str]:
    """The name and the address in an avatar's commits."""
    return f"{avatar}_{kata}", f"{avatar}@cyber-dojo.org"


class GitProgram:
    """git in the directory behind a descriptor, which has to stay open."""

    def __init__(self, directory: int, author: tuple[str, str], *, is_new: bool = False) -> None:
        """`is_new`: whether nobody else has come to the directory, so that git may take what time it needs."""
        self._directory = directory
        self._within_s = None if is_new else _LASTING_S
        # Not its path, which may be another directory's by then.
        self._way = f"/proc/self/fd/{directory}"
        self._author = author
        self._git = Git(self._way)
        self._git.update_environment(**_environment(*author))

    def has_repository(self) -> bool:
        """Whether there is a repository of the avatar's own. Raises CorruptKata where `.git` is no directory, which
        could lead anywhere."""
        if files.status_of(self._directory, GIT_NAME) is None:
            return False
        if not files.is_directory(self._directory, GIT_NAME):
            raise CorruptKata(f"{files.path_of(self._directory)}/.git is not a directory")
        return True

    def create_repository(self) -> None:
        """Make the directory a repository, whose author has its commits. Raises as `run`."""
        self._execute(["init", "--quiet"], (), _paths(".git"))
        name, address = self._author
        self.run("config", "user.name", name)
        self.run("config", "user.email", address)

    def run(self, *words: str, stdin: Iterable[bytes] = ()) -> bytes:
        """What `git WORDS…` prints that is given these parts. Raises GitFailed, StoreFull, and OSError(EACCES) where
        nobody may enter the directory: GitPython starts git in the caller's own then."""
        return self._execute([*_WHERE, *words], stdin, {})

    def run_without_index(self, *words: str) -> bytes:
        """The same for what needs no index: git would obey a `.gitattributes` that is in one."""
        return self._execute([*_WHERE, *words], (), {"GIT_INDEX_FILE": "none"})

    def _execute(self, words: Sequence[str], stdin: Iterable[bytes], environment: Mapping[str, str]) -> bytes:
        if not os.access(self._way, os.X_OK):
            raise answer(errno.EACCES, os.fsencode(files.path_of(self._directory)))
        with tempfile.TemporaryFile() as given:
            given.writelines(stdin)
            given.seek(0)
            try:
                printed = self._git.execute(
                    ["git", *words],
                    istream=given,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    env=environment,
                    kill_after_timeout=self._within_s,
                )
            except GitCommandError as problem:
                raise _failure(words, problem) from None
        assert isinstance(printed, bytes)
        return printed


def _paths(git: str) -> dict[str, str]:
    """Where a repository's own are; the directory is named, so that git looks for none in those above."""
    return {
        "GIT_COMMON_DIR": git,
        "GIT_DIR": git,
        "GIT_INDEX_FILE": f"{git}/index",
        "GIT_OBJECT_DIRECTORY": f"{git}/objects",
        "GIT_WORK_TREE": ".",
    }


def _environment(name: str, address: str) -> dict[str, str]:
    settings = {f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(_SETTINGS)}
    settings |= {f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(_SETTINGS.values())}
    return {
        **settings,
        **_paths("."),
        "GIT_ALLOW_PROTOCOL": "none",  # or settings say from where, and by which program, what is missing is fetched
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_AUTHOR_EMAIL": address,
        "GIT_AUTHOR_NAME": name,
        "GIT_COMMITTER_EMAIL": address,
        "GIT_COMMITTER_NAME": name,
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_PARAMETERS": "",
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_GLOB_PATHSPECS": "0",
        "GIT_ICASE_PATHSPECS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
    }


def _failure(words: Sequence[str], problem: GitCommandError) -> GitFailed | StoreFull:
    command = next(word for word in words if word not in _WHERE)
    # GitPython's words around git's own.
    said = problem.stderr.strip().removeprefix("stderr: '").removesuffix("'") if isinstance(problem.stderr, str) else ""
    if any(word in said for word in _FULL):
        return StoreFull(f"git {command}: no space left")
    first = said.splitlines()
    return GitFailed(f"git {command} ended with {problem.status}: {first[0] if first else 'without a word'}")
