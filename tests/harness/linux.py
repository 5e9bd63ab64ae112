"""Which Linux the daemons of the tests are on: the machine's, or what KATAFS_TEST_LINUX names."""

import os

Version = tuple[int, int]


def linux_to_be() -> Version:
    """Major and minor number. With KATAFS_TEST_LINUX=5.4 the fixtures mount by tests/harness/linux_5_4.py; no other
    value does anything but tell `needs` what to skip."""
    release = os.environ.get("KATAFS_TEST_LINUX") or os.uname().release
    major, minor = release.split("-")[0].split(".")[:2]
    return int(major), int(minor)
