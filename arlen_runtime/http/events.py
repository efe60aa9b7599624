"""Server-sent events: what they look like, and a body that others fill. One rule: filling it never waits.

The format is that of the WHATWG's HTML standard, section 9.2. A stream is put into by any thread; the server takes what
has come whenever the client can be written to, so a subscription holds no thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

HEARTBEAT = b":\n\n"
"""A comment: it keeps proxies from closing a quiet stream, and finds out clients that have gone."""

MAX_WAITING = 1000
"""Events that wait for a client that does not read; one more ends its stream, and it comes again by itself."""


def event(data: str, *, name: str = "", id: str = "", retry_ms: int | None = None) -> bytes:  # noqa: A002 - the field's name
    """Return one event. ValueError for a name or id that holds a line break or NUL: it would be another field."""
    for field in (name, id):
        if "\n" in field or "\r" in field or "\0" in field:
            raise ValueError(f"a name or id of an event holds no line break: {field!r}")
    lines = [f"event: {name}"] if name else []
    lines += [f"id: {id}"] if id else []
    lines += [f"retry: {retry_ms}"] if retry_ms is not None else []
    lines += [f"data: {line}" for line in data.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join([*lines, "", ""]).encode()


def retry(milliseconds: int) -> bytes:
    """Return the field that says after how long a client shall come again."""
    return b"retry: %d\n\n" % milliseconds


class EventStream:
    """A body of events. `on_close` is called once, when the client or the server has ended it."""

    __slots__ = ("__weakref__", "_notified", "_on_close", "_waiting", "_wake", "closed")

    def __init__(self, on_close: Callable[[EventStream], None] | None = None) -> None:
        """Begin with nothing."""
        self._waiting: deque[bytes] = deque()
        self._wake: Callable[[], None] | None = None
        self._notified = False
        self._on_close = on_close
        self.closed = False

    def put(self, data: bytes) -> bool:
        """Add an event; from any thread. False when the stream has ended, or ends now because nobody reads it."""
        if self.closed:
            return False
        if len(self._waiting) >= MAX_WAITING:
            self.close()
        else:
            self._waiting.append(data)
        self._notify()
        return not self.closed

    def attach(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when something has been put since the last `take`."""
        self._wake = wake
        if self._waiting or self.closed:
            self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._notified:
            self._notified = True
            self._wake()

    def take(self) -> bytes:
        """Return what has been put, whole events only; nothing when nothing has."""
        self._notified = False  # before the taking: what is put meanwhile tells again
        pieces = [self._waiting.popleft() for _ in range(len(self._waiting))]
        return b"".join(pieces)

    def close(self) -> None:
        """End the stream; what waits is still sent."""
        if not self.closed:
            self.closed = True
            if self._on_close is not None:
                self._on_close(self)
            self._notify()

    def __iter__(self) -> Iterator[bytes]:
        """Yield what is there and end: for servers that cannot subscribe, whose clients come again by themselves."""
        waiting = self.take()
        if waiting:
            yield waiting
