"""The device's descriptor, with several readers and with requests that never stop; a socket plays the kernel."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from katafs.fuse import wire
from katafs.fuse.device import Device
from tests.harness.waiting import until


@contextmanager
def _device() -> Iterator[tuple[Device, socket.socket]]:
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    device = Device(ours.detach())
    with kernels:
        yield device, kernels
        device.close()


def _asleep(thread: threading.Thread) -> bool:
    with open(f"/proc/self/task/{thread.native_id}/syscall", encoding="ascii") as call:
        return call.read().split()[0] in _POLL


_POLL = ("7", "271") if os.uname().machine == "x86_64" else ("73",)
"""poll(2) and ppoll(2), which Python's own poll() calls from 3.15 on, or where there is no other."""


def test_two_readers_may_wait_at_the_same_time() -> None:
    with _device() as (device, kernels):
        sizes: list[int | None] = []
        readers = [
            threading.Thread(target=lambda: sizes.append(device.read(memoryview(bytearray(64))))) for _ in range(2)
        ]
        for reader in readers:
            reader.start()
        until(lambda: all(_asleep(reader) for reader in readers), "both wait")
        kernels.send(b"request")
        until(lambda: sizes == [7], "one has read the request")
        device.call_away()
        for reader in readers:
            reader.join(10)
        assert sizes == [7, 0]


def test_who_is_called_away_goes_although_requests_go_on_coming() -> None:
    with _device() as (device, kernels):
        for _ in range(3):
            kernels.send(b"request")
        buffer = memoryview(bytearray(64))
        assert device.read(buffer) == 7
        device.call_away()
        assert [device.read(buffer) for _ in range(2)] == [0, 0]


def test_a_number_that_the_kernel_does_not_take_becomes_eio() -> None:
    with _device() as (device, kernels):
        device.refuse(7, 524)  # ENOTSUPP of linux/errno.h, which some file systems let out
        assert wire.REPLY_HEADER.unpack(kernels.recv(64)) == (wire.REPLY_HEADER.size, -errno.EIO, 7)
