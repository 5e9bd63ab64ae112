"""Calls that some thread is to make, each with the future that gets its result."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

Task = tuple[Future[Any], Callable[[], Any]]


def do(future: Future[Any], call: Callable[[], Any]) -> None:
    """Make the call, unless it was cancelled. Whatever it raises is for who asks the future."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as problem:  # noqa: BLE001 it is the caller's, who asks the future
        future.set_exception(problem)
    else:
        future.set_result(result)
