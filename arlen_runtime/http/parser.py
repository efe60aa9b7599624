"""The requests of one connection: bytes in, heads and bodies out.

Invariant: no sequence of bytes has two readings, however it was cut into pieces.

The parser finds the end of a head, reads the head as a whole, and frames the body by its length or
its chunks. So the bytes left over are known exactly, and can go with a connection that another
process takes over. After an error it returns nothing more: bytes after a refused request may be a
body that another reader takes for a request (request smuggling).

The work is linear in the number of bytes, however they arrive. Errors do not depend on the cuts
either: a head that comes byte by byte is refused at the same byte as one that comes whole.
"""

from __future__ import annotations

import re

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import BadRequest, HeadersTooLarge, HTTPError, URITooLong
from arlen_runtime.http import fields, framing, request_line
from arlen_runtime.http.chunked import ChunkedDecoder
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.origin import Origin
from arlen_runtime.http.request import Head

_CRLF = b"\r\n"
_HEAD_END = b"\r\n\r\n"

# Not allowed in a head: control characters, CR without LF, LF without CR (RFC 9112 section 2.2).
_STRAY = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?=[^\n])|(?<!\r)\n")

# Larger header blocks are not kept for the next request: idle connections must be cheap.
_CACHED_BLOCK_BYTES = 4096


class RequestParser:
    """Parse the requests of one connection, one at a time.

    Call `feed`, `next_head`, then `read_body` until `body_done`, and start again.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_chunks",
        "_crlf_skipped",
        "_error",
        "_framing",
        "_headers",
        "_last_block",
        "_limits",
        "_line_checked",
        "_minor",
        "_remaining",
        "_searched",
        "body_done",
        "origin",
    )

    def __init__(self, limits: LimitsSection, origin: Origin) -> None:
        """Build a parser with the limits and the origin of one connection."""
        self._limits = limits
        self.origin = origin
        self._buffer: bytes | bytearray = b""
        self._at = 0  # start of the unread bytes in the buffer
        self._searched = 0  # end of the bytes of a partial head that were checked
        self._line_checked = False  # whether the request line of a partial head is valid
        self._crlf_skipped = False  # whether the one CRLF before a request was skipped
        self._error: HTTPError | None = None
        self.body_done = True
        self._remaining = 0  # bytes still to come of a body with a length
        self._chunks: ChunkedDecoder | None = None
        # The header block of the previous request, and its meaning: clients mostly repeat it.
        self._last_block: bytes | None = None
        self._minor = 1
        self._headers = Headers([], {})
        self._framing: framing.Framing = framing.NOTHING

    def feed(self, data: bytes) -> None:
        """Append bytes that have arrived. After an error they are ignored."""
        if self._error is not None:
            return
        if self._at >= len(self._buffer):
            self._buffer = data
            self._at = self._searched = 0
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer)
        if self._at:
            del self._buffer[: self._at]
            self._searched = max(0, self._searched - self._at)
            self._at = 0
        self._buffer += data

    @property
    def has_partial_head(self) -> bool:
        """Whether part of a head is buffered: a timeout then answers 408, else closes silently."""
        return self.body_done and self._error is None and self._at < len(self._buffer)

    @property
    def at_boundary(self) -> bool:
        """Whether no request is in progress and nothing is buffered.

        The connection may then be passed to another process.
        """
        return self.body_done and self._error is None and self._at >= len(self._buffer)

    @property
    def is_head_request(self) -> bool:
        """Whether the unfinished or refused request is a HEAD.

        A response to HEAD has no body (RFC 9110 section 9.3.2).
        """
        return self.body_done and self._buffer.startswith(b"HEAD ", self._at)

    def leftover(self) -> bytes:
        """Return the bytes that have not been read."""
        return bytes(self._buffer[self._at :])

    def next_head(self) -> Head | None:
        """Return the next head if it has arrived completely, else None.

        Raises an HTTPError for a request that must be refused (400, 414, 417, 431, 501,
        505), from then on always the same one: respond and close. The body of the previous
        request must have been read.
        """
        if self._error is not None:
            raise self._error
        if not self.body_done:
            raise RuntimeError("the body of the previous request has not been read completely")
        try:
            return self._next_head()
        except HTTPError as error:
            self._error = error
            raise

    def _next_head(self) -> Head | None:
        """Cut the next head out of the buffer and read it."""
        buffer, at = self._buffer, self._at
        if at >= len(buffer):
            return None
        end = buffer.find(_HEAD_END, max(at, self._searched - 3))
        if end < 0 or end - at > self._limits.header_bytes:
            return self._check_partial_head()
        line, _, block = bytes(buffer[at:end]).partition(_CRLF)
        if not line or len(line) > self._limits.request_line_bytes:
            return self._check_partial_head()
        method, path, query, minor, absolute = request_line.read(line)
        if block != self._last_block or minor != self._minor:
            self._read_block(block, minor)
        host, keep_alive, length, chunked, expects_continue = self._framing
        headers, origin = self._headers, self.origin
        if absolute is not None:
            host = origin.host_of_absolute_form(*absolute)
        if origin.names_host:
            host = origin.host(headers, host)
        request_id, client, scheme, correlated = origin.resolve(headers)
        self._line_checked = self._crlf_skipped = False
        if end + 4 == len(buffer):
            self._buffer = b""  # an idle connection keeps nothing
            self._at = self._searched = 0
        else:
            self._at = self._searched = end + 4
        if chunked:
            self._chunks = ChunkedDecoder(self._limits.header_bytes, self._limits.header_count)
            self.body_done = False
        elif length:
            self._remaining = length
            self.body_done = False
        facts = (method, path, query, minor, headers, host, keep_alive, length, chunked, expects_continue,
                 request_id, client, origin.peer, scheme, correlated)  # fmt: skip
        return tuple.__new__(Head, facts)  # what Head's own __new__ does, without the Python call

    def _read_block(self, block: bytes, minor: int) -> None:
        """Read a header block that differs from the previous one."""
        self._last_block = None
        self._headers = fields.read(block, self._limits.header_count)
        self._framing = framing.read(self._headers, minor)
        self._minor = minor
        if len(block) <= _CACHED_BLOCK_BYTES:
            self._last_block = block

    def _check_partial_head(self) -> Head | None:
        """Refuse an incomplete or too large head as early as possible; None if it may become valid.

        The search ends at the limit, so that the result does not depend on how the bytes
        were cut.
        """
        buffer, at, limits = self._buffer, self._at, self._limits
        if buffer.startswith(_CRLF, at) and not self._crlf_skipped:
            # One empty line before a request is ignored (RFC 9112 section 2.2): old clients send it
            # after a body.
            self._crlf_skipped = True
            self._at = self._searched = at + 2
            return self._next_head()
        head_limit = at + limits.header_bytes + len(_HEAD_END)
        line_limit = at + limits.request_line_bytes + len(_CRLF)
        # The pattern below would pair a CR that ends a body with this LF.
        if buffer.startswith(b"\n", at):
            raise BadRequest("The request starts with an LF.")
        line_end = -1 if self._line_checked else buffer.find(_CRLF, max(at, self._searched - 1), line_limit)
        line_fits = self._line_checked or line_end >= 0
        stray = _STRAY.search(
            buffer, max(at, self._searched - 1), head_limit if line_fits else min(head_limit, line_limit)
        )
        if stray is not None and not at <= line_end < stray.start():
            raise BadRequest("The head of the request contains a control character, or a bare CR or LF.")
        if line_end >= 0:
            request_line.read(bytes(buffer[at:line_end]))
            self._line_checked = True
        if stray is not None:
            raise BadRequest("The header block contains a control character, or a bare CR or LF.")
        if not line_fits and len(buffer) >= line_limit:
            raise URITooLong(f"The request line is longer than {limits.request_line_bytes} bytes.")
        if len(buffer) >= head_limit:
            raise HeadersTooLarge(f"The header block is larger than {limits.header_bytes} bytes.")
        self._searched = len(buffer)
        return None

    def read_body(self) -> bytes:
        """Return what has arrived of the current body, decoded; b"" if nothing has.

        `body_done` tells the end. Raises BadRequest or HeadersTooLarge for bad chunks:
        respond if that is still possible, and close.
        """
        if self._error is not None:
            raise self._error
        if self._chunks is not None:
            return self._read_chunks(self._chunks)
        if not self._remaining:
            return b""
        end = self._at + self._remaining
        data = bytes(self._buffer if not self._at and len(self._buffer) <= end else self._buffer[self._at : end])
        self._at += len(data)
        self._searched = self._at
        self._remaining -= len(data)
        self.body_done = not self._remaining
        return data

    def _read_chunks(self, chunks: ChunkedDecoder) -> bytes:
        """Decode what has arrived of a chunked body."""
        try:
            data, self._at = chunks.decode(self._buffer, self._at)
        except HTTPError as error:
            self._error = error
            raise
        self._searched = self._at
        if chunks.done:
            self._chunks = None
            self.body_done = True
        return data
