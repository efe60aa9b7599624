"""The parser for connections that begin with a PROXY protocol header.

Nothing else is read before that header. After it, the connection's peer is the client that the
header names. A load balancer that speaks for itself (LOCAL) names none.
"""

from __future__ import annotations

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http import proxy_protocol
from arlen_runtime.http.origin import Origin
from arlen_runtime.http.parser import RequestParser


class ProxyProtocolParser(RequestParser):
    """A RequestParser whose first bytes are a PROXY header."""

    __slots__ = ("_header", "header_read")

    def __init__(self, limits: LimitsSection, origin: Origin) -> None:
        """`origin` is that of the load balancer itself."""
        super().__init__(limits, origin)
        self._header = b""
        self.header_read = False

    def feed(self, data: bytes) -> None:
        """Append bytes. Raise BadRequest if the connection does not begin with the header."""
        if self.header_read:
            super().feed(data)
            return
        self._header += data
        proxied = proxy_protocol.read(self._header)
        if proxied is None:
            return
        self.header_read = True
        if proxied.client is not None:
            self.origin = self.origin.of(proxied.client, "https" if proxied.tls else "http")
        rest, self._header = self._header[proxied.used :], b""
        if rest:
            super().feed(rest)

    @property
    def at_boundary(self) -> bool:
        """Whether neither a header nor a request is incomplete."""
        return not self._header and super().at_boundary

    def leftover(self) -> bytes:
        """Return bytes that were received and not parsed: the incomplete header, if any."""
        return self._header or super().leftover()
