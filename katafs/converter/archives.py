"""A directory as the archive that the servers gave for a download: what `tar -zcf ID.tgz 12/3456789A` writes.

It is POSIX's pax format (pax(1)), which alone has times to the nanosecond, names of any bytes, large numbers and, by
GNU tar's own keywords, xattrs. Owners are numbers. Equal directories make equal archives.
A file with many holes is packed without them (GNU tar's `--sparse`), so that these have to be equal, too.
"""

import contextlib
import gzip
import os
import stat
import tarfile
from typing import BinaryIO

from katafs.converter.sparse_members import add_sparse
from katafs.errors import ExportFailed
from katafs.rooted import inodes
from katafs.rooted.contents import data_ranges
from katafs.rooted.walks import Entry, walk

_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
_XATTR = "SCHILY.xattr."
_MOST_HOLES_BYTES = 64 << 20
"""So many bytes of a file's holes are written, as zeros, which any tar can read."""


def write_archive(top: int, name: str, file: BinaryIO) -> None:
    """Write a directory, as one that is called `name`, and all below it. Raises ExportFailed for a socket, which no
    archive can hold, and OSError."""
    linked: dict[int, str] = {}
    """What has several names, by its inode's number, with the first of them."""
    with (
        contextlib.closing(walk(top)) as steps,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        tarfile.TarFile(
            fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
        ) as archive,
    ):
        for entry, leaving in steps:
            if not leaving:
                _add(archive, entry, os.fsdecode(os.path.join(os.fsencode(name), *entry.parts)), linked)


def _add(archive: tarfile.TarFile, entry: Entry, name: str, linked: dict[int, str]) -> None:
    member = _member(entry, name)
    if not entry.is_directory and entry.status.st_nlink > 1:
        first = linked.setdefault(entry.status.st_ino, name)
        if first != name:
            member.type, member.linkname = tarfile.LNKTYPE, first
    if member.type != tarfile.REGTYPE:
        archive.addfile(member)
        return
    member.size = entry.status.st_size
    with open(inodes.open_again(entry.descriptor, os.O_RDONLY), "rb") as content:
        ranges = [*data_ranges(content.fileno(), member.size)]
        if member.size - sum(end - start for start, end in ranges) > _MOST_HOLES_BYTES:
            add_sparse(archive, member, content, ranges)
        else:
            content.seek(0)
            archive.addfile(member, content)


def _member(entry: Entry, name: str) -> tarfile.TarInfo:
    status = entry.status
    kind = _TYPES.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        raise ExportFailed(f"{name!r} can't be in an archive: it is a socket or a device")
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = stat.S_IMODE(status.st_mode)
    member.uid, member.gid = status.st_uid, status.st_gid
    # As digits, since tarfile's own number, a float, has no room for nanoseconds.
    seconds, nanoseconds = divmod(abs(status.st_mtime_ns), 10**9)
    member.pax_headers = {"mtime": f"{'-' if status.st_mtime_ns < 0 else ''}{seconds}.{nanoseconds:09}"}
    if kind == tarfile.SYMTYPE:
        member.linkname = os.fsdecode(inodes.read_link(entry.descriptor))
    for key, value in sorted(inodes.all_xattrs(entry.descriptor).items()):
        member.pax_headers[_XATTR + os.fsdecode(key)] = os.fsdecode(value)
    return member
