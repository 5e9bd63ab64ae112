"""Counts of requests, which several threads add to."""

import errno
import threading

import pytest

from katafs.fuse import wire
from katafs.fuse.tally import Tally
from tests.harness import needs

THREADS = 4
EACH = 50_000


@pytest.mark.usefixtures("hasty")
def test_no_request_or_error_is_lost_between_threads() -> None:
    needs.cpython("counting in one step")
    tally = Tally()

    def ask() -> None:
        for _ in range(EACH):
            tally.asked[wire.LOOKUP] += 1
            tally.failed("lookup", errno.ENOENT)

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tally.operations({wire.LOOKUP: "lookup"}) == {"lookup": THREADS * EACH}
    assert tally.errors() == {"lookup": {"ENOENT": THREADS * EACH}}


def test_two_requests_of_one_name_count_together() -> None:
    tally = Tally()
    tally.asked[wire.RENAME] += 1
    tally.asked[wire.RENAME2] += 2

    names = {wire.RENAME: "rename", wire.RENAME2: "rename", wire.LINK: "link"}

    assert tally.operations(names) == {"rename": 3}


def test_errors_are_counted_by_operation_and_name() -> None:
    tally = Tally()
    for number in (errno.ENOENT, errno.ENOENT, errno.EIO, 4711):
        tally.failed("lookup", number)

    assert tally.errors() == {"lookup": {"4711": 1, "EIO": 1, "ENOENT": 2}}
