"""A small old disk in odd states, how `katafs convert` is run on it, and how what became of it is looked at."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.harness.odd_trees import Description, described
from tests.harness.programs import Finished, User, run

KATA = "123456789A"
OUTER, INNER = KATA[:2], KATA[2:]
STRAYS = (Path("readme.txt"), Path(OUTER) / "notes")
_OLD_NS = 1_222_222_222_123_456_789
_OWN_MARK = "trusted.katafs.uncommitted"


def make_kata(top: Path, kata: str = KATA, text: str = "") -> Path:
    """A kata as a server leaves it, with links, an xattr and a setgid directory."""
    path = top / kata[:2] / kata[2:]
    sandbox = path / "lion" / "sandbox"
    sandbox.mkdir(parents=True)
    (path / "manifest.json").write_text(f'{{"id":"{kata}","language":"C"}}')
    (sandbox / "cyber-dojo.sh").write_text(f"make {text}\n")
    (sandbox / "cyber-dojo.sh").chmod(0o755)
    os.link(sandbox / "cyber-dojo.sh", sandbox / "twin")
    (sandbox / "dangling").symlink_to("/nowhere/at/all")
    os.setxattr(path / "manifest.json", "user.note", b"kept")
    for number, inner in enumerate(sorted(path.rglob("*"), reverse=True)):
        os.chown(inner, 19661, 33, follow_symlinks=False)
        os.utime(inner, ns=(_OLD_NS, _OLD_NS + number), follow_symlinks=False)
    (path / "lion").chmod(0o2775)
    os.chown(path, 33, 19661)
    path.chmod(0o2755)
    os.utime(path, ns=(_OLD_NS, _OLD_NS - 7))
    return path


def make_disk(top: Path, *katas: str) -> None:
    """An old disk with these katas, or one, and strays at the top and beside a kata."""
    top.mkdir(exist_ok=True)
    for kata in katas or (KATA,):
        make_kata(top, kata)
    (top / OUTER).mkdir(exist_ok=True)
    for stray in STRAYS:
        (top / stray).write_bytes(b"stray\n")
        os.utime(top / stray, ns=(_OLD_NS, _OLD_NS + 99))
    for outer in top.glob("??"):
        os.chown(outer, 33, 33)
        outer.chmod(0o2770)
        os.utime(outer, ns=(_OLD_NS, _OLD_NS + 1000))
    os.chown(top, 19661, 19661)
    top.chmod(0o711)
    os.utime(top, ns=(_OLD_NS, _OLD_NS + 2000))


def convert(source: Path, volumes: Path | str, *arguments: str, status: int | None = 0,
            env: Mapping[str, str] | None = None, user: User | None = None) -> Finished:  # fmt: skip
    """Run `katafs convert ARGUMENTS… --from SOURCE` to its end."""
    return run([sys.executable, "-m", "katafs", *words(source, volumes, *arguments)], status=status, env=env, user=user)


def words(source: Path, volumes: Path | str, *arguments: str) -> list[str]:
    """The arguments of that command."""
    url = f"dir:{volumes}" if isinstance(volumes, Path) else volumes
    return ["convert", *(arguments or ("--all",)), "--from", str(source), "--volumes", url]


def look(path: Path) -> Description | None:
    """All of a tree, or of one entry; None where nothing is."""
    if not os.path.lexists(path):
        return None
    found = described(path, atimes=False) if path.is_dir() and not path.is_symlink() else _entry(path)
    return {name: (*facts[:6], _without_mark(facts[6]), *facts[7:]) for name, facts in found.items()}


def look_untouched(path: Path) -> Description | None:
    """The same of a tree whose ctimes matter, by way of a copy: `look` sets back the atimes that it moves."""
    with tempfile.TemporaryDirectory(dir=path.parent) as copy:
        run(["cp", "-a", path, f"{copy}/copy"])
        return look(Path(copy) / "copy")


def _entry(path: Path) -> Description:
    # `described` walks a directory: its entry for the one name in there.
    whole = described(path.parent, atimes=False)
    return {b".": whole[os.fsencode(path.name)]}


def _without_mark(xattrs: object) -> object:
    assert isinstance(xattrs, dict)
    return {name: value for name, value in xattrs.items() if name != _OWN_MARK}


def marked(volume: Path) -> bool:
    """Whether a volume's top says that it isn't committed."""
    return _OWN_MARK in os.listxattr(volume)


def attributes(path: Path) -> tuple[int, ...]:
    """A directory's own."""
    status = path.stat()
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns


def rubbish(*tops: Path) -> list[Path]:
    """What katafs has left below these under names of its own."""
    return [path for top in tops for path in top.rglob(".katafs-*")]
