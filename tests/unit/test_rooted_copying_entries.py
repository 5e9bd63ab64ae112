"""Copies of single entries: as in the copy of their tree."""

import errno
import os
from pathlib import Path

import pytest

from katafs.rooted.copying import copy_entry
from tests.harness.descriptors import held
from tests.harness.leases import leased
from tests.harness.odd_trees import acl, described, make_odd_tree
from tests.harness.refusals import refused

ENTRIES = ("plain", "setuid", "setgid", "with-acl", "sparse", "big", "empty", "link", "absolute", "fifo", "socket")


def copy_one(source: Path, target: Path) -> None:
    with held(source.parent) as left, held(target.parent) as right:
        copy_entry(left, os.fsencode(source.name), right, os.fsencode(target.name))


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_copied_alone_as_in_its_tree(source: Path, target: Path, name: str) -> None:
    make_odd_tree(source)
    before = described(source)[name.encode()]
    os.setxattr(target, "system.posix_acl_default", acl(99, 7))
    copy_one(source / name, target / "new")

    assert described(target)[b"new"] == (*before[:-1], [b"new"])


def test_a_directory_is_no_entry_to_copy(source: Path, target: Path) -> None:
    with refused(errno.EISDIR):
        copy_one(source, target / "new")


def test_an_entry_replaces_none(source: Path, target: Path) -> None:
    (source / "file").write_bytes(b"new")
    (target / "file").write_bytes(b"old")
    with refused(errno.EEXIST):
        copy_one(source / "file", target / "file")
    assert (target / "file").read_bytes() == b"old"


@pytest.mark.parametrize("name", [b"..", b"a/b", b"", b"."])
def test_a_name_that_leads_elsewhere_is_refused(source: Path, target: Path, name: bytes) -> None:
    (source / "file").touch()
    with held(source) as left, held(target) as right:
        with refused(errno.EINVAL):
            copy_entry(left, b"file", right, name)
        with refused(errno.EINVAL):
            copy_entry(left, name, right, b"file")


@pytest.mark.timeout(30)
def test_half_an_entry_does_not_stay(source: Path, target: Path) -> None:
    (source / "file").write_bytes(b"content")
    with leased(source / "file"), refused(errno.EAGAIN):
        copy_one(source / "file", target / "new")
    assert os.listdir(target) == []
