"""A request: `Head` is its header block, `Request` a head with its body. Both are immutable.

The code that builds a Head (propane, the test client, the WSGI adapter) also generates its id and
determines the client's address.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple, Protocol

from arlen_runtime.http.headers import Headers


class Head(NamedTuple):
    """A parsed header block.

    `path` and `query` are the two halves of the target as they came, still percent-encoded (RFC
    3986 section 2). `host` is the authority that counts (RFC 9112 section 3.2.2), "" in
    HTTP/1.0 without Host. `minor` is 0 or 1 of HTTP/1.x. `content_length` is None if there is
    none; `chunked` and `content_length` exclude each other. `client` is the client's address
    according to trusted proxies, `peer` that of the socket, `scheme` "http" or "https".
    `correlated` is the correlation id that a trusted proxy passed on, "" if none.
    """

    method: str
    path: str
    query: str
    minor: int
    headers: Headers
    host: str
    keep_alive: bool
    content_length: int | None
    chunked: bool
    expects_continue: bool
    id: str
    client: str
    peer: str
    scheme: str
    correlated: str = ""

    @property
    def correlation_id(self) -> str:
        """The correlation id passed on by a trusted proxy, else the request's own id."""
        return self.correlated or self.id

    @property
    def ids(self) -> dict[str, str]:
        """Both ids, as fields for a log record."""
        return {"request_id": self.id, "correlation_id": self.correlation_id}

    @property
    def has_body(self) -> bool:
        """Whether a body follows (RFC 9112 section 6.3)."""
        return self.chunked or bool(self.content_length)

    @property
    def target(self) -> str:
        """The path and the query as one, as they came."""
        return f"{self.path}?{self.query}" if self.query else self.path


class BodyStream(Protocol):
    """A body that can be read piece by piece: a file, or one that is still arriving."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all remaining bytes without a size, b"" at the end."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces."""
        ...


class ClosableStream(BodyStream, Protocol):
    """A body that is still arriving, until it is closed."""

    def close(self) -> None:
        """Let nothing be read any more."""
        ...


class Request:
    """A head and its body: bytes in memory, a file at its start, or a body still arriving."""

    __slots__ = ("_live", "_spool", "body_bytes", "head")

    def __init__(
        self, head: Head, body: bytes = b"", spool: BinaryIO | None = None, live: BodyStream | None = None
    ) -> None:
        """Build a request; the body is in memory, in the file `spool`, or arrives by `live`."""
        self.head = head
        self.body_bytes = body
        self._spool = spool
        self._live = live

    @property
    def body(self) -> bytes:
        """The whole body. A spooled one is read into memory: use `stream` for large uploads."""
        if self._spool is not None:
            self._spool.seek(0)
            return self._spool.read()
        if self._live is not None:
            self.body_bytes += self._live.read()
        return self.body_bytes

    @property
    def stream(self) -> BodyStream:
        """The body as a file to read piece by piece.

        With `body="stream"` each piece is returned as it arrives, unless `body` was read
        before.
        """
        if self._live is not None and not self.body_bytes:
            return self._live
        return self._spool if self._spool is not None else BytesIO(self.body_bytes)

    @property
    def empty(self) -> bool:
        """Whether there are no body bytes: none came, or the endpoint does not take a body."""
        return self._spool is None and self._live is None and not self.body_bytes

    @property
    def spool(self) -> BinaryIO | None:
        """The file that holds the body, or None if it is in memory."""
        return self._spool
