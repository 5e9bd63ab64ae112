"""Judges the engine and the volumes: reachable, refused, and how much room is left. Asks nobody."""

import re
import shlex
from collections.abc import Iterator

from katafs.doctor.findings import Finding, note, ok, problem
from katafs.doctor.volume_facts import Space, Volumes

_FULL_PERCENT = 1.0
_NEARLY_FULL_PERCENT = 10.0
_MORE_SPACE = "free some, or move volumes to a larger disk: writes fail with ENOSPC when none is left"
_MORE_INODES = "delete files, or use a file system with more inodes: no file can be made when none is left"
_WRITABLE = (
    "dmesg says whether the disk failed, for then file systems do so themselves; else mount -o remount,rw, "
    "or katafs mount --read-only where it is meant to be"
)
_REPAIRED = (
    "dmesg has the error; unmount katafs and the disk, check it (fsck), and mount both again: "
    "katafs holds the disk, so that a lazy unmount doesn't end it"
)
_MOST_REFUSED = 20
"""Told one by one; the rest is counted."""
_NAMED_VOLUMES_SPARED_SINCE = 23
_NAMED_VOLUMES_SPARED_API = (1, 42)
"""https://docs.docker.com/engine/api/version-history/#v142-api-changes: prune takes only anonymous volumes. A client
that speaks an older API deletes what it always did, whatever the engine."""


def engine(version: str, api: str, oldest_api: str, url: str) -> Iterator[Finding]:
    """An engine that answers; `version` as `20.10.24+dfsg1`, `api` as `1.41`, and `oldest_api`, which is the oldest
    that it speaks with any client, too."""
    yield ok("engine", f"Docker Engine {version} answers at {url}, API {api}")
    major = re.match(r"\d+", version)
    if major and int(major[0]) < _NAMED_VOLUMES_SPARED_SINCE:
        yield note(
            "prune",
            f"on Docker Engine {version} `docker volume prune` deletes every volume that no container uses: every kata",
            "never run it here, nor `docker system prune --volumes`; Docker Engine 23 and later spare named volumes",
        )
    elif (oldest := re.match(r"(\d+)\.(\d+)", oldest_api)) and _numbers(oldest) < _NAMED_VOLUMES_SPARED_API:
        yield note(
            "prune",
            "`docker volume prune` of a client before 23 deletes every volume that no container uses: every kata",
            "run none here, nor with DOCKER_API_VERSION before 1.42; "
            "DOCKER_MIN_API_VERSION=1.42 in the environment of Docker Engine 25 or later has it refuse them",
        )


def _numbers(found: re.Match[str]) -> tuple[int, ...]:
    return tuple(map(int, found.groups()))


def unreachable(reason: str, url: str) -> Finding:
    """A store that can't be opened; `url` as `--volumes` has it."""
    if url == "docker":
        remedy = "systemctl start docker; DOCKER_HOST names another; only root and the group docker may ask it"
    else:
        remedy = "make the directory, or mount the disk that it is on; --volumes dir:PATH names another one"
    return problem("volumes", reason, remedy)


def silent(url: str, seconds: float) -> Finding:
    """Volumes of which one couldn't be opened in time."""
    return problem(
        "volumes",
        f"{url}: not all volumes could be opened within {seconds:g} s: a disk below one of them hangs",
        "dmesg and docker volume inspect say which; see to its network, or unmount it",
    )


def not_made_yet(path: str) -> Finding:
    """The default directory, which `katafs mount` makes."""
    return note("volumes", f"there is no Docker Engine here, and no {path} yet", "nothing to do: katafs mount makes it")


def volumes(found: Volumes) -> Iterator[Finding]:
    """Which are refused, and the room where they are."""
    for place in found.unseen:
        yield problem(
            "volumes",
            f"the volumes' own directory can't be opened: {place}",
            "run katafs on the engine's host, as root; in a container, give it this directory at the same path",
        )
    for place in found.entered:
        yield note(
            "access",
            f"every local user can enter {place}, and run set-user-ID programs that containers leave in volumes there",
            f"chmod o-x {shlex.quote(place)}, unless others than root are to come there",
        )
    for reason in found.refused[:_MOST_REFUSED]:
        yield problem(
            "refused",
            reason,
            "docker volume inspect shows it; a volume of type=none,o=bind is served from a directory of this host",
        )
    more = len(found.refused) - _MOST_REFUSED
    if more > 0:
        yield problem(
            "refused", f"{_counted(more, 'more volume')} can't be served", "katafs doctor again, when these are seen to"
        )
    if not found.refused:
        yield ok("volumes", f"{found.url}: {_counted(found.count, 'volume')}, and none is refused")
    for space in found.spaces:
        text = f"{space.where}: {_size(space.free_bytes)} free"
        if space.read_only:
            yield problem("read-only", f"{space.where}: mounted read-only, so that nothing can be stored", _WRITABLE)
        elif space.stopped:
            text_of_it = f"{space.where}: its file system has stopped after an error ({space.stopped})"
            yield problem("read-only", f"{text_of_it}, so that nothing can be stored", _REPAIRED)
        yield _room("space", text, space.free_bytes, space.size_bytes, _MORE_SPACE)
        yield _inodes(space)


def _inodes(space: Space) -> Finding:
    if not space.inodes:
        return ok("inodes", f"{space.where}: inodes are made as they are needed")
    text = f"{space.where}: {space.free_inodes} inodes free"
    return _room("inodes", text, space.free_inodes, space.inodes, _MORE_INODES)


def _room(check: str, text: str, free: int, total: int, remedy: str) -> Finding:
    percent = 100 * free / total if total else 0.0
    text = f"{text}, {percent:.1f} %"
    if percent >= _NEARLY_FULL_PERCENT:
        return ok(check, text)
    return problem(check, text, remedy) if percent < _FULL_PERCENT else note(check, text, remedy)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
