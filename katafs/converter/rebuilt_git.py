"""An avatar's git, rebuilt from its tags' files: a commit and an annotated tag a test run, as the servers leave them.

It is made in an export's own copy of the avatar, in a directory where nothing else is, and read back there.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator

from katafs.converter.avatar_tags import GitHistory
from katafs.converter.tag_history import MANIFEST, TagHistory
from katafs.errors import CorruptKata, GitFailed
from katafs.kata_id import AvatarName, KataId
from katafs.namespace import GIT_NAME, TAGS_NAME
from katafs.rooted import files, inodes, names
from katafs.rooted.removing import remove_own_tree, remove_tree
from katafs.rooted.walks import walk
from katafs.storers.git_stream import Run
from katafs.storers.increments import INCREMENTS
from katafs.storers.places import named_faults

_WORKPLACE = b".katafs-git-"


def rebuild_git(avatar: int, kata: KataId, name: AvatarName) -> None:
    """Give an avatar that has `tags/` its git in their place, and the `manifest.json` that goes with it.

    `increments.json` stays what it is, unless it lacks the newest tags. Raises CorruptKata, TooLarge, GitFailed,
    StoreFull."""
    whose = f"avatar {name} of kata {kata}"
    with named_faults(f"the git of {whose}"), files.opened_directory(avatar, TAGS_NAME) as tags:
        history = TagHistory(avatar, tags, whose)
        import_history = _importer(whose)
        with _workplace(avatar) as workplace:
            import_history(workplace, kata, name, history.runs())
            _check(history, GitHistory(workplace, whose), whose)
            with files.opened_directory(workplace, GIT_NAME) as git:
                _give(git, os.fstat(avatar))
            names.rename(workplace, GIT_NAME, avatar, GIT_NAME, names.RENAME_NOREPLACE)
        mtime_ns = history.mtime_ns(history.numbers[-1])
        _write(avatar, MANIFEST, history.manifest(), mtime_ns)
        if (increments := history.increments()) is not None:
            _write(avatar, INCREMENTS, increments, mtime_ns)
    remove_own_tree(avatar, TAGS_NAME)


def _importer(whose: str) -> Callable[[int, KataId, AvatarName, Iterable[Run]], None]:
    """What makes a history. Imported where it is used: GitPython can't be without git, which no other command needs."""
    try:
        from katafs.storers.git_import import import_history
    except ImportError as missing:
        raise GitFailed(
            f"{whose} has no git, and to rebuild it the program git is needed, which isn't found"
        ) from missing
    return import_history


def _check(wanted: TagHistory, made: GitHistory, whose: str) -> None:
    if made.numbers != wanted.numbers:
        raise CorruptKata(f"the git of {whose} was not rebuilt with all of its tags")
    for number in wanted.numbers:
        if made.tag(number) != wanted.tag(number):
            raise CorruptKata(f"tag {number} of {whose} is not in the rebuilt git what it is in its file")


@contextlib.contextmanager
def _workplace(avatar: int) -> Iterator[int]:
    """An empty directory, gone afterwards: git is to see nothing of what strangers have put into the avatar's."""
    name = _WORKPLACE + secrets.token_hex(8).encode()
    names.make_directory(avatar, name, 0o700)
    try:
        with files.opened_directory(avatar, name) as directory:
            yield directory
    finally:
        remove_tree(avatar, name)


def _write(avatar: int, name: bytes, content: bytes, mtime_ns: int) -> None:
    """Make a file be what the newest test run wrote, and as old; one that is so already stays as it is."""
    status = files.status_of(avatar, name)
    with contextlib.suppress(OSError):
        if status and files.read(avatar, name, len(content)) == content:
            return
    files.replace(avatar, name, content)
    made, _ = names.look(avatar, name)
    try:
        if status is None:
            inodes.give(made, os.fstat(avatar))
        inodes.set_times(made, None, mtime_ns)
    finally:
        os.close(made)


def _give(git: int, like: os.stat_result) -> None:
    """Make a new repository belong to whom the avatar belongs to, since the server goes on in it."""
    with contextlib.closing(walk(git)) as steps:
        for entry, leaving in steps:
            if not leaving:
                inodes.give(entry.descriptor, like)
