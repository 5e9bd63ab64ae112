"""What serves each kind of request: a dispatcher's methods, which may be handed on to others, and watched."""

import threading
from collections.abc import Callable

from katafs.fuse.requests import Method

Watching = Callable[[Method], Method]
"""Makes of a method one of the same name that does the same, and sees what it does."""

Route = Callable[[int, Method], Method]
"""Makes of a request's number and its method one of the same name that may hand the request to another."""


class Methods:
    """The methods by the requests' numbers. They are made anew for whoever watches, and not asked about that with each
    request."""

    def __init__(self, bare: dict[int, Method]) -> None:
        self.serving = self._bare = bare
        """Replaced in one step."""
        self._watching: list[Watching] = []
        self._changing = threading.Lock()
        """Covers their being made anew."""

    def names(self) -> dict[int, str]:
        """The operations' names, by the requests' numbers."""
        return {opcode: method.__name__ for opcode, method in self._bare.items()}

    def route(self, route: Route) -> None:
        """Serve every request from now on by what this makes of its kind and method."""
        with self._changing:
            self._bare = {opcode: route(opcode, method) for opcode, method in self._bare.items()}
            self.serving = self._watched()

    def watch(self, watching: Watching) -> None:
        """Serve every request from now on with what this makes of its method."""
        with self._changing:
            self._watching.append(watching)
            self.serving = self._watched()

    def unwatch(self, watching: Watching) -> None:
        """Undo `watch`: without anybody who watches, requests cost what they did before."""
        with self._changing:
            self._watching.remove(watching)
            self.serving = self._watched()

    def _watched(self) -> dict[int, Method]:
        methods = self._bare
        for watching in self._watching:
            methods = {opcode: watching(method) for opcode, method in methods.items()}
        return methods
