"""The kinds of things a name can stand for, each made as root in the working directory."""

import os
import socket
import stat
from collections.abc import Callable

from tests.posix.place import Place

Maker = Callable[[Place, str], None]


def _socket(at: Place, name: str) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(name)


def _full_folder(at: Place, name: str) -> None:
    at.folder(name)
    at.file(f"{name}/inside")


def _link_to_file(at: Place, name: str) -> None:
    at.file(f"{name}.target", b"behind the link")
    os.symlink(f"{name}.target", name)


def _link_to_folder(at: Place, name: str) -> None:
    at.folder(f"{name}.target")
    os.symlink(f"{name}.target", name)


def _loop(at: Place, name: str) -> None:
    os.symlink(name, name)


MAKERS: dict[str, Maker] = {
    "nothing": lambda at, name: None,
    "file": lambda at, name: at.file(name, b"content"),
    "folder": lambda at, name: at.folder(name),
    "full folder": _full_folder,
    "link to file": _link_to_file,
    "link to folder": _link_to_folder,
    "dangling link": lambda at, name: os.symlink("nowhere", name),
    "looping link": _loop,
    "fifo": lambda at, name: os.mkfifo(name, 0o644),
    "socket": _socket,
    "char device": lambda at, name: os.mknod(name, stat.S_IFCHR | 0o644, os.makedev(1, 3)),
    "block device": lambda at, name: os.mknod(name, stat.S_IFBLK | 0o644, os.makedev(250, 77)),
}
KINDS = tuple(MAKERS)
EXISTING = tuple(kind for kind in KINDS if kind != "nothing")
PLAIN = tuple(kind for kind in EXISTING if "device" not in kind)


def make(at: Place, kind: str, name: str) -> None:
    MAKERS[kind](at, name)


def listing(at: Place, folder: str = ".") -> None:
    """Record every name below the folder with all that both sides must agree on, and the contents of files."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(parent, name)
            found = at.sees(path)
            if found["type"] == "l":
                at.gives(os.readlink, path)
            elif found["type"] == "-":
                at.notes(f"content of {path}", contents(path))


def contents(name: str | bytes) -> bytes:
    with open(name, "rb") as file:
        return file.read()
