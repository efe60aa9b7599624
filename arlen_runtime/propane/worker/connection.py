"""One client connection: bytes to requests, responses to bytes.

It never blocks and decides nothing: the dispatcher asks for the next complete request and gives it
the response.

Invariant: one request at a time. The bytes of the next one are not parsed before it is answered.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context

from arlen_runtime import scope
from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import BadRequest
from arlen_runtime.http.application import Admission
from arlen_runtime.http.body import IncomingBody
from arlen_runtime.http.chunked import LAST_CHUNK, chunk
from arlen_runtime.http.events import EventStream
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import ClosableStream, Head, Request
from arlen_runtime.http.response import FileBody, Response, check_piece
from arlen_runtime.http.serializer import CONTINUE, UNKNOWN_LENGTH, Serialized
from arlen_runtime.propane.worker.deadlines import NEVER

RECEIVE_BYTES = 65536
SENDFILE_BYTES = 1 << 20
DRAIN_BYTES = 65536
"""Unwanted bodies up to this size are read and discarded; for larger ones the connection is
closed.
"""


class Connection:
    """A socket, its parser, the current request and what is left to send."""

    __slots__ = (
        "_admit",
        "_limits",
        "acknowledged",
        "admission",
        "body",
        "broken",
        "busy",
        "check_at",
        "closed",
        "context",
        "deadline",
        "ending",
        "eof",
        "fd",
        "framing",
        "full",
        "hangup",
        "head",
        "lingering",
        "more",
        "out",
        "parser",
        "pending",
        "receiving_since",
        "request",
        "response",
        "response_claim",
        "rest",
        "sent",
        "served",
        "socket",
        "started",
        "stream",
        "thread",
        "writing_since",
    )

    def __init__(
        self,
        sock: socket.socket,
        parser: RequestParser,
        admit: Callable[[Head], Admission],
        limits: LimitsSection,
    ) -> None:
        """`sock` is non-blocking; `parser` knows the origin of the requests."""
        self.socket, self.fd = sock, sock.fileno()
        self.parser = parser
        self._admit = admit
        self._limits = limits
        self.head: Head | None = None
        self.admission: Admission | None = None
        self.body: IncomingBody | None = None
        self.request: Request | None = None
        self.stream: ClosableStream | None = None  # the body, while the handler reads it itself
        self.response: Response | None = None
        self.context: Context | None = None
        # While `busy` is True the connection belongs to the thread that runs its handler, sends
        # pieces of its body, or writes its upload to disk; or it waits for its next turn. Then the
        # leader stores only `pending`, `hangup` and deadlines, unless it takes the claim. With
        # `busy` False it belongs to the leader.
        self.busy = False
        self.pending = False  # an event came while it was busy
        # Holds "queued" or "running" from the start of a request to its answer. The handler's
        # thread and the leader, on a time-out, both try to remove it; list operations are atomic,
        # so one succeeds and answers. A new list per request: an old job cannot remove a later
        # claim.
        self.response_claim: list[str] = []
        # `framing`: bytes of `sent` that are not of the body: the head, the frames of chunks
        self.thread = self.served = self.sent = self.framing = self.acknowledged = 0
        self.started = self.receiving_since = self.writing_since = 0.0
        self.out: memoryview | None = None
        self.rest: Serialized | None = None
        # `full`: the last piece of a body found the socket full. `hangup`: the poller has reported
        # the end: read until it comes.
        self.full = self.more = self.hangup = False
        self.eof = self.broken = self.ending = self.lingering = self.closed = False
        self.deadline = self.check_at = NEVER

    # --- bytes to requests

    def receive(self) -> bool:
        """Read once into the parser.

        Return False if nothing was there; then `eof` is True if nothing more will come.
        """
        self.more = False
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            self.broken = self.eof = True
            return False
        if not data:
            self.eof = True
            return False
        self.more = self.hangup or len(data) == RECEIVE_BYTES
        if not self.lingering:
            try:
                self.parser.feed(data)
            except BadRequest:  # the PROXY header is missing: not a load balancer, so no answer
                self.broken = self.eof = True
                return False
        return True

    def next_request(self) -> Request | None:
        """Return the next complete request, None if there is none yet.

        Raise the HTTPError with which it must be refused.
        """
        if self.head is None:
            head = self.parser.next_head()
            if head is None:
                return None
            self.head = head
            self.admission = self._admit(head)
            if self.parser.body_done or not self._prepare_body(head, self.admission):
                return Request(head)
        return self._collect_body(self.head)

    def _prepare_body(self, head: Head, admission: Admission) -> bool:
        """Prepare to collect the body.

        Return False if the handler reads it, or if it stays unread and the connection is closed
        after the answer.
        """
        if admission.policy == "stream":
            return False
        accepts_body = admission.policy != "none"
        if not accepts_body and (head.expects_continue or not 0 < (head.content_length or 0) <= DRAIN_BYTES):
            return False
        self.body = IncomingBody(
            admission.limit if accepts_body else DRAIN_BYTES, self._limits.spool_bytes, head.content_length
        )
        if head.expects_continue:
            self.send_continue()
        return True

    def send_continue(self) -> None:
        """Send 100 Continue, because the body will be read (RFC 9110 section 10.1.1)."""
        self._push(CONTINUE)

    def _collect_body(self, head: Head) -> Request | None:
        body = self.body
        assert body is not None  # noqa: S101 - a request whose body is being read
        if body.failed is not None:
            raise body.failed
        piece = self.parser.read_body()
        if piece:
            body.take(piece)
        if not self.parser.body_done or body.is_due(whole=True):
            return None
        if self.admission is not None and self.admission.policy == "none":
            return Request(head)  # the body was read only to find the request behind it
        data, spool = body.whole()
        return Request(head, data, spool)

    def has_body_to_write(self) -> bool:
        """Return True if pieces of the body wait to be written to its file.

        The leading thread does not do it: it must not wait for a disk.
        """
        return self.body is not None and self.body.is_due(whole=self.parser.body_done)

    # --- responses to bytes

    def send(self, serialized: Serialized) -> bool:
        """Start to send a response. Return True if all of it is in the kernel."""
        self.sent = self.acknowledged = 0
        self.ending = self.ending or serialized.close
        data = serialized.data
        if serialized.rest is None:
            self.framing = len(data) - serialized.length
        else:
            self.framing = len(data)
            self.rest = serialized
        return self._push(data)

    def flush(self) -> bool:
        """Send what waits. Return True if nothing waits; a stream may still have `rest`."""
        unsent, self.out = self.out, None
        return unsent is None or self._push(unsent)

    @property
    def log_fields(self) -> dict[str, object]:
        """Fields of a log line about the request: what it has bound, its route, and its ids."""
        bound = self.context.get(scope.log_fields, {}) if self.context is not None else {}
        route = self.admission.log_fields.fields if self.admission is not None else {}
        return {**bound, **route, **(self.head.ids if self.head is not None else {})}

    def _push(self, data: bytes | memoryview) -> bool:
        if self.out is not None:  # a 100 that found the socket full goes first
            self.framing += len(self.out)
            data, self.out = self.out.tobytes() + data, None
        while data:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                self.out = memoryview(data)
                return False
            except OSError:
                self.broken = True  # reset by the client
                return True
            self.sent += sent
            if sent == len(data):
                return True
            data = memoryview(data)[sent:]
        return True

    def send_piece(self) -> bool:
        """Fetch and send the next piece of a body. Return False if the socket is full."""
        assert self.rest is not None  # noqa: S101 - called only while there is a rest
        rest = self.rest.rest
        if isinstance(rest, FileBody):
            return self._send_file_piece(self.rest, rest)
        assert rest is not None and not isinstance(rest, EventStream)  # noqa: S101, PT018 - no event stream
        piece = next(rest, None)
        if piece is None:
            return self._end_body(b"")
        return self._push_piece(piece if type(piece) is bytes else check_piece(piece))

    def _push_piece(self, piece: bytes) -> bool:
        """Send a piece of a body of unknown length."""
        assert self.rest is not None  # noqa: S101 - called only while there is a rest
        if not self.rest.chunked or not piece:
            return self._push(piece)
        framed = chunk(piece)
        self.framing += len(framed) - len(piece)
        return self._push(framed)

    def _end_body(self, last: bytes) -> bool:
        """Send the last piece and the end of the body. Return True if all is in the kernel."""
        assert self.rest is not None  # noqa: S101 - called only while there is a rest
        data = last
        if self.rest.chunked:
            data = (chunk(last) if last else b"") + LAST_CHUNK
            self.framing += len(data) - len(last)
        self.rest = None
        return self._push(data)

    def _send_file_piece(self, serialized: Serialized, part: FileBody) -> bool:
        count = min(part.length, SENDFILE_BYTES)
        try:
            sent = os.sendfile(self.fd, part.file.fileno(), part.offset, count) if count else 0
        except BlockingIOError:
            return False
        except OSError:
            self.broken = True
            return True
        self.sent += sent
        if sent == part.length:
            part.file.close()
            self.rest = None
        elif not sent:  # the file has shrunk: Content-Length cannot be kept
            self.broken = True
        else:
            unsent = FileBody(part.file, part.offset + sent, part.length - sent)
            self.rest = serialized._replace(rest=unsent)
        return True

    @property
    def is_writing(self) -> bool:
        """Whether part of a response is not yet in the kernel."""
        return self.out is not None or self.rest is not None

    def count_acknowledged(self) -> int:
        """Count the bytes of the answer that the client's system has acknowledged.

        What the kernel still holds has not reached the client.
        """
        try:
            unacknowledged = fcntl.ioctl(self.fd, termios.TIOCOUTQ, bytes(4))
        except OSError:  # not supported for every socket: what was sent counts
            return self.sent
        return max(self.sent - int.from_bytes(unacknowledged, sys.byteorder), 0)

    def is_answering(self) -> bool:
        """Return True if a handler runs, or a response is not sent or not completed.

        `response` counts because a thread may have sent the last piece before the thread that gave
        it the job looks here.
        """
        return self.busy or self.is_writing or self.response is not None

    def can_be_handed_over(self) -> bool:
        """Return True if another process can go on: no request has begun, no end is due."""
        return self.head is None and not (self.busy or self.is_writing or self.ending or self.eof or self.broken)

    def is_disconnected(self) -> bool:
        """Return True if no answer can be delivered: both directions closed, or reset.

        Callable from any thread. A client that has closed only its own direction may still read
        (RFC 9112 section 9.6) and counts as connected.
        """
        if self.closed or self.broken:
            return True
        poll = select.poll()
        poll.register(self.fd, 0)  # POLLHUP and POLLERR are always reported
        return bool(poll.poll(0))

    def active_stream(self) -> EventStream | None:
        """Return the event stream of the client once all before it is sent, else None."""
        if self.rest is None or self.out is not None or not isinstance(self.rest.rest, EventStream):
            return None
        return self.rest.rest

    def send_events(self, data: bytes) -> bool:
        """Send events. Return True if all of them are in the kernel."""
        return self._push_piece(data)

    def end_events(self, last: bytes) -> bool:
        """Send the last events and the end of the body. Return True if all is in the kernel."""
        return self._end_body(last)

    def complete(self) -> None:
        """Forget the answered request and its response. The writer closes the body."""
        self.rest = self.out = None
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        if self.body is not None:
            self.body.close()
            self.body = None
        self.head = self.admission = self.request = self.response = self.context = None
        self.started = 0.0
        self.served += 1

    def reset_if_unframed(self) -> None:
        """Make `close` reset a connection whose body ends with it (HTTP/1.0).

        An orderly end would make an incomplete body look complete.
        """
        if self.rest is not None and not self.rest.chunked and self.rest.length == UNKNOWN_LENGTH:
            with suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def linger(self) -> None:
        """Close the sending direction only.

        Closing with unread bytes would reset the connection and lose the answer (RFC 9112 section
        9.6).
        """
        self.lingering = True
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.broken = True

    def close(self) -> None:
        """Close the socket. Only the reactor calls this."""
        self.closed = True
        if self.body is not None:
            self.body.close()
        self.socket.close()
