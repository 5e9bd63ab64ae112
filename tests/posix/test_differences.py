"""The listed differences from ext4 are real, and there is a reason for each."""

import pytest

from tests.posix.compare import Pair
from tests.posix.differences import DIFFERENCES, Difference


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.title.replace(" ", "-"))
def test_difference_still_exists(pair: Pair, difference: Difference) -> None:
    with pair.ext4.place() as at:
        found = difference.case(at)
    with pair.mount.place() as at:
        mounted = difference.case(at)
    is_older = difference.older is not None and found == difference.older
    assert (found, mounted) == ((found, found) if is_older else (difference.ext4, difference.mount))
    assert difference.ext4 != difference.mount, "no difference: compare it in the suite instead"
    assert difference.reason


def test_each_difference_is_listed_once() -> None:
    titles = [difference.title for difference in DIFFERENCES]
    assert len(titles) == len(set(titles))
