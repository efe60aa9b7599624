"""Server-sent events: their format, and a response body that other threads fill.

The format is that of the WHATWG's HTML standard, section 9.2. Any thread may call `put`, which
never waits. The server takes the waiting events whenever it can write to the client, so a
subscription occupies no thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

HEARTBEAT = b":\n\n"
"""A comment: it keeps proxies from closing a quiet stream and detects disconnected clients."""

MAX_WAITING = 1000
"""Limit of waiting events for a client that does not read.

One more ends its stream; the client reconnects by itself.
"""


def event(data: str, *, name: str = "", id: str = "", retry_ms: int | None = None) -> bytes:  # noqa: A002 - the field's name
    """Return one event.

    Raises ValueError for a name or id with a line break or NUL, which would inject another
    field.
    """
    for field in (name, id):
        if "\n" in field or "\r" in field or "\0" in field:
            raise ValueError(f"an event name or id must not contain a line break or NUL: {field!r}")
    lines = [f"event: {name}"] if name else []
    lines += [f"id: {id}"] if id else []
    lines += [f"retry: {retry_ms}"] if retry_ms is not None else []
    lines += [f"data: {line}" for line in data.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join([*lines, "", ""]).encode()


def retry(milliseconds: int) -> bytes:
    """Return the field that sets after how long a client reconnects."""
    return b"retry: %d\n\n" % milliseconds


class EventStream:
    """A body of events. `on_close` is called once, when the client or the server has ended it."""

    __slots__ = ("__weakref__", "_notified", "_on_close", "_waiting", "_wake", "closed")

    def __init__(self, on_close: Callable[[EventStream], None] | None = None) -> None:
        self._waiting: deque[bytes] = deque()
        self._wake: Callable[[], None] | None = None
        self._notified = False
        self._on_close = on_close
        self.closed = False

    def put(self, data: bytes) -> bool:
        """Add an event, from any thread.

        Returns False if the stream has ended, or ends now because the client does not read
        it.
        """
        if self.closed:
            return False
        if len(self._waiting) >= MAX_WAITING:
            self.close()
        else:
            self._waiting.append(data)
        self._notify()
        return not self.closed

    def attach(self, wake: Callable[[], None]) -> None:
        """Call `wake` when something was put since the last `take`."""
        self._wake = wake
        if self._waiting or self.closed:
            self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._notified:
            self._notified = True
            self._wake()

    def take(self) -> bytes:
        """Return the waiting events, whole ones only; b"" if there are none."""
        # Before taking: another thread may call put() at this moment, and must then wake again.
        self._notified = False
        pieces = [self._waiting.popleft() for _ in range(len(self._waiting))]
        return b"".join(pieces)

    def close(self) -> None:
        """End the stream; waiting events are still sent."""
        if not self.closed:
            self.closed = True
            if self._on_close is not None:
                self._on_close(self)
            self._notify()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the waiting events and end.

        For servers that cannot subscribe: their clients reconnect by themselves.
        """
        waiting = self.take()
        if waiting:
            yield waiting
