"""The directory to mount on: whether it will do, what is left there of a dead daemon, and who keeps it busy."""

import errno
import logging
import os
import pwd
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterable, Iterator

from katafs.errors import MountPointUnusable
from katafs.rooted.mounts import Mount, mounts, mounts_in, opened_table

_log = logging.getLogger(__name__)

TYPE = "fuse.katafs"
_USER = b"user_id="
_MOST_LINKS = 40
"""path_resolution(7)"""


def prepare(path: str, sources: Iterable[str], *, nonempty: bool) -> str:
    """The absolute path of a mount point that will do; a dead daemon's mount on it is taken away first. `sources` are
    the paths of the directories that the daemon is to find what it serves in.

    Raises MountPointUnusable with the reason in one line."""
    absolute = os.path.realpath(path)
    for source in sources:
        if any(_is_below(place, absolute) for place in _way(source)):
            raise MountPointUnusable(f"{absolute}: would cover {source}, which is to be shown there")
    while _is_stale(absolute):
        _log.info("takes away what a dead daemon left mounted", extra={"path": absolute})
        _run_unmount(absolute, lazy=True)
    if TYPE in mounted_types(absolute):
        raise MountPointUnusable(f"{absolute}: katafs is mounted there already")
    try:
        status = os.stat(absolute)
        content = os.listdir(absolute)
    except NotADirectoryError:
        raise MountPointUnusable(f"{absolute}: is not a directory") from None
    except OSError as error:
        raise MountPointUnusable(f"{absolute}: {error.strerror}") from error
    if content and not nonempty:
        raise MountPointUnusable(f"{absolute}: is not empty (-o nonempty mounts over what is there)")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        _log.info(
            "others may write to the bare mount point while nothing is mounted (chattr +i prevents it)",
            extra={"path": absolute},
        )
    return absolute


def _is_stale(path: str) -> bool:
    """Whether a dead daemon's mount is on the path. stat(2) wouldn't tell: the kernel may still know the attributes."""
    try:
        os.statvfs(path)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def resolved(path: str) -> str:
    """What realpath(3) makes of an absolute path, but that no mount on the way is asked of itself: its daemon may hang.
    What is below such a mount is asked for all the same."""
    *_, last = _way(path)
    return last


def _way(path: str) -> Iterator[str]:
    """The places that an absolute path leads through, links too, and at last where to: `/katas/../volumes` through
    /katas. They are asked for as `resolved` says."""
    points = {os.fsdecode(mount.point) for mount in mounts()}
    found, left, links = "/", _parts(path), 0
    yield found
    while left:
        there = os.path.normpath(os.path.join(found, left.pop()))
        yield there
        if there in points or not os.path.islink(there) or links == _MOST_LINKS:
            found = there
            continue
        links += 1
        target = os.readlink(there)
        if target.startswith("/"):
            found = "/"
            yield found
        left += _parts(target)


def _parts(path: str) -> list[str]:
    """The names in a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name]


def mounted_types(path: str) -> list[str]:
    """The types of the file systems mounted on a path, the topmost last."""
    return [os.fsdecode(mount.type) for mount in _mounts_on(path)]


def _mounts_on(path: str) -> list[Mount]:
    return [mount for mount in mounts() if mount.point == os.fsencode(path)]


class OwnMount:
    """The mount that this process has made on a path just now: known by its file system, since by and by another one
    may be there. A lazy unmount takes it away from its path, and it is served for as long as somebody uses it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._table = opened_table()
        """Held: the end of a mount must not fail because programs have as many files open as there may be."""
        self._reading = threading.Lock()
        """Covers the table's position: two who read it in turns, while mounts come and go, get pieces of lines."""
        self._device = self._device_now()

    def is_there(self) -> bool:
        """Whether it is what is found at its path: neither taken from there nor covered."""
        return self._device is not None and self._device_now() == self._device

    def _device_now(self) -> bytes | None:
        """The number of the topmost file system that is mounted on the path, or None."""
        with self._reading:
            now = mounts_in(self._table)
        devices = [mount.device for mount in now if mount.point == os.fsencode(self.path)]
        return devices[-1] if devices else None


def unmount(path: str, *, lazy: bool = False) -> None:
    """Unmount katafs from an absolute path without symlinks; `lazy` takes also a dead daemon's, one's that hangs, and a
    busy one away from its path, and who uses it goes on until it is done.

    Raises MountPointUnusable, with who mounted it where this is neither they nor root, and with who keeps it busy."""
    found = _mounts_on(path)
    if not found or os.fsdecode(found[-1].type) != TYPE:
        raise MountPointUnusable(f"{path}: katafs is not mounted there")
    owner = _user_of(found[-1])
    if os.geteuid() not in (0, owner):  # fusermount3's words for it are of /etc/mtab, or of a user's missing name
        raise MountPointUnusable(
            f"{path}: was mounted by {_name_of_user(owner)}: only root, or who mounted it, may unmount it"
        )
    _run_unmount(path, lazy=lazy)


def _user_of(mount: Mount) -> int:
    """Who mounted it, as each mount of FUSE says."""
    return next(int(option[len(_USER) :]) for option in mount.options if option.startswith(_USER))


def _name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _run_unmount(path: str, *, lazy: bool) -> None:
    if os.geteuid() == 0:
        # Not to be made canonical, for which a daemon that hangs would be asked.
        command = ["umount", "--no-canonicalize", *(["--lazy"] if lazy else []), "--", path]
    else:
        command = [shutil.which("fusermount3") or "fusermount3", "-u", *(["-z"] if lazy else []), "--", path]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return
    holders = list(users_of(path))
    if holders:
        raise MountPointUnusable(f"{path}: is busy: {', '.join(holders)}")
    raise MountPointUnusable(f"{path}: {' '.join(done.stderr.split()) or 'cannot be unmounted'}")


def users_of(path: str) -> Iterator[str]:
    """The processes that keep a mount busy, each as its id, its name and the first thing that it uses there: as working
    directory, root, program, open file or mapping. Reads links in /proc only, never the mount."""
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        used = next((used for used in _used_by(pid) if _is_below(used, path)), None)
        if used is not None and pid != os.getpid():
            yield f"{pid} ({_name_of(pid)}) {used if used.isprintable() else ascii(used)}"


def _is_below(used: str, path: str) -> bool:
    return used == path or used.startswith(path.rstrip("/") + "/")


def _used_by(pid: int) -> Iterator[str]:
    base = f"/proc/{pid}"
    links = [f"{base}/cwd", f"{base}/root", f"{base}/exe"]
    for folder in ("fd", "map_files"):
        try:
            links += [f"{base}/{folder}/{name}" for name in os.listdir(f"{base}/{folder}")]
        except OSError:
            continue  # the process ended, or isn't ours to look at
    for link in links:
        try:
            yield os.readlink(link)
        except OSError:
            continue  # as above


def _name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
            said = name.read().rstrip("\n")
            return said if said.isprintable() else ascii(said)  # its program chose it
    except OSError:
        return "ended"
