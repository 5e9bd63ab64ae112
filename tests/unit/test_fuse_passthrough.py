"""Backing ids without a kernel that gives any: open files are read and written by requests, but where one is played."""

import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.fuse.passthrough import NONE, Passthrough


@pytest.fixture
def descriptor() -> Iterator[int]:
    """A device that knows nothing of backing ids."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def test_without_the_kernels_agreement_nothing_is_passed_through(descriptor: int, file: int) -> None:
    passthrough = Passthrough(descriptor)

    assert passthrough.opened(1, "inode", file) == NONE
    passthrough.released(1)


def test_a_kernel_that_refuses_is_taken_at_its_word(descriptor: int, file: int) -> None:
    passthrough = Passthrough(descriptor)
    passthrough.permit()

    assert [passthrough.opened(handle, "inode", file) for handle in (1, 2)] == [NONE, NONE]
    for handle in (1, 2):
        passthrough.released(handle)


def test_a_handle_that_is_not_known_is_passed_over(descriptor: int) -> None:
    """As one is that was opened before the kernel agreed."""
    passthrough = Passthrough(descriptor)
    passthrough.permit()

    passthrough.released(4711)


def test_an_id_is_given_back_with_the_last_open_file_of_its_inode(
    descriptor: int, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the kernel keeps the file open, also one that has lost its name."""
    close, number, given_back = 0x4004E502, 5, list[bytes]()

    def ioctl(_: int, request: int, argument: bytes) -> int:
        if request == close:
            given_back.append(argument)
        return number

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    passthrough = Passthrough(descriptor)
    passthrough.permit()

    assert [passthrough.opened(handle, "inode", file) for handle in (1, 2)] == [number, number]
    passthrough.released(1)
    assert given_back == []
    passthrough.released(2)
    assert given_back == [struct.pack("=I", number)]
