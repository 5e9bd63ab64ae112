"""Asks of mount points as `mount_facts` does, and waits only so long. Only before any thread exists: see `asking`."""

import os

from katafs.doctor import mount_facts
from katafs.doctor.asking import ANSWER_S, Unanswered, within
from katafs.doctor.mount_facts import State
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
