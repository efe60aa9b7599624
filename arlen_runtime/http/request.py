"""A request: the facts of the wire. One rule: nothing here changes after it is built.

`Head` is what the header block says, `Request` is a head and its body. Whoever builds the Head (propane, the test
client, the WSGI adapter) also draws its id and says who the client is.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple, Protocol

from arlen_runtime.http.headers import Headers


class Head(NamedTuple):
    """The header block, understood.

    `path` and `query` are the target's two halves as they came, still percent-encoded (RFC 3986 section 2); `host` is the
    authority that wins (RFC 9112 section 3.2.2), empty in HTTP/1.0 without Host. `minor` is 0 or 1 of HTTP/1.x.
    `content_length` is None without one; `chunked` and `content_length` exclude each other. `client` is the address of the
    client as far as trusted proxies tell, `peer` the socket's own, `scheme` "http" or "https". `correlated` is the id that
    a trusted proxy passed on for all that belongs together, empty without one.
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
        """The id under which this request is found together with others, else its own."""
        return self.correlated or self.id

    @property
    def ids(self) -> dict[str, str]:
        """What a record of an error says about whose it is."""
        return {"request_id": self.id, "correlation_id": self.correlation_id}

    @property
    def has_body(self) -> bool:
        """Say whether a body follows (RFC 9112 section 6.3)."""
        return self.chunked or bool(self.content_length)

    @property
    def target(self) -> str:
        """The path and the query as one, as they came."""
        return f"{self.path}?{self.query}" if self.query else self.path


class BodyStream(Protocol):
    """A body that can be read piece by piece: a file, or one that is still arriving."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all that is left without a size; nothing at the end."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces."""
        ...


class Request:
    """A head and its body. The body is bytes, a file opened at its start when it was spooled, or still arriving."""

    __slots__ = ("_live", "_spool", "body_bytes", "head")

    def __init__(
        self, head: Head, body: bytes = b"", spool: BinaryIO | None = None, live: BodyStream | None = None
    ) -> None:
        """Take the head and the body: in memory, in a file, or as it arrives."""
        self.head = head
        self.body_bytes = body
        self._spool = spool
        self._live = live

    @property
    def body(self) -> bytes:
        """The whole body. A spooled one is read into memory: large uploads want `stream` instead."""
        if self._spool is not None:
            self._spool.seek(0)
            return self._spool.read()
        if self._live is not None:
            self.body_bytes += self._live.read()
        return self.body_bytes

    @property
    def stream(self) -> BodyStream:
        """The body, to be read piece by piece; under `body="stream"` each piece as it arrives, unless `body` has read it."""
        if self._live is not None and not self.body_bytes:
            return self._live
        return self._spool if self._spool is not None else BytesIO(self.body_bytes)

    @property
    def empty(self) -> bool:
        """Say whether nothing of a body is here: none came, or nobody wanted it."""
        return self._spool is None and self._live is None and not self.body_bytes

    @property
    def spool(self) -> BinaryIO | None:
        """The file that holds the body, or None when it is in memory."""
        return self._spool
