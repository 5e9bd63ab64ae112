"""Volume names with a store's prefix in front."""

import pytest

from katafs.kata_id import ROOT_VOLUME, VolumeName
from katafs.volumes.names import Prefix


@pytest.mark.parametrize("name", ["123456789A", "123456789A_lion", ROOT_VOLUME])
@pytest.mark.parametrize("prefix", ["", "test-", "12", "A.b_"])
def test_strip_undoes_put(prefix: str, name: str) -> None:
    assert Prefix(prefix).strip(Prefix(prefix).put(VolumeName(name))) == name


@pytest.mark.parametrize("stored", ["123456789A", "other-123456789A", "test-", "test-test-123456789A", "test-root"])
def test_what_does_not_fit_the_prefix_is_no_volume(stored: str) -> None:
    assert Prefix("test-").strip(stored) is None


@pytest.mark.parametrize("name", ["", ".", "..", "../123456789A", "123456789A/lion", "123456789A_", "123456789A\n"])
def test_no_other_name_is_ever_put(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a volume"):
        Prefix("").put(VolumeName(name))


@pytest.mark.parametrize("prefix", ["../outside/", "a/", "/", ".", "-", "_", "a b", "a\n", "a\0", "é"])
def test_what_no_store_can_have_in_front_of_a_name_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="begin"):
        Prefix(prefix)
