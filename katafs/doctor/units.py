"""Judges katafs' units: whether what systemd takes for mounted is. Asks nobody."""

import shlex

from katafs.doctor.findings import Finding, note, ok, problem
from katafs.doctor.unit_facts import Unit

_CHECK = "unit"


def unit(found: Unit) -> Finding | None:
    """None of one that is off, with nothing mounted; or mounted by other means, fstab's say, where it is to be off."""
    name, path = found.name, found.path
    word = shlex.quote(name)
    journal = f"journalctl --no-pager --unit {word} has the reason"
    if found.state == "active":
        if found.is_mounted:
            return ok(_CHECK, f"{name}: is active, and katafs is mounted on {path}")
        text = f"{name}: is active, but its mount isn't on {path}: it was unmounted, or something covers it"
        return problem(_CHECK, text, f"systemctl restart {word}, once nothing else is mounted there")
    if found.is_mounted and (found.is_enabled or found.state == "failed"):
        text = f"{name}: is {found.state}, and katafs is mounted on {path}: nobody starts it anew when it ends"
        return note(_CHECK, text, f"katafs umount {shlex.quote(path)} && systemctl restart {word}")
    if found.state in ("failed", "activating") and not found.is_mounted:
        return problem(_CHECK, f"{name}: is {found.state}, and nothing is mounted on {path}", journal)
    return None
