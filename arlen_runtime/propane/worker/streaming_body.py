"""The body of a request while its handler reads it. One rule: the handler's thread owns the connection until it is answered.

For endpoints with `body="stream"`: the chain has begun before the body, so a 401 precedes a gigabyte. Rate and size are
held to the same limits as those of a body that the reactor collects.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterator

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import BadRequest, PayloadTooLarge, RequestTimeout
from arlen_runtime.propane.worker.connection import Connection


class StreamingBody:
    """What `request.stream` is: read it by size, or piece by piece."""

    def __init__(self, connection: Connection, limit: int, limits: LimitsSection) -> None:
        """Take the connection; PayloadTooLarge at once when the announced size is above `limit` bytes."""
        head = connection.head
        assert head is not None  # noqa: S101 - there is a request
        if head.content_length is not None and head.content_length > limit:
            raise PayloadTooLarge(f"The body has {head.content_length} bytes; this address takes {limit}.")
        self._connection = connection
        self._head = head
        self._limit = limit
        self._limits = limits
        self._continue_due = head.expects_continue
        self._started = time.monotonic()
        self._received = 0
        self._buffer = memoryview(b"")  # a view: small reads take from its front without a copy of what is left

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all that is left without a size; nothing at the end.

        Raises RequestTimeout below the least rate, PayloadTooLarge above the limit, BadRequest when the client ends
        early or has been answered.
        """
        pieces: list[bytes] = []
        remaining = sys.maxsize if size < 0 else size
        while remaining and (self._buffer or self._fill_buffer()):
            piece = bytes(self._buffer[:remaining])
            self._buffer = self._buffer[len(piece) :]
            pieces.append(piece)
            remaining -= len(piece)
        return b"".join(pieces)

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces as they come. Raises what `read` raises."""
        if self._buffer:
            buffered, self._buffer = bytes(self._buffer), memoryview(b"")
            yield buffered
        while piece := self._next_piece():
            yield piece

    def _fill_buffer(self) -> bool:
        """Keep the next piece; False at the end of the body."""
        self._buffer = memoryview(self._next_piece())
        return bool(self._buffer)

    def _next_piece(self) -> bytes:
        connection, parser = self._connection, self._connection.parser
        while connection.head is self._head:
            piece = parser.read_body()
            if piece:
                self._received += len(piece)
                if self._received > self._limit:
                    raise PayloadTooLarge(f"The body is larger than the {self._limit} bytes that this address takes.")
                return piece
            if parser.body_done:
                return b""
            if connection.receive():
                # The handler's time begins anew with each piece: it is the client that takes long.
                connection.deadline = time.monotonic() + self._limits.request_timeout_seconds
            elif connection.eof:
                raise BadRequest("The connection ended before the body did.")
            else:
                self._wait_readable()
        # By the time-out, or by a handler that has left a thread behind: what comes now is somebody else's.
        raise BadRequest("The request has been answered, and its body is gone.")

    def _wait_readable(self) -> None:
        """Wait for more, as long as the least rate allows (RFC 9110 section 10.1.1: 100 only when the body is wanted)."""
        connection, limits = self._connection, self._limits
        if self._continue_due:
            self._continue_due = False
            connection.send_continue()
        allowed = limits.body_seconds + self._received / limits.body_bytes_per_second
        # What has come is no credit for silence, for a thread waits here.
        deadline = min(self._started + allowed, time.monotonic() + limits.body_seconds)
        mask = 0
        while not mask & ~select.POLLOUT:
            poll = select.poll()
            poll.register(connection.fd, select.POLLIN | (select.POLLOUT if connection.out is not None else 0))
            events = poll.poll(max(deadline - time.monotonic(), 0) * 1000)
            if not events:
                raise RequestTimeout("The body of the request took too long to arrive.")
            mask = events[0][1]
            connection.flush()
