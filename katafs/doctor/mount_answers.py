"""Asks of mount points as `mount_facts` does, and waits only so long. Only before any thread exists: see `asking`."""

import json
import os

from katafs.doctor import mount_facts, mount_points
from katafs.doctor.asking import ANSWER_S, Unanswered, within
from katafs.doctor.findings import Finding
from katafs.doctor.mount_facts import Above, State
from katafs.errors import MountPointUnusable
from katafs.mount import mount_point


def resolved(path: str) -> str:
    """The path, absolute and without symlinks; as it is written where the disk that it is on doesn't answer."""
    absolute = os.path.abspath(path)
    try:
        return within(ANSWER_S, mount_point.resolved, absolute)
    except Unanswered:
        return absolute


def state(path: str) -> State:
    """The state of an absolute path, HANGS included. Raises OSError where nothing is there, or not for this user."""
    try:
        return within(ANSWER_S, mount_facts.state, path)
    except Unanswered:
        return State.HANGS


def judged(path: str, found: State) -> Finding:
    """What there is to say of an absolute path in this state. Of one that hangs it is found out which mount does, and
    one that answers is asked for its volumes."""
    fault = _store_fault(path) if found is State.SERVED else None
    if fault is not None:
        return mount_points.without_store(path, fault)
    return mount_points.mount(path, found, _hanging_above(path) if found is State.HANGS else None)


def _store_fault(path: str) -> str | None:
    """Why the mount can't reach its store; None also where it may not be asked, or doesn't say in time."""
    try:
        status = json.loads(within(ANSWER_S, mount_facts.status, path))
    except (Unanswered, OSError):
        return None
    fault: str | None = status["store"]["fault"]
    return fault


def _hanging_above(path: str) -> Above | None:
    for above in mount_facts.mounted_above(path):
        try:
            within(ANSWER_S, os.statvfs, above.path)
        except Unanswered:
            return above
        except OSError:
            continue
    return None


def answered(path: str) -> State | None:
    """The same; None where whoever goes on will say what is wrong. Raises MountPointUnusable where it hangs: whoever
    goes on would wait for it, too."""
    try:
        found = state(path)
    except OSError:
        return None
    if found is State.HANGS:
        raise MountPointUnusable(judged(path, found).in_a_line())
    return found
