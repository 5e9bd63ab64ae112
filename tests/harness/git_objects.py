"""Git's objects written by hand, loose or in a pack, so that they may be wrong."""

import hashlib
import struct
import zlib
from pathlib import Path


def loose_path(repository: Path, sha: str) -> Path:
    """Where git keeps a loose object."""
    return repository / "objects" / sha[:2] / sha[2:]


def write_loose(repository: Path, kind: str, content: bytes, *, sha: str = "", says: int | None = None) -> str:
    """Write a loose object, on wish under a sha or with a size that isn't its own."""
    header = f"{kind} {len(content) if says is None else says}\0".encode()
    sha = sha or hashlib.sha1(header + content).hexdigest()
    path = loose_path(repository, sha)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(header + content))
    return sha


def tree_of(repository: Path, **shas: str) -> str:
    """A tree of these .json files."""
    entries = (f"100644 {name}.json\0".encode() + bytes.fromhex(sha) for name, sha in sorted(shas.items()))
    return write_loose(repository, "tree", b"".join(entries))


def tag_tree(repository: Path, tree: str) -> None:
    """Make tag 1 stand for a tree."""
    who = "lion_123456789A <lion@cyber-dojo.org> 1472464800 +0000"
    commit = write_loose(repository, "commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\n1\n".encode())
    write_tag(repository, "commit", commit)


def write_tag(repository: Path, kind: str, sha: str, when: str = "1472464800") -> str:
    """Make tag 1 stand for any object."""
    tagger = f"lion_123456789A <lion@cyber-dojo.org> {when} +0000"
    tag = write_loose(repository, "tag", f"object {sha}\ntype {kind}\ntag 1\ntagger {tagger}\n\n1\n".encode())
    (repository / "refs/tags/1").write_text(f"{tag}\n")
    return tag


def tag_manifest(repository: Path, sha: str) -> None:
    """Make this blob the manifest.json of tag 1."""
    tag_tree(repository, tree_of(repository, manifest=sha))


def varint(number: int) -> bytes:
    """A size as deltas have it."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def entry(kind: int, content: bytes, base: bytes = b"", says: int | None = None) -> bytes:
    """One entry of a pack."""
    size = len(content) if says is None else says
    first, size = size & 15, size >> 4
    head = bytes([kind << 4 | first | 0x80]) + varint(size) if size else bytes([kind << 4 | first])
    return head + base + zlib.compress(content)


def distance(number: int) -> bytes:
    """How far before its delta a base lies, as a pack has it."""
    written = [number & 0x7F]
    while number > 0x7F:
        number = (number >> 7) - 1
        written.insert(0, number & 0x7F | 0x80)
    return bytes(written)


def copy_of(size: int) -> bytes:
    """A delta whose result is its base, of less than 64 KiB, and one byte more."""
    return varint(size) + varint(size + 1) + bytes([0x80 | 0x30, size & 255, size >> 8, 1]) + b"x"


def write_pack(repository: Path, entries: list[tuple[str, bytes]]) -> Path:
    """Write a pack of these entries, and an index that finds each that has a sha."""
    data = b"PACK" + struct.pack(">LL", 2, len(entries))
    offsets = {}
    for sha, written in entries:
        if sha:
            offsets[bytes.fromhex(sha)] = len(data)
        data += written
    data += hashlib.sha1(data).digest()
    shas = sorted(offsets)
    index = b"\377tOc\0\0\0\2" + b"".join(struct.pack(">L", sum(sha[0] <= n for sha in shas)) for n in range(256))
    index += b"".join(shas) + bytes(4 * len(shas)) + b"".join(struct.pack(">L", offsets[sha]) for sha in shas)
    index += data[-20:]
    index += hashlib.sha1(index).digest()
    pack = repository / "objects/pack" / f"pack-{data[-20:].hex()}.pack"
    pack.write_bytes(data)
    pack.with_suffix(".idx").write_bytes(index)
    return pack
