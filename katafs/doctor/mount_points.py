"""Judges mount points: what is mounted there, and the bare directory beneath. Asks nobody."""

import shlex
import stat

from katafs.doctor.findings import Finding, note, ok, problem
from katafs.doctor.mount_facts import Above, Bare, State

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def mount(path: str, state: State, hanging: Above | None = None) -> Finding:
    """What is mounted on the path; `hanging` is what is mounted above it and makes it hang."""
    word = shlex.quote(path)
    if state is State.DEAD:
        return problem(
            "mount",
            f"{path}: Transport endpoint is not connected: a dead daemon left its mount there",
            f"mount again, which takes it away first; or katafs umount {word}",
        )
    if state is State.HANGS and hanging is not None:
        return _below(path, hanging)
    if state is State.HANGS:
        return problem(
            "mount",
            f"{path}: doesn't answer: its daemon hangs, or the disk below it does",
            f"kill -USR1 its daemon, whose log then says where; katafs umount --lazy {word}, and mount again",
        )
    if state is State.OTHER:
        return problem("mount", f"{path}: something else than katafs is mounted there", f"umount {word}")
    said = {State.SERVED: "katafs is mounted there and answers", State.BARE: "nothing is mounted there"}
    return ok("mount", f"{path}: {said[state]}")


def without_store(path: str, fault: str) -> Finding:
    """A mount that answers and says of its store that it can't be reached."""
    return problem(
        "mount",
        f"{path}: katafs is mounted there, and can't reach its volumes: {fault}",
        "bring back what it misses, and it goes on; where another one is there to stay, unmount and mount again",
    )


def _below(path: str, hanging: Above) -> Finding:
    """Of a path that hangs because of what is mounted above it."""
    where = shlex.quote(hanging.path)
    if not hanging.is_katafs:
        text = f"{path}: doesn't answer: the disk that is mounted on {hanging.path} doesn't"
        return problem("mount", text, f"see to that disk first; umount --lazy {where} takes it away")
    text = f"{path}: doesn't answer: it is below {hanging.path}, whose daemon hangs, or the disk below that does"
    return problem("mount", text, f"katafs doctor {where}, whose remedy comes first; or name a path outside of it")


def unusable(path: str, reason: str) -> Finding:
    """A path that can't be looked at, with the system's own words."""
    return problem("mount", f"{path}: {reason}", f"mkdir {shlex.quote(path)}, or name another mount point")


def bare(path: str, found: Bare) -> Finding:
    """The directory itself: what people and backups meet while nothing is mounted on it."""
    check, word = "mount-point", shlex.quote(path)
    while_bare = "while nothing is mounted:"
    if found.entries:
        return problem(
            check,
            f"{path}: isn't empty: backups meet that content while nothing is mounted",
            f"{while_bare} move what is in {word} elsewhere, then chattr +i {word}",
        )
    if found.immutable:
        return ok(check, f"{path}: nobody can fill it while nothing is mounted")
    if found.mode & _OTHERS_MAY_WRITE:
        return problem(
            check,
            f"{path}: others may write to it while nothing is mounted (mode {found.mode:04o})",
            f"{while_bare} chmod go-w {word} && chattr +i {word}",
        )
    return note(
        check, f"{path}: root's programs may fill it while nothing is mounted", f"{while_bare} chattr +i {word}"
    )


def hidden(path: str, reason: str) -> Finding:
    """The directory beneath a mount can't be looked at."""
    return note(
        "mount-point", f"{path}: what is beneath the mount can't be looked at: {reason}", "run katafs doctor as root"
    )
