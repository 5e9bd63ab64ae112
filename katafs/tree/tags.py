"""`tags/<n>.json`: what an avatar's git says of each test run, as files that no volume holds.

Where git is read takes its time, so none of it happens with the tree's lock held. A directory `tags` that a volume does
hold, as an avatar without git has, is an ordinary one.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Container
from typing import Protocol

from katafs.config import Tags as Setting
from katafs.errors import KatafsError
from katafs.namespace import GIT_NAME, LAST_TAG, TAGS_NAME, Kind, Place, tag_name
from katafs.rooted.answer import answer
from katafs.tree import attributes
from katafs.tree.attributes import Attributes
from katafs.tree.core import Core
from katafs.tree.files import Files
from katafs.tree.finder import Finder
from katafs.tree.lookups import Lookups
from katafs.tree.nodes import Node
from katafs.tree.numbers import PLACED
from katafs.tree.requests import Found

_WITH_TAGS = (Kind.AVATAR, Kind.TAGS)
"""In what the tags' directory is, and the tags."""
_OPEN_LIMIT_BYTES = 256 << 20
"""Each open tag is held in memory as it was then, and any reader may open many."""
_DIRECTORY_MODE = stat.S_IFDIR | 0o555
_FILE_MODE = stat.S_IFREG | 0o444


class TagStatus(Protocol):
    """What is known of a tag without its content."""

    @property
    def size_bytes(self) -> int:
        """The length of its JSON."""

    @property
    def mtime_ns(self) -> int:
        """When it was made."""


class TagSource(Protocol):
    """Reads the git of an avatar, whose directory is given as an O_PATH descriptor. Safe for several threads."""

    def numbers(self, avatar: int) -> list[int] | None:
        """The tags' numbers, sorted; None for an avatar without git."""

    def status(self, avatar: int, number: int) -> TagStatus:
        """Raises FileNotFoundError for a tag that isn't there, KatafsError for a damaged one."""

    def read(self, avatar: int, number: int) -> bytes:
        """A tag's JSON; raises as `status` does."""


class Tags:
    """The tags' directories and files."""

    def __init__(self, core: Core, finder: Finder, lookups: Lookups, files: Files, source: TagSource | None) -> None:
        self._core = core
        self._finder = finder
        self._lookups = lookups
        self._files = files
        self._source = None if core.settings.tags is Setting.OFF else source
        self._open: dict[int, int] = {}
        """The size of what is read through each handle; some may have been released since."""

    # What concerns tags

    def wait_for(self, parent_number: int, name: bytes) -> bool:
        """Whether a lookup may have to read git."""
        parent = self._core.nodes.known(parent_number)
        return parent is not None and parent.place.kind in _WITH_TAGS and self.concern(parent, name)

    def concern(self, parent: Node, name: bytes) -> bool:
        """Whether the name is a tag's or that of the tags' directory."""
        if self._source is None or parent.place.kind not in _WITH_TAGS:
            return False
        return self._finder.place_of(parent, name).kind in (Kind.TAG, Kind.TAGS)

    def show(self, number: int) -> bool:
        """Whether the inode is made of git."""
        if number < PLACED:
            return False
        node = self._core.nodes.known(number)
        return node is not None and self.shown(node)

    @staticmethod
    def shown(node: Node) -> bool:
        """Whether the node is made of git."""
        return node.identity is None and node.place.kind in (Kind.TAG, Kind.TAGS)

    def listed_in(self, node: Node) -> bool:
        """Whether a listing of the directory reads git."""
        return self._source is not None and node.place.kind in _WITH_TAGS

    # Looking

    def lookup(self, parent_number: int, name: bytes) -> Attributes | None:
        """The entry of a tag or of the tags' directory, if it is there, whether a volume holds it or git."""
        with self._core.lock:
            parent = self._core.nodes.find(parent_number)
        try:
            held = self._entered(parent, name)
            return held or self._counted(parent, name, self._made(self._finder.place_of(parent, name), parent))
        except FileNotFoundError:
            return None

    def listed(self, parent: Node, name: bytes) -> Attributes:
        """The same for a listing. A damaged tag is listed, and EIO when used."""
        held = self._entered(parent, name)
        if held is not None:
            return held
        place = self._finder.place_of(parent, name)
        try:
            told = self._made(place, parent)
        except (KatafsError, OSError) as damage:
            if isinstance(damage, OSError) and damage.errno in (errno.ENOENT, errno.ESTALE):
                raise
            told = self._damaged(place)
        return self._counted(parent, name, told)

    def _entered(self, parent: Node, name: bytes) -> Attributes | None:
        """The entry of what a volume holds under the name; None where none does."""
        with self._core.locked:
            if self._core.steady(parent).identity is None:
                return None
            try:
                return self._lookups.enter(parent, name, self._finder.find(parent, name))
            except FileNotFoundError:
                return None

    def _counted(self, parent: Node, name: bytes, told: Attributes) -> Attributes:
        """Count a lookup of what is made of git, and answer with it."""
        place = self._finder.place_of(parent, name)
        found = Found(place, parent.volume, self._core.numbers.of_tag(place))
        with self._core.locked:
            self._finder.remember(parent, name, found).lookups += 1
        return told

    def getattr(self, number: int) -> Attributes:
        """The attributes of a tag or of the tags' directory."""
        node = self._core.nodes.find(number)
        if node.parent is None:
            raise answer(errno.ESTALE, node.name)
        return self._made(node.place, node.parent)

    def _made(self, place: Place, parent: Node) -> Attributes:
        with self._avatar(place, parent) as avatar:
            owner = os.fstat(avatar)
            timeout_s = self._core.telling.timeout_of(parent.volume)
            number = self._core.numbers.of_tag(place)
            if place.tag is None:
                self._numbers(avatar)
                return attributes.of_tag(number, owner, _DIRECTORY_MODE, 0, owner.st_mtime_ns, timeout_s)
            status = self._asked().status(avatar, place.tag)
            return attributes.of_tag(number, owner, _FILE_MODE, status.size_bytes, status.mtime_ns, timeout_s)

    def _damaged(self, place: Place) -> Attributes:
        number, owner = self._core.numbers.of_tag(place), self._core.telling.root_model()
        return attributes.of_tag(number, owner, stat.S_IFREG, 0, 0, 0.0)

    def _avatar(self, place: Place, parent: Node) -> contextlib.AbstractContextManager[int]:
        """A descriptor of the directory of the avatar that a place below it belongs to."""
        node = parent if place.kind is Kind.TAGS else parent.parent
        if node is None or node.identity is None:
            raise answer(errno.ENOENT)
        return self._core.borrowed(node)

    def _asked(self) -> TagSource:
        if self._source is None:
            raise answer(errno.ENOENT)
        return self._source

    def _numbers(self, avatar: int) -> list[int]:
        numbers = self._asked().numbers(avatar)
        if not numbers:
            raise answer(errno.ENOENT, TAGS_NAME)
        return [number for number in numbers if number <= LAST_TAG]

    # Listing

    def names(self, node: Node) -> list[bytes]:
        """The names in a directory of tags."""
        if node.parent is None:
            raise answer(errno.ESTALE, node.name)
        with self._avatar(node.place, node.parent) as avatar:
            return [tag_name(number) for number in self._numbers(avatar)]

    def added_to(self, node: Node, present: Container[bytes]) -> list[bytes]:
        """What tags add to the listing of a directory."""
        listed = self._source is not None and self._core.settings.tags is Setting.LISTED
        return [TAGS_NAME] if listed and node.place.kind is Kind.AVATAR and GIT_NAME in present else []

    # Reading

    def open(self, number: int, flags: int) -> int:
        """A handle of a tag's content as it is now. Raises OSError(EROFS) for writing."""
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC:
            raise answer(errno.EROFS)
        node = self._core.nodes.find(number)
        if node.parent is None or node.place.tag is None:
            raise answer(errno.EISDIR, node.name)
        with self._avatar(node.place, node.parent) as avatar:
            content = self._asked().read(avatar, node.place.tag)
        descriptor = os.memfd_create("katafs-tag", os.MFD_CLOEXEC)
        with self._core.locked:
            try:
                self._core.reserve.refuse(descriptor)
                self._make_room(len(content))
                handle = self._files.adopt(node, descriptor, flags)
            except BaseException:
                os.close(descriptor)
                raise
            self._open[handle] = len(content)
        try:
            os.pwrite(descriptor, content, 0)  # nobody else knows of the handle yet
        except BaseException:
            self._files.release(handle)
            raise
        return handle

    def _make_room(self, size_bytes: int) -> None:
        """Raises OSError(ENFILE) where what is open takes too much with this. Called with the tree's lock held."""
        self._open = {handle: taken for handle, taken in self._open.items() if handle in self._files.handles}
        if sum(self._open.values()) + size_bytes > _OPEN_LIMIT_BYTES:
            raise answer(errno.ENFILE)
