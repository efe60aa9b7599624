"""The body of a request whose handler reads it while it arrives (`body="stream"`).

The chain runs before the body, so a 401 does not cost the upload of a gigabyte. The limits of rate
and size are those of a body that the server collects.

Invariant: the handler's thread owns the connection until the request is answered. A thread that the
handler started may read later, at any moment: it gets an error, and no byte of the next request.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Iterator

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import BadRequest, PayloadTooLarge, RequestTimeout
from arlen_runtime.propane.worker.connection import Connection


class StreamingBody:
    """`request.stream`: read it by size, or piece by piece."""

    def __init__(self, connection: Connection, limit: int, limits: LimitsSection) -> None:
        """Raise PayloadTooLarge if Content-Length is above `limit` bytes."""
        head = connection.head
        assert head is not None  # noqa: S101 - there is a request
        if head.content_length is not None and head.content_length > limit:
            raise PayloadTooLarge(f"The body has {head.content_length} bytes; this address takes {limit}.")
        self._connection = connection
        self._lock = threading.Lock()  # held while a thread uses the parser: `close` waits for that
        self._closed = False
        self._limit = limit
        self._limits = limits
        self._continue_due = head.expects_continue
        self._started = time.monotonic()
        self._received = 0
        self._buffer = memoryview(b"")  # a view: small reads do not copy the rest

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, without a size all that is left; nothing at the end.

        Raises RequestTimeout below the minimum rate, PayloadTooLarge above the limit, BadRequest if
        the client ends early or the request has been answered.
        """
        pieces: list[bytes] = []
        remaining = sys.maxsize if size < 0 else size
        while remaining and (self._buffer or self._fill_buffer()):
            piece = bytes(self._buffer[:remaining])
            self._buffer = self._buffer[len(piece) :]
            pieces.append(piece)
            remaining -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Let no thread read any more: the request is answered."""
        with self._lock:
            self._closed = True

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces as they arrive. Raises what `read` raises."""
        if self._buffer:
            buffered, self._buffer = bytes(self._buffer), memoryview(b"")
            yield buffered
        while piece := self._next_piece():
            yield piece

    def _fill_buffer(self) -> bool:
        """Get the next piece. Return False at the end of the body."""
        self._buffer = memoryview(self._next_piece())
        return bool(self._buffer)

    def _next_piece(self) -> bytes:
        while (piece := self._take_piece()) is None:
            self._wait_readable()
        return piece

    def _take_piece(self) -> bytes | None:
        """Return what has arrived, nothing at the end of the body, None if it is still to come."""
        connection, parser = self._connection, self._connection.parser
        # The handler's thread is here, or a thread that the handler started and did not join. The
        # leader may have timed the request out, or the request may be answered: from then on the
        # parser has the bytes of the next request. So nothing is taken from it without the lock.
        with self._lock:
            while not self._closed:
                piece = parser.read_body()
                if piece:
                    self._received += len(piece)
                    if self._received > self._limit:
                        raise PayloadTooLarge(
                            f"The body is larger than the {self._limit} bytes that this address takes."
                        )
                    return piece
                if parser.body_done:
                    return b""
                if not connection.receive():
                    if connection.eof:
                        raise BadRequest("The connection ended before the body did.")
                    return None
                # Each piece restarts the time-out of the handler: the client is slow, not the
                # handler. A store only: the leader checks `deadline` when the old one is due (see
                # Deadlines).
                connection.deadline = time.monotonic() + self._limits.request_timeout_seconds
        raise BadRequest("The request has been answered; its body can no longer be read.")

    def _wait_readable(self) -> None:
        # 100 Continue is sent now, when the handler wants the body (RFC 9110 section 10.1.1).
        connection, limits = self._connection, self._limits
        if self._continue_due:
            self._continue_due = False
            connection.send_continue()
        allowed = limits.body_seconds + self._received / limits.body_bytes_per_second
        # A fast start does not allow a longer silence: a thread waits here.
        deadline = min(self._started + allowed, time.monotonic() + limits.body_seconds)
        mask = 0
        while not mask & ~select.POLLOUT:
            poll = select.poll()
            poll.register(connection.fd, select.POLLIN | (select.POLLOUT if connection.out is not None else 0))
            events = poll.poll(max(deadline - time.monotonic(), 0) * 1000)
            if self._closed:
                return  # the next look raises
            if not events:
                raise RequestTimeout("The body of the request took too long to arrive.")
            mask = events[0][1]
            connection.flush()
