"""What a client may do in a turn, and how often each of it comes."""

from collections.abc import Callable
from typing import NamedTuple

from tests.soak import files, held, katas, names, tools
from tests.soak.choice import Choice
from tests.soak.sides import Act

NEW_KATA = "new kata"
"""The one that the client itself does, since it knows which katas there are."""


class Operation(NamedTuple):
    """How often, against the others; and what draws the act."""

    weight: int
    draw: Callable[[Choice], Act]


OPERATIONS = {
    "new avatar": Operation(8, katas.make_avatar),
    "write": Operation(120, files.write),
    "create": Operation(60, files.create),
    "overwrite": Operation(60, files.overwrite),
    "sparse": Operation(10, files.sparse),
    "append by two": Operation(60, files.append),
    "truncate": Operation(40, files.truncate),
    "allocate": Operation(20, files.allocate),
    "mmap": Operation(30, files.map_pages),
    "read": Operation(100, files.read),
    "hold open": Operation(40, held.hold),
    "write held": Operation(40, held.write_held),
    "read held": Operation(40, held.read_held),
    "rename": Operation(60, names.rename),
    "replace": Operation(40, names.replace),
    "unlink": Operation(60, names.unlink),
    "link": Operation(40, names.link),
    "symlink": Operation(40, names.symlink),
    "mkdir": Operation(60, names.mkdir),
    "rmdir": Operation(40, names.rmdir),
    "remove a tree": Operation(4, names.remove_tree),
    "list": Operation(60, names.names),
    "chmod": Operation(40, names.chmod),
    "chown": Operation(40, names.chown),
    "set times": Operation(40, names.set_times),
    "set xattr": Operation(40, names.set_xattr),
    "git commit": Operation(16, tools.git_commit),
    "git status": Operation(10, tools.git_look),
    "git gc": Operation(2, tools.git_gc),
    "tar": Operation(4, tools.tar),
    "rsync": Operation(4, tools.rsync),
    "container": Operation(3, tools.container),
}

WEIGHTS = {NEW_KATA: 3, **{name: each.weight for name, each in OPERATIONS.items()}}
