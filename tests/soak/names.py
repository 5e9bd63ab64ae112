"""What a client does to names and attributes: each function draws what is to be done, and returns the act."""

import os
import shutil

from tests.soak.choice import Choice
from tests.soak.files import seen
from tests.soak.sides import Act, Side


def rename(choice: Choice) -> Act:
    """Rename, mostly over something."""
    old, new = choice.two()

    def act(side: Side) -> object:
        os.rename(side.root / old, side.root / new)
        return seen(side.root / new)

    return act


def replace(choice: Choice) -> Act:
    """Write beside it and rename over it, as careful programs do."""
    name, content = choice.file(), choice.content()

    def act(side: Side) -> object:
        path = side.root / name
        beside = path.with_name("beside")
        beside.write_bytes(content)
        try:
            beside.rename(path)
        finally:
            beside.unlink(missing_ok=True)
        return path.read_bytes() == content, seen(path)

    return act


def unlink(choice: Choice) -> Act:
    """Remove a name."""
    name = choice.of(choice.any(), choice.new())
    return lambda side: os.unlink(side.root / name)


def link(choice: Choice) -> Act:
    """A second name."""
    old, new = choice.two()

    def act(side: Side) -> object:
        os.link(side.root / old, side.root / new, follow_symlinks=False)
        return os.path.samestat(os.lstat(side.root / old), os.lstat(side.root / new)), seen(side.root / new)

    return act


def symlink(choice: Choice) -> Act:
    """To something beside or below it, that may be there or not."""
    name, target = choice.new(), choice.inside()

    def act(side: Side) -> object:
        os.symlink(target, side.root / name)
        return os.readlink(side.root / name), seen(side.root / name)

    return act


def mkdir(choice: Choice) -> Act:
    """A directory, or an avatar's."""
    name, mode = choice.of(choice.directory(), choice.empty()), choice.mode()

    def act(side: Side) -> object:
        os.mkdir(side.root / name, mode)
        return seen(side.root / name)

    return act


def rmdir(choice: Choice) -> Act:
    """Remove one, if it is empty."""
    name = choice.of(choice.any(), choice.empty(), choice.empty())
    return lambda side: os.rmdir(side.root / name)


def remove_tree(choice: Choice) -> Act:
    """Remove one with all that is in it."""
    name = choice.directory()
    return lambda side: shutil.rmtree(side.root / name)


def names(choice: Choice) -> Act:
    """Look at a directory, or try to."""
    name = choice.of(choice.any(), choice.directory(), choice.kata())

    def act(side: Side) -> object:
        with os.scandir(side.root / name) as found:
            return sorted((each.name, each.is_dir(follow_symlinks=False), each.is_symlink()) for each in found)

    return act


def chmod(choice: Choice) -> Act:
    """Permissions."""
    name, mode = choice.any(), choice.mode()

    def act(side: Side) -> object:
        os.chmod(side.root / name, mode)
        return seen(side.root / name)

    return act


def chown(choice: Choice) -> Act:
    """User and group."""
    name, uid, gid = choice.any(), choice.owner(), choice.owner()

    def act(side: Side) -> object:
        os.chown(side.root / name, uid, gid, follow_symlinks=False)
        return seen(side.root / name)

    return act


def set_times(choice: Choice) -> Act:
    """Both times, to the nanosecond."""
    name, times_ns = choice.any(), (choice.time_ns(), choice.time_ns())

    def act(side: Side) -> object:
        os.utime(side.root / name, ns=times_ns, follow_symlinks=False)
        status = os.lstat(side.root / name)
        return status.st_atime_ns, status.st_mtime_ns

    return act


def set_xattr(choice: Choice) -> Act:
    """Set or replace an extended attribute, or remove it."""
    name, value = choice.any(), choice.text().encode()
    attribute, removes = f"user.{choice.of('x', 'y')}", choice.number(4) == 0

    def act(side: Side) -> object:
        path = side.root / name
        if removes:
            os.removexattr(path, attribute)
        else:
            os.setxattr(path, attribute, value)
        return {each: os.getxattr(path, each) for each in os.listxattr(path)}

    return act
