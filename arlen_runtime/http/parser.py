"""The requests of one connection: bytes in, heads and bodies out. One rule: no byte has two readings.

The parser finds the end of a head itself, reads it whole, and frames the body by its length or its chunks, so what is
left over is known to the byte and travels with a connection that is passed on. After an error nothing more comes out:
what follows a refused request may be the body that somebody else takes for a request.

The work is linear in the bytes however they arrive, and errors are the same: a head that comes byte by byte is refused
at the byte at which one that comes whole is.
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

# What has no place in a head, or not alone: controls, CR without LF, LF without CR (RFC 9112 section 2.2).
_STRAY = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?=[^\n])|(?<!\r)\n")

_CACHED_BLOCK_BYTES = 4096  # larger header blocks are not kept for the next request: idle connections must be cheap


class RequestParser:
    """Parse the requests of one connection, one at a time: `feed`, `next_head`, `read_body` until `body_done`, again."""

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
        """Take what a client may send, and where it comes from."""
        self._limits = limits
        self.origin = origin
        self._buffer: bytes | bytearray = b""
        self._at = 0  # where in the buffer the unread begins
        self._searched = 0  # up to where an unfinished head has been looked at
        self._line_checked = False  # whether the request line of an unfinished head has been found good
        self._crlf_skipped = False  # whether the one CRLF before a request has come
        self._error: HTTPError | None = None
        self.body_done = True
        self._remaining = 0  # bytes to come of a body with a length
        self._chunks: ChunkedDecoder | None = None
        # The header block of the request before and what it means: clients repeat it verbatim more often than not.
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
        """Whether some bytes of an unfinished head are there: time running out then means 408, else a silent close."""
        return self.body_done and self._error is None and self._at < len(self._buffer)

    @property
    def at_boundary(self) -> bool:
        """Whether no request is under way and nothing is buffered: the connection may be passed on."""
        return self.body_done and self._error is None and self._at >= len(self._buffer)

    @property
    def is_head_request(self) -> bool:
        """Whether what is unfinished or refused is a HEAD: no answer to one has a body (RFC 9110 section 9.3.2)."""
        return self.body_done and self._buffer.startswith(b"HEAD ", self._at)

    def leftover(self) -> bytes:
        """Return the bytes beyond what has been read."""
        return bytes(self._buffer[self._at :])

    def next_head(self) -> Head | None:
        """Return the next head when all of it has arrived, else None.

        Raises an HTTPError for what must be refused (400, 414, 417, 431, 501, 505), from then on always the same one:
        answer it and close. The body of the request before must have been read.
        """
        if self._error is not None:
            raise self._error
        if not self.body_done:
            raise RuntimeError("the body of the request before has not been read to its end")
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
        """Read a header block that is not the one of the request before."""
        self._last_block = None
        self._headers = fields.read(block, self._limits.header_count)
        self._framing = framing.read(self._headers, minor)
        self._minor = minor
        if len(block) <= _CACHED_BLOCK_BYTES:
            self._last_block = block

    def _check_partial_head(self) -> Head | None:
        """Refuse an unfinished (or too large) head as soon as it can only be refused; None when it may become good.

        What is looked at ends where the limit does, so that the outcome does not depend on how the bytes were cut.
        """
        buffer, at, limits = self._buffer, self._at, self._limits
        if buffer.startswith(_CRLF, at) and not self._crlf_skipped:
            # One empty line before a request is ignored (RFC 9112 section 2.2): old clients end a body with it.
            self._crlf_skipped = True
            self._at = self._searched = at + 2
            return self._next_head()
        head_limit = at + limits.header_bytes + len(_HEAD_END)
        line_limit = at + limits.request_line_bytes + len(_CRLF)
        if buffer.startswith(b"\n", at):  # the pattern below would take a CR that ends a body for this LF's
            raise BadRequest("The request starts with an LF.")
        line_end = -1 if self._line_checked else buffer.find(_CRLF, max(at, self._searched - 1), line_limit)
        line_fits = self._line_checked or line_end >= 0
        stray = _STRAY.search(
            buffer, max(at, self._searched - 1), head_limit if line_fits else min(head_limit, line_limit)
        )
        if stray is not None and not at <= line_end < stray.start():
            raise BadRequest("The head of the request holds a control character, or a CR or LF alone.")
        if line_end >= 0:
            request_line.read(bytes(buffer[at:line_end]))
            self._line_checked = True
        if stray is not None:
            raise BadRequest("The header block holds a control character, or a CR or LF alone.")
        if not line_fits and len(buffer) >= line_limit:
            raise URITooLong(f"The request line is longer than {limits.request_line_bytes} bytes.")
        if len(buffer) >= head_limit:
            raise HeadersTooLarge(f"The header block is larger than {limits.header_bytes} bytes.")
        self._searched = len(buffer)
        return None

    def read_body(self) -> bytes:
        """Return what has arrived of the current body, decoded; b"" when nothing has. `body_done` says the end.

        Raises BadRequest or HeadersTooLarge for bad chunks: answer it when that is still possible, and close.
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
