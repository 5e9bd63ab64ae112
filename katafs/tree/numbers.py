"""Inode numbers: never 0, unique in the tree, the same after a restart, and the same for every name of a hard link."""

import errno
import os
import threading

from katafs.kata_id import AVATARS
from katafs.namespace import Kind, Place
from katafs.rooted.answer import answer
from katafs.tree.nodes import ROOT_NUMBER

PLACED = 1 << 62
"""Numbers from here on stand for a place, whatever is there or nothing. Those of a volume's other inodes are below."""
_ALIAS = 1 << 61
NOBODYS = range(PLACED, PLACED + 255)
"""Numbers that nothing in a tree gets: for what a mount adds to it."""
UNTOLD = PLACED + 255
"""In a listing, of what can't be looked at."""
_KIND_SHIFT = 48
_AVATAR_SHIFT = 40
_TAG_SHIFT = 46
_DEVICE_SHIFT = 48
_DEVICES = 1 << 12
_INSIDE = (1 << _DEVICE_SHIFT) - 1


class Numbers:
    """Gives every place and every backing inode its number.

    A volume's inodes keep their own numbers as long as all volumes are on one file system. The inodes of another one
    get its device number above theirs. Shared by the parts of a tree."""

    def __init__(self, home_device: int) -> None:
        self._tags = {home_device: 0}
        self._lock = threading.Lock()
        """Covers the giving of tags; to look for one is one step."""
        self._kept: dict[tuple[int, int], int] = {}
        """The numbers of inodes that were copied to another device while the kernel knew them, by the copies'."""
        self._copies: dict[int, tuple[int, int]] = {}
        """The same the other way round."""

    @staticmethod
    def of_place(place: Place) -> int | None:
        """The number of a place that has one whatever is behind it, so that it stays when that changes."""
        if place.kind is Kind.ROOT:
            return ROOT_NUMBER
        if place.kind is Kind.OUTER:
            return PLACED | 1 << _KIND_SHIFT | int(place.outer, 16)
        if place.kind is Kind.KATA and place.kata:
            return PLACED | 2 << _KIND_SHIFT | int(place.kata, 16)
        if place.kind is Kind.ALIAS and place.kata:
            return PLACED | _ALIAS | int(place.kata, 16)
        return None

    @staticmethod
    def of_virtual_avatar(place: Place) -> int:
        """The number of an avatar's directory that no volume holds."""
        assert place.kata is not None
        assert place.avatar is not None
        return PLACED | (3 + AVATARS.index(place.avatar)) << _KIND_SHIFT | int(place.kata, 16)

    @staticmethod
    def by_name(place: Place) -> int:
        """The number of a volume's top that can't, or mustn't, be asked for the inode's own."""
        if (number := Numbers.of_place(place)) is not None:
            return number
        avatar = Numbers.of_virtual_avatar(place)
        return avatar | 1 << _AVATAR_SHIFT if place.kind is Kind.SANDBOX else avatar

    @staticmethod
    def of_tag(place: Place) -> int:
        """The number of a tag, or of the directory of an avatar's tags."""
        assert place.kata is not None
        assert place.avatar is not None
        above = 1 if place.tag is None else place.tag + 2
        avatar = AVATARS.index(place.avatar)
        return PLACED | _ALIAS | above << _TAG_SHIFT | avatar << _AVATAR_SHIFT | int(place.kata, 16)

    def of_inode(self, status: os.stat_result) -> int:
        """The number of a backing inode. Raises OSError(EXDEV) where too many devices have one already: on btrfs any
        user makes devices, since a subvolume is one."""
        if self._kept and (kept := self._kept.get((status.st_dev, status.st_ino))):
            return kept
        tag = self._tags.get(status.st_dev)
        if tag is None:
            tag = self._new_tag(status.st_dev)
        if tag == 0:
            return status.st_ino
        return tag << _DEVICE_SHIFT | (status.st_ino & _INSIDE)

    def keep(self, before: tuple[int, int] | None, after: tuple[int, int], number: int) -> None:
        """Let an inode that was copied go on under its number, until `drop`.

        Only where the copy is on another device: on the same one a new inode may be given the old number."""
        if before is not None and before[0] != after[0] and not number & PLACED:
            self._kept[after] = number
            self._copies[number] = after

    def drop(self, number: int) -> None:
        """The kernel has forgotten the number."""
        after = self._copies.pop(number, None)
        if after is not None:
            del self._kept[after]

    def _new_tag(self, device: int) -> int:
        """A tag that is made of the device's number, so that it is the same next time, and that no other device has."""
        with self._lock:
            if device in self._tags:
                return self._tags[device]
            taken = set(self._tags.values())
            if len(taken) == _DEVICES:
                raise answer(errno.EXDEV)
            tag = (os.major(device) * 256 + os.minor(device)) % _DEVICES or 1
            while tag in taken:
                tag = tag % (_DEVICES - 1) + 1
            self._tags[device] = tag
            return tag
