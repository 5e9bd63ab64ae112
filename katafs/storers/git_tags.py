"""The tags of avatars that have a `.git`, as files: their numbers, sizes, times and bytes.

Owns what is remembered of them. Nothing is executed and nothing outside of the avatar's own `.git` is read, whoever
wrote it: no config, hook, filter, alternate or remote. Must not know katas, avatars' names or mounts.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from katafs.errors import CorruptKata
from katafs.namespace import GIT_NAME
from katafs.rooted.answer import answer
from katafs.storers import increments
from katafs.storers.git_tags_cache import Bounded
from katafs.storers.git_tags_json import tag_json
from katafs.untrusted import files, parsed
from katafs.untrusted.objects import Objects
from katafs.untrusted.refs import tag_numbers, tag_sha

CONTENTS_LIMIT_BYTES = 64 << 20
"""Twice the largest manifest."""

_STATUSES_LIMIT = 50_000
_ATTEMPTS = 5
"""How often a tag is tried to be read where its ref has changed each time since: a container may go on doing that."""
_MANY_LIGHTS_BYTES = 64 << 10
"""Some 1,000 test runs. What is larger is taken apart by one thread at a time: 1 MiB may become 70 MB of objects."""
_NESTING_LIMIT = 5
"""Tags of tags of tags that are followed."""


class TagStatus(NamedTuple):
    """What stat says of a tag's file: the size of its JSON, and the time the tag was made."""

    size_bytes: int
    mtime_ns: int


class _Key(NamedTuple):
    """What a tag's file is made of. The avatar's directory is in it although the sha says all, so that a container that
    has learnt a sha of somebody else's can't read what it stands for."""

    device: int
    inode: int
    number: int
    sha: bytes


class GitTags:
    """The tags of any avatars, each given as a descriptor of its directory. Safe to call from several threads.

    Every method raises, besides what it says, CorruptKata for what is damaged or refused (links, mounts, FIFOs where
    git has files), OSError(EFBIG) for what is too large to be read (see untrusted.inflate) and other OSErrors as they
    come. An error is never remembered."""

    def __init__(self) -> None:
        self._statuses: Bounded[_Key, TagStatus] = Bounded(_STATUSES_LIMIT, lambda _: 1)
        self._contents: Bounded[_Key, bytes] = Bounded(CONTENTS_LIMIT_BYTES, len)

    def numbers(self, avatar: int) -> list[int] | None:
        """The numbers of an avatar's tags, sorted; None where its `.git` is missing or isn't a directory."""
        with _git(avatar) as git:
            return None if git is None else tag_numbers(git)

    def status(self, avatar: int, number: int) -> TagStatus:
        """Raises FileNotFoundError where there is no such tag."""
        with _required_git(avatar) as git:
            key = _key(avatar, git, number)
            return self._statuses.get(key) or self._made(avatar, git, key)[0]

    def read(self, avatar: int, number: int) -> bytes:
        """All of a tag's file. Raises FileNotFoundError where there is no such tag."""
        with _required_git(avatar) as git:
            key = _key(avatar, git, number)
            content = self._contents.get(key)
            if content is None:
                _, content = self._made(avatar, git, key)
            return content

    def _made(self, avatar: int, git: int, key: _Key) -> tuple[TagStatus, bytes]:
        """A tag's status and bytes, both remembered. What a ref held is looked for again where the ref has changed
        since: git may have moved the tag and thrown the old one away."""
        for _ in range(_ATTEMPTS):
            try:
                return self._built(git, key)
            except CorruptKata as error:
                damage, now = error, _key(avatar, git, key.number)
            if now == key:
                break
            key = now
        raise CorruptKata(f"tag {key.number}: {damage}") from damage

    def _built(self, git: int, key: _Key) -> tuple[TagStatus, bytes]:
        with Objects(git) as objects:
            mtime_ns, content = _tag(objects, key.sha, key.number)
        status = TagStatus(len(content), mtime_ns)
        self._statuses.put(key, status)
        self._contents.put(key, content)
        return status, content


@contextlib.contextmanager
def _git(avatar: int) -> Iterator[int | None]:
    """An O_PATH descriptor of an avatar's `.git`, or None where there is no such directory."""
    try:
        git, status = files.look(avatar, GIT_NAME)
    except FileNotFoundError:
        yield None
        return
    try:
        yield git if stat.S_ISDIR(status.st_mode) else None
    finally:
        os.close(git)


@contextlib.contextmanager
def _required_git(avatar: int) -> Iterator[int]:
    with _git(avatar) as git:
        if git is None:
            raise answer(errno.ENOENT, GIT_NAME)
        yield git


def _key(avatar: int, git: int, number: int) -> _Key:
    status = os.fstat(avatar)
    return _Key(status.st_dev, status.st_ino, number, tag_sha(git, number))


def _tag(objects: Objects, sha: bytes, number: int) -> tuple[int, bytes]:
    """When a tag was made, in nanoseconds since 1970, and the bytes of its file."""
    commit, tagged_ns = _commit(objects, sha)
    tree_sha, committed_ns = parsed.of_commit(commit)
    tree = _content(objects, tree_sha, parsed.TREE)
    manifest_sha = parsed.file_in_tree(tree, b"manifest.json")
    if manifest_sha is None:
        raise CorruptKata("its commit has no manifest.json")
    light = increments.light_of(_lights(objects, tree), number)
    content = tag_json(light, _content(objects, manifest_sha, parsed.BLOB))
    return tagged_ns if tagged_ns is not None else committed_ns or 0, content


def _commit(objects: Objects, sha: bytes) -> tuple[bytes, int | None]:
    """The commit that a tag stands for, and when the tag was made; None for a tag that is only a name."""
    tagged_ns = None
    for nesting in range(_NESTING_LIMIT):
        kind, content = objects.read(sha)
        if kind == parsed.COMMIT:
            return content, tagged_ns
        if kind != parsed.TAG:
            raise CorruptKata("it stands for no commit")
        sha, time_ns = parsed.of_tag(content)
        tagged_ns = time_ns if nesting == 0 else tagged_ns
    raise CorruptKata(f"a tag of more than {_NESTING_LIMIT} tags")


def _lights(objects: Objects, tree: bytes) -> dict[int, increments.Light]:
    """What increments.json says in the tag's own commit, which has its entry and never changes; {} without one."""
    sha = parsed.file_in_tree(tree, increments.INCREMENTS)
    if sha is None:
        return {}
    content = _content(objects, sha, parsed.BLOB)
    if len(content) > increments.LIGHTS_LIMIT_BYTES:
        raise answer(errno.EFBIG, increments.INCREMENTS)
    if len(content) > _MANY_LIGHTS_BYTES:
        objects.be_alone()
    return increments.lights(content)


def _content(objects: Objects, sha: bytes, kind: int) -> bytes:
    found, content = objects.read(sha)
    if found != kind:
        raise CorruptKata(f"object {sha.decode()} is of the wrong type")
    return content
