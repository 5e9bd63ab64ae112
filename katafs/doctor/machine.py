"""Judges the machine: FUSE, the kernel, limits, the mount namespace, updatedb. Asks nobody."""

import errno
import os
import re

from katafs.config import TreeSettings
from katafs.doctor.findings import Finding, note, ok, problem
from katafs.doctor.machine_facts import FUSE_DEVICE, Fusermount, Namespaces
from katafs.mount.mount_point import TYPE

_NEEDED = (
    ((5, 2), "open_tree, for converting across mounts"),
    ((5, 4), "FUSE 7.31, which is the oldest that katafs speaks"),
)
"""Since when the kernel has what katafs can't do without: the manual pages of section 2, linux/fuse.h."""

_ENOUGH_DESCRIPTORS = 2 * TreeSettings.open_directories
"""Half of them are for directories, the rest for the files that programs open."""
_IN_CONTAINER = f"in a container: docker run --device {FUSE_DEVICE} --cap-add SYS_ADMIN …"


def fuse(refusal: int) -> Finding:
    """`refusal` is an errno, 0 for none."""
    if not refusal:
        return ok("fuse", f"{FUSE_DEVICE} can be used")
    text = f"{FUSE_DEVICE} can't be used: {os.strerror(refusal)}"
    if refusal in (errno.EPERM, errno.EACCES):
        return problem("fuse", text, f"for ordinary users: chmod 666 {FUSE_DEVICE}; {_IN_CONTAINER}")
    return problem("fuse", text, f"modprobe fuse; {_IN_CONTAINER}")


def fusermount(found: Fusermount, uid: int) -> Finding:
    """`uid` is the user who would mount: root needs no help."""
    if found.path and found.setuid_root:
        return ok("fusermount", f"ordinary users can mount: {found.path}")
    if found.path is None:
        text, remedy = "ordinary users can't mount: there is no fusermount3", "apt-get install fuse3"
    else:
        text = f"ordinary users can't mount: {found.path} isn't setuid root"
        remedy = f"chown root {found.path} && chmod u+s {found.path}"
    return note("fusermount", text, remedy) if uid == 0 else problem("fusermount", text, remedy)


def kernel(release: str) -> Finding:
    """`release` as uname(2) has it."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if numbers is None:
        return note("kernel", f"Linux {release}: its version can't be told", "katafs needs Linux 5.4 or later")
    lacking = [what for since, what in _NEEDED if (int(numbers[1]), int(numbers[2])) < since]
    if lacking:
        return problem("kernel", f"Linux {release} lacks {'; '.join(lacking)}", "run Linux 5.4 or later")
    return ok("kernel", f"Linux {release}")


def descriptors(limit: int) -> Finding:
    """`limit` is a number of descriptors."""
    if limit >= _ENOUGH_DESCRIPTORS:
        return ok("descriptors", f"a process may have {limit} open files")
    return problem(
        "descriptors",
        f"a process may have only {limit} open files, and katafs wants {_ENOUGH_DESCRIPTORS} and more",
        "LimitNOFILE=65536 in the unit; ulimit -Hn 65536 in a shell of root's",
    )


def namespace(found: Namespaces) -> Finding:
    """Whether what is mounted from here is seen by the rest of the machine."""
    if found.own is None or found.first is None:
        return note(
            "namespace",
            "whether this is the machine's own mount namespace can't be told",
            "as root, compare readlink /proc/self/ns/mnt with readlink /proc/1/ns/mnt",
        )
    if found.own == found.first:
        return ok("namespace", "what is mounted here is seen by the whole machine")
    return problem(
        "namespace",
        "this is a private mount namespace: nobody outside of it sees what is mounted here",
        "nsenter --target 1 --mount katafs …; in a unit: no ProtectSystem=, PrivateTmp=, PrivateMounts= and the like",
    )


def updatedb(text: str | None, service: str = "") -> Finding | None:
    """`text` is that of updatedb.conf(5); None, as the answer too, where there is none. `service` is what was added to
    the unit that runs updatedb."""
    if text is None:
        return None
    pruned = re.search(r"""^\s*PRUNEFS\s*=\s*["']?([^"'\n]*)""", text, re.MULTILINE)
    told = re.search(rf"^ExecStart=.*--add-prunefs[ =]{re.escape(TYPE)}(\s|$)", service, re.MULTILINE)
    if told or (pruned and TYPE.lower() in pruned[1].lower().split()):
        return ok("updatedb", f"updatedb leaves {TYPE} alone")
    return note(
        "updatedb",
        "updatedb walks every kata each night",
        f"""add {TYPE} to PRUNEFS in /etc/updatedb.conf: sed -i 's/^PRUNEFS="/&{TYPE} /' /etc/updatedb.conf""",
    )
