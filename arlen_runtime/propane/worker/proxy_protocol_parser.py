"""The parser of a connection that a balancer introduces by a PROXY header. One rule: before that header nothing is read.

Once the header has come, the connection's peer is the client that it names. A balancer that speaks for itself names none.
"""

from __future__ import annotations

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http import proxy_protocol
from arlen_runtime.http.origin import Origin
from arlen_runtime.http.parser import RequestParser


class ProxyProtocolParser(RequestParser):
    """A RequestParser whose first bytes are the PROXY header's."""

    __slots__ = ("_header", "header_read")

    def __init__(self, limits: LimitsSection, origin: Origin) -> None:
        """Take the limits, and the origin of the balancer itself."""
        super().__init__(limits, origin)
        self._header = b""
        self.header_read = False

    def feed(self, data: bytes) -> None:
        """Append bytes. Raises BadRequest for a connection that begins with anything else than the header."""
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
        """Whether nothing is under way, the header neither."""
        return not self._header and super().at_boundary

    def leftover(self) -> bytes:
        """Return what has been received and not read: of the header, where it is not all there."""
        return self._header or super().leftover()
