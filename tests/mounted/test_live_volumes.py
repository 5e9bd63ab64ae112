"""A volume that a container comes to: what the kernel kept of it while it was idle is dropped, and nothing kept anew.

Real containers are in tests/system/test_container_rounds.py.
"""

import mmap
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.faulty_katafs import asking
from tests.harness.mounted import PROGRAM
from tests.harness.waiting import until
from tests.mounted.live import Live, fill, serving


@pytest.fixture(scope="module", params=[PROGRAM, asking()], ids=["passthrough", "asking"])
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """On a kernel that reads and writes files itself where it can, and on one that never does."""
    with serving(request.param) as live:
        yield live


def replace(at: Path) -> None:
    (at / "new").write_text("new")
    (at / "new").replace(at / "f")


def link_elsewhere(at: Path) -> None:
    (at / "link").unlink()
    (at / "link").symlink_to("longer")


CHANGES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object], object]] = {
    "size": (lambda at: (at / "f").write_text("longer"), lambda at: (at / "f").stat().st_size, 6),
    "mode": (lambda at: (at / "f").chmod(0o600), lambda at: (at / "f").stat().st_mode & 0o777, 0o600),
    "mtime": (lambda at: os.utime(at / "f", ns=(5, 5)), lambda at: (at / "f").stat().st_mtime_ns, 5),
    "content": (lambda at: (at / "f").write_text("longer"), lambda at: (at / "f").read_text(), "longer"),
    "inside": (lambda at: (at / "d/g").write_text("longer"), lambda at: (at / "d/g").read_text(), "longer"),
    "removed": (lambda at: (at / "d/g").unlink(), lambda at: (at / "d/g").exists(), False),
    "moved": (lambda at: (at / "d").rename(at / "e"), lambda at: sorted(os.listdir(at)), ["e", "f", "link", "linked"]),
    "moved away": (lambda at: (at / "d").rename(at / "e"), lambda at: (at / "d").exists(), False),
    "replaced": (replace, lambda at: ((at / "f").read_text(), (at / "linked").stat().st_nlink), ("new", 1)),
    "a first name": (lambda at: (at / "f").unlink(), lambda at: (at / "f").exists(), False),
    "a second name": (lambda at: (at / "linked").unlink(), lambda at: (at / "linked").exists(), False),
    "links": (lambda at: (at / "linked").unlink(), lambda at: (at / "f").stat().st_nlink, 1),
    "target": (link_elsewhere, lambda at: (os.readlink(at / "link"), (at / "link").lstat().st_size), ("longer", 6)),
    "made": (lambda at: (at / "absent").touch(), lambda at: (at / "absent").exists(), True),
    "made inside": (lambda at: (at / "d/absent").touch(), lambda at: (at / "d/absent").exists(), True),
    "listed": (lambda at: (at / "d/h").touch(), lambda at: sorted(os.listdir(at / "d")), ["g", "h"]),
    "the top": (lambda at: at.chmod(0o700), lambda at: at.stat().st_mode & 0o777, 0o700),
}
"""What a container does, what is looked at, and what must be seen."""


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_kept_is_dropped_when_a_container_comes(live: Live, change: str) -> None:
    kata = live.make()
    fill(kata)
    act, look, wanted = CHANGES[change]
    before = look(kata.shown)
    live.engine.mount(kata.name)
    act(kata.behind)

    until(lambda: look(kata.shown) == wanted, "what the container did")
    assert before != wanted


def test_a_file_that_was_open_before_shows_what_a_container_writes(live: Live) -> None:
    kata = live.make()
    fill(kata)
    with (kata.shown / "f").open("rb", buffering=0) as reading, (kata.shown / "f").open("ab+") as appending:
        assert [os.pread(file.fileno(), 1 << 20, 0) for file in (reading, appending)] == [b"old"] * 2
        live.enter(kata)
        for number in range(50):
            content = f"{number}".encode() * 3 * (number % 7 + 1)
            (kata.behind / "f").write_bytes(content)

            assert [os.pread(file.fileno(), 1 << 20, 0) for file in (reading, appending)] == [content] * 2
            assert [os.fstat(file.fileno()).st_size for file in (reading, appending)] == [len(content)] * 2


def test_what_was_read_ahead_before_is_not_shown(live: Live) -> None:
    """Pages that a reader hasn't come to yet."""
    kata = live.make()
    (kata.behind / "large").write_bytes(b"a" * (1 << 20))
    with (kata.shown / "large").open("rb", buffering=0) as reading:
        assert reading.read(4096) == b"a" * 4096
        live.enter(kata)
        (kata.behind / "large").write_bytes(b"b" * (1 << 20))

        assert reading.read(1 << 21) == b"b" * ((1 << 20) - 4096)


def test_a_mapping_from_before_shows_what_a_container_had_written_when_it_came(live: Live) -> None:
    kata = live.make()
    fill(kata)
    with (kata.shown / "f").open("rb") as file, mmap.mmap(file.fileno(), 3, prot=mmap.PROT_READ) as mapped:
        before = mapped[:]
        (kata.behind / "f").write_text("new")
        live.enter(kata)

        until(lambda: mapped[:] == b"new", "the new content")
    assert before == b"old"


def test_a_directory_that_was_open_before_lists_what_a_container_makes(live: Live) -> None:
    kata = live.make()
    fill(kata)
    directory = os.open(kata.shown / "d", os.O_RDONLY)
    assert os.listdir(directory) == ["g"]
    live.enter(kata)
    for number in range(50):
        (kata.behind / "d" / f"{number}").touch()

        assert len(os.listdir(directory)) == number + 2
    os.close(directory)


def test_a_set_user_id_bit_goes_when_somebody_else_writes(live: Live) -> None:
    needs.root()
    kata = live.make()
    fill(kata)
    (kata.behind / "f").chmod(0o4777)
    live.enter(kata)
    script = "import os, sys; os.setuid(65534); os.write(os.open(sys.argv[1], os.O_WRONLY), b'new')"
    subprocess.run([sys.executable, "-c", script, str(kata.shown / "f")], check=True, timeout=60)

    assert oct((kata.behind / "f").stat().st_mode & 0o7777) == oct(0o777)
    assert oct((kata.shown / "f").stat().st_mode & 0o7777) == oct(0o777)


def test_who_works_in_a_directory_still_knows_where(live: Live) -> None:
    """What is dropped is looked up anew, not forgotten."""
    needs.expired_names()
    kata = live.make()
    fill(kata)
    before = os.open(".", os.O_RDONLY)
    os.chdir(kata.shown / "d")
    try:
        live.enter(kata)
        assert os.getcwd() == str(kata.shown / "d")
    finally:
        os.fchdir(before)
        os.close(before)
