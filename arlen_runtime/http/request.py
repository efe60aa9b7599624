"""A request: the facts of the wire. One rule: nothing here changes after it is built.

`Head` is what the header block says, `Request` is a head and its body. Whoever builds the Head (propane, the test
client, the WSGI adapter) also draws its id and says who the client is.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from arlen_runtime.http.headers import Headers


class Head(NamedTuple):
    """The header block, understood.

    `path` and `query` are the target's two halves as they came, still percent-encoded (RFC 3986 section 2); `host` is the
    authority that wins (RFC 9112 section 3.2.2), empty in HTTP/1.0 without Host. `minor` is 0 or 1 of HTTP/1.x.
    `content_length` is None without one; `chunked` and `content_length` exclude each other. `client` is the address of the
    client as far as trusted proxies tell, `peer` the socket's own, `scheme` "http" or "https".
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

    @property
    def has_body(self) -> bool:
        """Say whether a body follows (RFC 9112 section 6.3)."""
        return self.chunked or bool(self.content_length)

    @property
    def target(self) -> str:
        """The path and the query as one, as they came."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Request:
    """A head and its body. The body is bytes, or a file opened at its start when it was spooled to disk."""

    __slots__ = ("_spool", "body_bytes", "head")

    def __init__(self, head: Head, body: bytes = b"", spool: BinaryIO | None = None) -> None:
        """Take the head and the whole body, in memory or in a file."""
        self.head = head
        self.body_bytes = body
        self._spool = spool

    @property
    def body(self) -> bytes:
        """The whole body. A spooled one is read into memory: large uploads want `stream` instead."""
        if self._spool is not None:
            self._spool.seek(0)
            return self._spool.read()
        return self.body_bytes

    @property
    def spool(self) -> BinaryIO | None:
        """The file that holds the body, or None when it is in memory."""
        return self._spool
