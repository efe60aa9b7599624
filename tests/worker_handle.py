"""The server's side of `Application.start`, for tests of an application without a server."""

from __future__ import annotations

from collections.abc import Callable


class Worker:
    """What the server passes to the application. Tests set `stopping` and call the `hooks`."""

    generation = 3

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.stopping = False
        self.hooks: list[Callable[[], None]] = []

    def draining(self) -> bool:
        return self.stopping

    def metrics(self) -> str:
        return ""

    def shared(self, name: str, size: int) -> memoryview:  # noqa: ARG002 - WorkerHandle's signature
        return memoryview(bytearray(size))

    def on_stop(self, hook: Callable[[], None]) -> None:
        self.hooks.append(hook)
