"""mmap: shared and private mappings, beside descriptors that write, append, grow and close."""

import gc
import mmap
import os

from tests.posix.compare import compared
from tests.posix.objects import contents
from tests.posix.place import Place
from tests.posix.processes import child


@compared
def test_mapping_is_shared_both_ways(at: Place) -> None:
    at.file("f", b"x" * 10_000)
    fd = at.open("f")
    with mmap.mmap(fd, 10_000) as mapped:
        mapped[0:5] = b"mmap!"
        assert at.gives(os.pread, fd, 5, 0) == b"mmap!"
        os.pwrite(fd, b"write", 5000)
        assert at.notes("seen in the mapping", mapped[5000:5005]) == b"write"
        mapped.flush()
    assert contents("f")[:5] == b"mmap!"
    with open(os.path.join(at.backing, "f"), "rb") as behind:
        assert at.notes("behind", behind.read(5)) == b"mmap!"


@compared
def test_two_mappings_in_two_processes(at: Place) -> None:
    at.file("f", b"." * 8192)

    def other() -> None:
        with open("f", "r+b") as file, mmap.mmap(file.fileno(), 8192) as mapped:
            mapped[4096:4101] = b"child"

    with open("f", "r+b") as file, mmap.mmap(file.fileno(), 8192) as mapped:
        mapped[0:6] = b"parent"
        with child(other):
            pass
        assert at.notes("in the mapping", mapped[4096:4101]) == b"child"
    assert at.gives(contents, "f") == b"parent".ljust(4096, b".") + b"child".ljust(4096, b".")


@compared
def test_private_mapping_changes_nothing(at: Place) -> None:
    at.file("f", b"x" * 4096)
    with open("f", "rb") as file, mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_COPY) as mapped:
        mapped[0:3] = b"abc"
    assert at.gives(contents, "f") == b"x" * 4096


@compared
def test_mapping_and_appending_descriptor(at: Place) -> None:
    at.file("f", b"x" * 4000)
    appender = at.open("f", os.O_WRONLY | os.O_APPEND)
    with open("f", "r+b") as file, mmap.mmap(file.fileno(), 4000) as mapped:
        mapped[0:6] = b"mapped"
        os.write(appender, b"appended")
        mapped[10:15] = b"again"
        mapped.flush()
        assert at.sees("f")["size"] == 4008
    assert at.gives(contents, "f") == b"mappedxxxxagain" + b"x" * 3985 + b"appended"


@compared
def test_mapping_of_a_file_that_grows(at: Place) -> None:
    at.file("f", b"x" * 100)
    fd = at.open("f")
    with mmap.mmap(fd, 100) as mapped:
        os.ftruncate(fd, 8192)
        mapped.resize(8192)
        mapped[8000:8003] = b"end"
    assert at.gives(contents, "f") == b"x" * 100 + bytes(7900) + b"end" + bytes(189)


@compared
def test_mapping_outlives_its_descriptor_and_name(at: Place) -> None:
    at.file("f", b"x" * 4096)
    fd = os.open("f", os.O_RDWR)
    mapped = mmap.mmap(fd, 4096)
    os.link("f", "g")
    os.close(fd)
    os.unlink("f")
    mapped[0:4] = b"late"
    mapped.close()
    assert at.gives(contents, "g") == b"late" + b"x" * 4092


@compared
def test_mapping_needs_the_right_descriptor(at: Place) -> None:
    at.file("f", b"x" * 4096)

    def mapped(fd: int, protection: int) -> None:
        mmap.mmap(fd, 4096, mmap.MAP_SHARED, protection).close()

    reader, writer = at.open("f", os.O_RDONLY), at.open("f", os.O_WRONLY)
    assert at.tries(mapped, reader, mmap.PROT_WRITE) == "EACCES"
    assert at.tries(mapped, writer, mmap.PROT_READ) == "EACCES"
    assert at.tries(mapped, reader, mmap.PROT_READ) == "ok"
    at.folder("d")
    assert at.tries(mapped, at.open("d", os.O_RDONLY), mmap.PROT_READ) in ("ENODEV", "EACCES")
    gc.collect()  # PyPy's mmap has duplicated the descriptor before it is refused
