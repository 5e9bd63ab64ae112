"""Taking names away and moving them: unlink(), rmdir() and rename() inside a volume."""

import errno
import stat

from katafs.config import Sandboxes
from katafs.namespace import Kind
from katafs.rooted import inodes, names
from katafs.rooted.answer import answer
from katafs.tree.core import Core
from katafs.tree.creation import Creation
from katafs.tree.finder import Finder
from katafs.tree.nodes import Node
from katafs.tree.requests import Found

_KNOWN_FLAGS = names.RENAME_NOREPLACE | names.RENAME_EXCHANGE


class Removal:
    """What a name loses, the kernel may still use: its inode is held until the kernel forgets it."""

    def __init__(self, core: Core, finder: Finder, creation: Creation) -> None:
        self._core = core
        self._finder = finder
        self._creation = creation

    def unlink(self, parent_number: int, name: bytes) -> None:
        """Remove a name of anything but a directory. Raises OSError(EPERM) for an alias, which volumes call for."""
        with self._core.locked:
            parent = self._core.changing(parent_number)
            found = self._finder.find(parent, name)
            try:
                self._core.legacy.refuse(found.piece)
                if found.status is None:
                    raise answer(errno.EPERM if found.place.kind is Kind.ALIAS else errno.EISDIR, name)
                if stat.S_ISDIR(found.status.st_mode):
                    raise answer(errno.EISDIR, name)
                names.remove(self._core.reaching.directory(parent), name)
            except BaseException:
                found.close()
                raise
            self._core.hold(found)

    def rmdir(self, parent_number: int, name: bytes) -> None:
        """Remove an empty directory inside a volume. Raises OSError(ENOTEMPTY) while volumes add something to it."""
        with self._core.locked:
            parent = self._core.changing(parent_number)
            found = self._finder.find(parent, name)
            try:
                self._core.legacy.refuse(found.piece)
                if found.place.kind is Kind.ALIAS and found.status is None:
                    raise answer(errno.ENOTDIR, name)
                if self._core.grafts.names_in(found.place):
                    raise answer(errno.ENOTEMPTY, name)
                self._remove_directory(found, parent, name)
            except BaseException:
                found.close()
                raise
            self._core.hold(found)

    def _remove_directory(self, found: Found, parent: Node, name: bytes) -> None:
        """An outer directory may be on a legacy disk, in the root volume, or in both."""
        legacy = self._core.legacy
        if found.place.kind is Kind.OUTER and legacy.outer_status(found.place.outer) is not None:
            legacy.refuse_never()
            removed = legacy.disk.remove_outer(found.place.outer)
            if removed and found.status is None:
                inodes.touch_modified(self._core.reaching.directory(parent))
                return
        names.remove_directory(self._core.reaching.directory(parent), name)

    def rename(self, old: tuple[int, bytes], new: tuple[int, bytes], flags: int) -> None:
        """rename(2) with its flags. Raises OSError(EXDEV) wherever a volume would have to move or to be left."""
        if flags & ~_KNOWN_FLAGS:
            raise answer(errno.EINVAL)
        with self._core.locked:
            old_parent, new_parent = self._core.changing(old[0]), self._core.changing(new[0])
            source = self._finder.find(old_parent, old[1])
            source.close()
            self._core.legacy.refuse(source.piece)
            target = self._target(new_parent, new[1])
            try:
                if target is not None:
                    self._core.legacy.refuse(target.piece)
                    if flags & names.RENAME_NOREPLACE:
                        raise answer(errno.EEXIST, new[1])
                self._refuse_across(source, old_parent, new_parent, new[1], target)
                if flags & names.RENAME_EXCHANGE and target is not None:
                    self._refuse_across(target, new_parent, old_parent, old[1], source)
                directories = self._core.reaching.directory(old_parent), self._creation.backed(new_parent)
                names.rename(directories[0], old[1], directories[1], new[1], flags)
            except BaseException:
                if target is not None:
                    target.close()
                raise
            same = target is not None and target.number == source.number
            if target is not None and (flags & names.RENAME_EXCHANGE or same):
                target.close()
            elif target is not None:
                self._core.hold(target)
            if not same:
                self._moved(source, (old_parent, old[1]), new_parent, new[1])
                if flags & names.RENAME_EXCHANGE and target is not None:
                    self._moved(target, (new_parent, new[1]), old_parent, old[1])

    def _target(self, parent: Node, name: bytes) -> Found | None:
        try:
            return self._finder.find(parent, name)
        except FileNotFoundError:
            return None

    def _refuse_across(
        self, source: Found, old_parent: Node, new_parent: Node, new_name: bytes, target: Found | None
    ) -> None:
        if old_parent.volume != new_parent.volume:
            raise answer(errno.EXDEV, new_name)
        for found in (source, target):
            if found is not None and (found.status is None or found.volume != old_parent.volume):
                raise answer(errno.EXDEV, new_name)
            if found is not None and self._core.grafts.names_in(found.place):
                raise answer(errno.EXDEV, new_name)
        if source.status is not None and stat.S_ISDIR(source.status.st_mode):
            self._refuse_volume_place(new_parent, new_name)

    def _refuse_volume_place(self, parent: Node, name: bytes) -> None:
        """A directory can't be moved to where one would be a volume: mv then copies it, and the copy is a volume."""
        kind = self._finder.place_of(parent, name).kind
        own = kind is Kind.SANDBOX and self._core.settings.sandboxes is Sandboxes.AVATAR
        if kind in (Kind.KATA, Kind.ALIAS) or own:
            raise answer(errno.EXDEV, name)

    def _moved(self, found: Found, old: tuple[Node, bytes], parent: Node, name: bytes) -> None:
        node = self._core.nodes.known(found.number)
        if node is not None:
            if node.parent is not None and (node.parent, node.name) != old:
                # The kernel has moved the one name, and may keep the other, by which the inode was met last.
                self._core.other_names.add(node.parent.number, node.name, self._core.settings.timeout_s)
            node.parent, node.name = parent, name
            node.place = self._finder.place_of(parent, name)
