"""A new repository with a whole history in it, made by the git program in a directory where nothing else is."""

from collections.abc import Iterable
from itertools import chain

from katafs.kata_id import AvatarName, KataId
from katafs.namespace import GIT_NAME
from katafs.rooted import files
from katafs.rooted.removing import remove_tree
from katafs.storers.git_program import GitProgram, author_of
from katafs.storers.git_stream import GitStream, Run


def import_history(directory: int, kata: KataId, avatar: AvatarName, runs: Iterable[Run]) -> None:
    """Make `.git` in an empty directory as the servers leave an avatar's: branch master, for each run a commit and an
    annotated tag, and the index of the last one. Of the same runs it always makes the same commits and tags.

    Raises GitFailed, StoreFull."""
    author = author_of(kata, avatar)
    git = GitProgram(directory, author, is_new=True)
    git.create_repository()
    stream = GitStream(author)
    git.run("fast-import", "--quiet", stdin=chain.from_iterable(map(stream.of, runs)))
    git.run("read-tree", "HEAD")
    _forget_reflog(directory)


def _forget_reflog(directory: int) -> None:
    """It says when this was done, and not when the tests were run, so no two would be the same."""
    with files.opened_directory(directory, GIT_NAME) as repository:
        if files.is_directory(repository, b"logs"):
            remove_tree(repository, b"logs")
