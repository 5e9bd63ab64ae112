"""What is told of where a thread is."""

import sys
from types import CodeType
from typing import Any

from katafs.observe import stacks


class CompiledWithItsCaller:
    """A frame of PyPy's, of a call that it has compiled into the one around it."""

    f_code: CodeType = sys._getframe().f_code  # noqa: SLF001  # the only way to have one
    f_lineno = 7

    @property
    def f_back(self) -> object:
        raise SystemError("unexpected internal exception: <InvalidVirtualRef object>")


def test_calls_are_told_from_the_innermost_on() -> None:
    def inner() -> str:
        return stacks._stack(sys._getframe())  # noqa: SLF001

    innermost, caller, *rest = inner().split(" < ")

    assert innermost.endswith(" inner")
    assert caller.startswith("tests/unit/test_stacks.py:")
    assert caller.endswith(" test_calls_are_told_from_the_innermost_on")
    assert len(rest) > 10


def test_what_can_not_be_told_is_left_out() -> None:
    frame: Any = CompiledWithItsCaller()

    assert stacks._stack(frame) == "tests/unit/test_stacks.py:7 CompiledWithItsCaller < …"  # noqa: SLF001
