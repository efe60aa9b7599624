"""The chunked transfer coding, encoding and decoding (RFC 9112 section 7.1).

Invariant: a chunk that is not exactly well-formed ends the connection.

Extensions are checked and ignored, trailers are checked and dropped: nothing after the body may
change a decision that was made before it.
"""

from __future__ import annotations

import re

from arlen_runtime.errors import BadRequest, HeadersTooLarge
from arlen_runtime.http.fields import read_line

LAST_CHUNK = b"0\r\n\r\n"

_LINE_BYTES = 1024
# For a whole body: no limit on the body counts the bytes of its extensions.
_EXTENSION_BYTES = 16_384

# Groups are not possessive: CPython before 3.11.5 matches possessive groups wrongly (its issue
# 106052) and accepted `5;`.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_EXTENSION = rb"[ \t]*+;[ \t]*+" + _TOKEN + rb"(?:[ \t]*+=[ \t]*+(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:" + _EXTENSION + rb")*)")  # 15 digits stay below 2^63


def chunk(data: bytes) -> bytes:
    """Frame one piece of a body. An empty piece gives no chunk, because that would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class ChunkedDecoder:
    """Decode one chunked body out of a growing buffer.

    The total cost is linear in the number of bytes, however they arrive.
    """

    __slots__ = (
        "_extension_bytes",
        "_read_step",
        "_remaining",
        "_searched",
        "_trailer_bytes",
        "_trailers",
        "done",
        "limits",
    )

    def __init__(self, trailer_bytes: int, trailer_count: int) -> None:
        """Build a decoder with limits on the trailer section."""
        self.done = False
        self.limits = (trailer_bytes, trailer_count)
        self._read_step = self._read_size
        self._remaining = 0
        self._searched = 0
        self._extension_bytes = 0
        self._trailer_bytes = 0
        self._trailers = 0

    def decode(self, buffer: bytes | bytearray, at: int) -> tuple[bytes, int]:
        """Decode from position `at`; return the data and the position of the first unused byte.

        Raises BadRequest for bad framing and HeadersTooLarge for too many trailers.
        """
        pieces: list[bytes] = []
        while not self.done:
            if self._remaining:
                piece = bytes(buffer[at : at + self._remaining])
                if not piece:
                    break
                pieces.append(piece)
                self._remaining -= len(piece)
                at += len(piece)
            else:
                used = self._read_step(buffer, at)
                if used < 0:
                    break
                at += used
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), at

    def _line(self, buffer: bytes | bytearray, at: int, limit: int) -> bytes | None:
        """Return the line at `at` without its CRLF, None if it is incomplete.

        A bare LF is refused at once.
        """
        end = buffer.find(b"\n", at + self._searched, at + limit)
        if end < 0:
            self._searched = len(buffer) - at
            if self._searched >= limit:
                raise BadRequest("A line of the chunked body is too long.")
            return None
        self._searched = 0
        line = bytes(buffer[at:end])
        if not line.endswith(b"\r"):
            raise BadRequest("A line of the chunked body ends without CR LF.")
        return line[:-1]

    def _read_size(self, buffer: bytes | bytearray, at: int) -> int:
        """Read the line before a chunk; return the bytes used, -1 if it is incomplete."""
        line = self._line(buffer, at, _LINE_BYTES)
        if line is None:
            return -1
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise BadRequest("A chunk does not start with its size in hexadecimal digits.")
        self._extension_bytes += len(match[2])
        if self._extension_bytes > _EXTENSION_BYTES:
            raise BadRequest("The chunk extensions are too long.")
        self._remaining = int(match[1], 16)
        self._read_step = self._read_end if self._remaining else self._read_trailer
        return len(line) + 2

    def _read_end(self, buffer: bytes | bytearray, at: int) -> int:
        """Read the CRLF after a chunk's data; return the bytes used, -1 if it is incomplete."""
        end = buffer[at : at + 2]
        if not b"\r\n".startswith(end):
            raise BadRequest("The data of a chunk is not followed by CR LF.")
        if len(end) < len(b"\r\n"):
            return -1
        self._read_step = self._read_size
        return 2

    def _read_trailer(self, buffer: bytes | bytearray, at: int) -> int:
        """Check one trailer field and drop it; the empty line ends the body."""
        max_bytes, max_fields = self.limits
        line = self._line(buffer, at, max_bytes)
        if line is None:
            return -1
        if not line:
            self.done = True
            return 2
        read_line(line)
        self._trailers += 1
        self._trailer_bytes += len(line)
        if self._trailers > max_fields or self._trailer_bytes > max_bytes:
            raise HeadersTooLarge("The trailer section of the body is too large.")
        return len(line) + 2
