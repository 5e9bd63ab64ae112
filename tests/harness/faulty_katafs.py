"""katafs with faults built in: the real command, some of whose parts fail or wait when a test wants it.

Run as a program it patches what its first argument names, and goes on as `katafs` with the rest.
"""

import functools
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from katafs.cli.main import katafs
from katafs.fuse import processors
from katafs.mount.operations import Operations
from katafs.mount.status import Status
from katafs.tree.creation import Creation
from katafs.tree.directories import Directories
from katafs.tree.files import Files
from katafs.tree.inodes import Inodes
from katafs.tree.lookups import Lookups
from katafs.tree.removal import Removal
from katafs.tree.tree import Tree
from katafs.tree.volumes import Volumes
from katafs.volumes.directories import DirectoryStore
from tests.harness.older_kernel import grow_older
from tests.harness.waiting import until

BAD_KATA = "BADBADBADB"
"""The kata that can't be made."""


@dataclass(frozen=True)
class Bug:
    """A method of the tree that fails for one name: `cursed-` and the operation's name."""

    owner: type
    method: str
    name_of: Callable[[Any, Any], bytes]
    """The name that a call is about, from the object and the call's arguments."""
    afterwards: bool = False
    """Whether the bug strikes when the work is done: one before it would be a leak, which the harness takes amiss."""


def _second(_: object, arguments: Any) -> bytes:  # noqa: ANN401  # a call's arguments
    return bytes(arguments[1])


def _of_inode(part: Any, arguments: Any) -> bytes:  # noqa: ANN401  # any part of the tree
    node = part._core.nodes.known(arguments[0])  # noqa: SLF001
    return node.name if node else b""


def _of_handle(part: Any, arguments: Any) -> bytes:  # noqa: ANN401
    return bytes(part.handles[arguments[0]].node.name)


def _of_source(_: object, arguments: Any) -> bytes:  # noqa: ANN401
    return bytes(arguments[0][1])


def _of_target(_: object, arguments: Any) -> bytes:  # noqa: ANN401
    return bytes(arguments[2])


def _of_forgotten(tree: Any, arguments: Any) -> bytes:  # noqa: ANN401
    known = [tree._core.nodes.known(number) for number, _ in arguments[0]]  # noqa: SLF001
    names = [node.name for node in known if node and node.name.startswith(b"cursed-forget")]
    return names[0] if names else b""


BUGS = {
    "lookup": Bug(Lookups, "lookup", _second),
    "mkdir": Bug(Creation, "mkdir", _second),
    "mknod": Bug(Creation, "mknod", _second),
    "symlink": Bug(Creation, "symlink", _second),
    "link": Bug(Creation, "link", _of_target),
    "create": Bug(Files, "create", _second),
    "open": Bug(Files, "open", _of_inode),
    "read": Bug(Files, "read", _of_handle),
    "write": Bug(Files, "write", _of_handle),
    "fsync": Bug(Files, "fsync", _of_handle),
    "release": Bug(Files, "release", _of_handle, afterwards=True),
    "getattr": Bug(Inodes, "getattr", _of_inode),
    "setattr": Bug(Inodes, "setattr", _of_inode),
    "readlink": Bug(Inodes, "readlink", _of_inode),
    "getxattr": Bug(Inodes, "getxattr", _of_inode),
    "setxattr": Bug(Inodes, "setxattr", _of_inode),
    "listxattr": Bug(Inodes, "listxattr", _of_inode),
    "removexattr": Bug(Inodes, "removexattr", _of_inode),
    "unlink": Bug(Removal, "unlink", _second),
    "rmdir": Bug(Removal, "rmdir", _second),
    "rename": Bug(Removal, "rename", _of_source),
    "opendir": Bug(Directories, "open", _of_inode),
    "readdir": Bug(Directories, "fill", _of_handle),
    "fsyncdir": Bug(Directories, "fsync", _of_handle),
    "releasedir": Bug(Directories, "release", _of_handle, afterwards=True),
    "forget": Bug(Tree, "forget", _of_forgotten),
}
"""One for each kind of request, by the name that the log gives it."""


def buggy() -> tuple[str, ...]:
    """The program with all the bugs: each strikes for the name `cursed-<request>`, and mkdir for BAD_KATA too."""
    return (sys.executable, __file__, "bugs")


def gated(part: str, gate: Path, *, older: bool = False) -> tuple[str, ...]:
    """The program in which a part waits: `create` or `remove` of a volume, `lookup`, `write` (then every read and write
    is a request), `fsync`, `fsyncdir`, `getattr`, `status`; or with `reply` the reply to a lookup of the name `gated`
    while `<gate>.closed` is there. It makes the file `<gate>.reached` when a request has come to it, and goes on when
    `<gate>.open` is there. `older` is as on a kernel before 6.18."""
    return (sys.executable, __file__, *(["older"] if older else []), f"{part}:{gate}")


def asking() -> tuple[str, ...]:
    """The program as on a kernel that reads and writes no file itself: every read and write is a request."""
    return (sys.executable, __file__, "asking")


def telling(file: Path) -> tuple[str, ...]:
    """The program that tells a file, which is there, in the place of the kernel whether processors may sleep."""
    return (sys.executable, __file__, f"processors:{file}")


_GATED: dict[str, tuple[type, str]] = {
    "create": (DirectoryStore, "create"),
    "remove": (DirectoryStore, "remove"),
    "lookup": (Lookups, "lookup"),
    "write": (Files, "write"),
    "fsync": (Files, "fsync"),
    "fsyncdir": (Directories, "fsync"),
    "getattr": (Inodes, "getattr"),
    "status": (Status, "now"),
}


def _patch(owner: type, method: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, method)
    setattr(owner, method, functools.wraps(original)(wrap(original)))


def _with_bug(operation: str, bug: Bug) -> None:
    cursed = b"cursed-" + operation.encode()

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def failing(part: object, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # as the original's
            struck = bug.name_of(part, arguments) == cursed
            if not struck:
                return original(part, *arguments, **named)
            if operation == "readdir":
                arguments = (*arguments[:-1], _EndingInABug(arguments[-1]))
                return original(part, *arguments, **named)
            if bug.afterwards:
                original(part, *arguments, **named)
            return 1 // 0

        return failing

    _patch(bug.owner, bug.method, wrap)


class _EndingInABug:
    """A listing of which the fourth entry is a bug, whichever reading comes to it."""

    def __init__(self, listing: Any) -> None:  # noqa: ANN401  # as the original's
        self._listing = listing

    def room_for(self, names: Sequence[bytes]) -> int:
        """As the listing's."""
        return int(self._listing.room_for(names))

    def add(self, names: Sequence[bytes], told: Sequence[object], following: int) -> None:
        """As the listing's, but for the bug."""
        sound = max(0, 4 - following)
        self._listing.add(names, told[:sound], following)
        if len(told) > sound:
            raise ZeroDivisionError

    def add_unknown(self, name: bytes, number: int, following: int, mode: int = stat.S_IFDIR) -> None:
        """As the listing's."""
        self._listing.add_unknown(name, number, following, mode)

    def give_within(self, giving: AbstractContextManager[None]) -> None:
        """As the listing's."""
        self._listing.give_within(giving)


def ask_always() -> None:
    """Have every read and write be a request, also where the kernel could do without: else none meets its bug."""
    _patch(Operations, "_opened", lambda original: lambda *arguments: original(*arguments)._replace(descriptor=None))


def _with_bad_kata() -> None:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def failing(part: object, volume: str, *arguments: Any) -> Any:  # noqa: ANN401
            return 1 // 0 if volume == BAD_KATA else original(part, volume, *arguments)

        return failing

    _patch(Volumes, "make", wrap)


def _with_gate(part: str, gate: str) -> None:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def waiting(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            if "katafs_root" not in arguments:
                Path(f"{gate}.reached").touch()
                until(Path(f"{gate}.open").exists, "the gate to open", 120)
            return original(*arguments, **named)

        return waiting

    _patch(*_GATED[part], wrap)
    if part == "write":
        ask_always()


def _with_late_reply(gate: str) -> None:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def waiting(creation: object, parent: int, name: bytes) -> Any:  # noqa: ANN401
            told = original(creation, parent, name)
            if name == b"gated" and Path(f"{gate}.closed").exists():
                Path(f"{gate}.reached").touch()
                until(Path(f"{gate}.open").exists, "the gate to open", 120)
            return told

        return waiting

    _patch(Lookups, "lookup", wrap)


def _run() -> None:
    if sys.argv[1] == "older":
        del sys.argv[1]
        grow_older()
    part, _, gate = sys.argv.pop(1).partition(":")
    if part == "reply":
        _with_late_reply(gate)
    elif part == "processors":
        processors.REQUESTS = gate
    elif gate:
        _with_gate(part, gate)
    elif part == "asking":
        ask_always()
    else:
        for operation, bug in BUGS.items():
            _with_bug(operation, bug)
        _with_bad_kata()
        ask_always()
    katafs()


if __name__ == "__main__":
    _run()
