"""What an operator hears of an operation that failed: where that was."""

import errno
import logging
import os

import pytest

from katafs.errors import StoreUnreachable
from katafs.mount.status import Faults
from katafs.observe.lines import extras
from tests.unit.kernel import Kernel

UNKNOWN = 1 << 40


@pytest.mark.parametrize("error", [OSError(errno.EIO, "no"), StoreUnreachable("gone"), ZeroDivisionError("oh")])
def test_a_failure_is_told_with_the_path_of_what_was_asked_for(
    tree: Kernel, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    tree.mkdir(b"/123456789A")
    number = tree.mkdir(b"/123456789A/lion").number

    Faults(tree.tree).errno_of("opendir", error, number)

    assert extras(caplog.records[-1])["path"] == "/123456789A/lion"


@pytest.mark.parametrize("node", [None, UNKNOWN])
def test_what_was_asked_of_nothing_in_the_tree_has_no_path(
    tree: Kernel, caplog: pytest.LogCaptureFixture, node: int | None
) -> None:
    assert Faults(tree.tree).errno_of("read", OSError(errno.EIO, "no"), node) == errno.EIO
    assert "path" not in extras(caplog.records[-1])


def test_an_ordinary_answer_costs_no_look_at_the_tree(
    tree: Kernel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(tree.tree, "path_of", os.abort)

    assert Faults(tree.tree).errno_of("lookup", OSError(errno.ENOENT, "no"), tree.mkdir(b"/a").number) == errno.ENOENT
