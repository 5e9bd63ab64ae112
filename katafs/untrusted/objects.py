"""The objects of one `.git`, loose or in packs, while it may be committed to or repacked.

Must not know tags. Only what lies in the repository itself counts: alternates, promises of a remote and replacements
are as if they weren't there. Every object is checked against its sha, so what a cache keeps under it is true for ever.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial

from katafs.errors import CorruptKata
from katafs.rooted import names
from katafs.untrusted import files
from katafs.untrusted.inflate import Inflating, Work
from katafs.untrusted.packs import Pack

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
_KIND_NAMES = {number: name for name, number in _KINDS.items()}
_LOOSE_HEADER_BYTES = 32
_PACKS_LIMIT = 500
"""git gc --auto packs anew at 50; each pack that is read takes two descriptors."""
_MANY_PACKS = 60
"""With more than these open, a thread is alone: descriptors that one kata takes are lacking for all others."""
_ATTEMPTS = 5
"""Listings of the packs that a search may take: one that vanishes says that another has come."""


class Objects:
    """The objects of one `.git`; a context manager that holds descriptors. Not for several threads."""

    def __init__(self, git: int) -> None:
        self._git = git
        self._work = Work()
        self._packs: dict[bytes, Pack] = {}
        self._damaged: dict[bytes, CorruptKata] = {}
        """Packs that can't be opened, with what is wrong with them."""
        self._held = contextlib.ExitStack()
        self._held.callback(self._work.end)

    def __enter__(self) -> "Objects":
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def be_alone(self) -> None:
        """Wait until no other thread has anything large, nor will while this is open."""
        self._work.be_alone()

    def read(self, sha: bytes) -> tuple[int, bytes]:
        """The type and the bytes of the object with this hexadecimal sha.

        Raises CorruptKata where it is missing, or damaged wherever it lies; OSError(EFBIG) where it is too large."""
        damage = None
        for read_there in self._places(sha):
            try:
                found = read_there()
            except CorruptKata as error:
                damage = damage or error
                continue
            if found is not None and object_name(_KIND_NAMES[found[0]], found[1]) == sha:
                return found
            if found is not None:
                damage = damage or CorruptKata(f"object {sha.decode()} is damaged: it has another sha")
        damage = damage or next(iter(self._damaged.values()), None)
        raise damage or CorruptKata(f"object {sha.decode()} is missing")

    def _places(self, sha: bytes) -> Iterator[Callable[[], tuple[int, bytes] | None]]:
        """What reads the object in each place where it may lie, and gives None where it doesn't."""
        yield partial(self._loose, sha)
        binary = bytes.fromhex(sha.decode())
        asked = 0
        for _ in range(_ATTEMPTS):
            for pack in [*self._packs.values()][asked:]:
                yield partial(self._packed, pack, binary)
            asked = len(self._packs)
            if not self._open_new_packs():
                return

    def _loose(self, sha: bytes) -> tuple[int, bytes] | None:
        try:
            with files.directory(self._git, b"objects", sha[:2]) as directory:
                descriptor = files.open_file(directory, sha[2:])
        except FileNotFoundError:
            return None
        try:
            return self._inflated(Inflating(descriptor, 0))
        finally:
            os.close(descriptor)

    def _inflated(self, stream: Inflating) -> tuple[int, bytes]:
        header, separator, first = stream.read(_LOOSE_HEADER_BYTES).partition(b"\0")
        kind, _, size = header.partition(b" ")
        if kind not in _KINDS or not size.isdigit() or not separator:
            raise CorruptKata("a loose object has no header")
        self._work.take(int(size))
        content = first + stream.read(int(size) - len(first))
        stream.end()
        if len(content) != int(size):
            raise CorruptKata("a loose object is not as large as it says")
        return _KINDS[kind], content

    def _packed(self, pack: Pack, sha: bytes) -> tuple[int, bytes] | None:
        offset = pack.find(sha)
        return None if offset is None else pack.read(offset, self._work)

    def _open_new_packs(self) -> bool:
        """Open the packs that aren't open yet. Whether that makes the search worth another round."""
        again = False
        with contextlib.suppress(FileNotFoundError), files.directory(self._git, b"objects", b"pack") as directory:
            for name in names.listing(directory):
                if name.endswith(b".idx") and name not in self._packs and name not in self._damaged:
                    again = True
                    self._open_pack(directory, name)
        return again

    def _open_pack(self, directory: int, index_name: bytes) -> None:
        """Open a pack, unless it has vanished since it was listed. One that is damaged is passed over, as git does it:
        what the others have can be read."""
        self._work.take(0)  # also for one that has no pack: of such there may be a million
        if len(self._packs) + len(self._damaged) == _PACKS_LIMIT:
            raise CorruptKata(f"more than {_PACKS_LIMIT} packs")
        if len(self._packs) == _MANY_PACKS:
            self.be_alone()
        with contextlib.ExitStack() as held, contextlib.suppress(FileNotFoundError):
            try:
                index = files.open_file(directory, index_name)
                held.callback(os.close, index)
                data = files.open_file(directory, index_name.removesuffix(b".idx") + b".pack")
                held.callback(os.close, data)
                self._packs[index_name] = Pack(index, data)
            except CorruptKata as damage:
                self._damaged[index_name] = damage
                return
            self._held.push(held.pop_all())


def object_name(kind: bytes, content: bytes) -> bytes:
    """The sha by which git knows an object, in hexadecimal."""
    digest = hashlib.sha1(b"%s %d\0" % (kind, len(content)), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest().encode()
