"""Compresses responses for clients that accept it.

It compresses text types that are streamed or have at least `[compression] minimum_bytes`. It does
not compress event streams, files (static files have precompressed siblings), partial responses,
responses that are encoded already, and those with `Cache-Control: no-transform`.

The length of a compressed page reveals which of two guesses it contains (the BREACH attack). To
measure the length, the attacker must make the browser send a request, with its cookies, from
another site. So a request that has a cookie and whose Sec-Fetch-Site names another site gets an
uncompressed response. A response that sets a cookie is compressed: the cookie is not in the body.

A compressed response is another representation, so the name of the coding is added to its entity
tag (RFC 9110 section 8.8.3.3).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from arlen_runtime.config.sections import CompressionSection
from arlen_runtime.http.conditional import NOT_MODIFIED, coded, outcome
from arlen_runtime.http.events import EventStream
from arlen_runtime.http.media_types import is_compressible
from arlen_runtime.http.negotiation import best_encoding
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import FileBody, Response, WrappedBody
from arlen_runtime.middleware.chain import Layer, Proceed
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context

_UNCOMPRESSED_STATUSES = frozenset({204, 205, 206, 304})
_SAME_SITE_VALUES = frozenset({None, b"same-origin", b"none"})
_GZIP = 31  # zlib's wbits for the gzip format (RFC 1952) with the largest window


class Coder(Protocol):
    """Compresses one body."""

    def compress(self, data: bytes, /) -> bytes:
        """Add data; return the compressed bytes that are ready."""
        ...

    def flush(self, mode: int = ..., /) -> bytes:
        """Return the rest: of the body, or of the data so far, depending on `mode`."""
        ...


class Coding(Protocol):
    """A content coding: starts a coder, and has the mode that ends only a piece."""

    def __call__(self) -> tuple[Coder, int]:
        """Start a body."""
        ...


def _gzip(level: int) -> Coding:
    return lambda: (zlib.compressobj(level, zlib.DEFLATED, _GZIP), zlib.Z_SYNC_FLUSH)


def codings(level: int) -> dict[str, Coding]:
    """Return the codings of this Python, best first. zstd needs Python 3.14."""
    codings_by_name: dict[str, Coding] = {}
    if find_spec("compression") is not None:
        compressor: Callable[[], Coder] = import_module("compression.zstd").ZstdCompressor
        codings_by_name["zstd"] = lambda: (compressor(), compressor.FLUSH_BLOCK)  # type: ignore[attr-defined] # Python 3.14 only
    return codings_by_name | {"gzip": _gzip(level)}


class Compression:
    """Middleware. A route can opt out with `compress=False`."""

    options = frozenset({"compress"})

    def __init__(self, section: CompressionSection, available: Mapping[str, Coding] | None = None) -> None:
        """Read the settings. `available` replaces the codings of this Python."""
        self._enabled = section.enabled
        self._minimum_bytes = max(section.minimum_bytes, 1)  # an empty body may be that of a HEAD for a file
        self._codings = codings(section.level) if available is None else dict(available)

    def __call__(self, endpoint: Endpoint) -> Layer | None:
        """Return the layer."""
        return self._layer if self._enabled and endpoint.options.get("compress", True) else None

    def reason(self, endpoint: Endpoint) -> str:
        """Return why a route has no layer."""
        return "compress=False" if not endpoint.options.get("compress", True) else "[compression] enabled = false"

    def _layer(self, context: Context, proceed: Proceed) -> Response:
        response = proceed(context)
        body = response.body
        if type(body) is bytes and len(body) < self._minimum_bytes:
            return response
        if self._should_compress(response):
            self._compress(context.request.head, response)
        return response

    def _should_compress(self, response: Response) -> bool:
        return (
            response.status not in _UNCOMPRESSED_STATUSES
            and not isinstance(response.body, (FileBody, EventStream))
            and is_compressible(response.get("Content-Type") or "")
            and response.get("Content-Encoding") is None
            and "no-transform" not in (response.get("Cache-Control") or "").lower()
        )

    def _compress(self, head: Head, response: Response) -> None:
        """Compress the body if the client accepts it.

        Vary is sent in any case: caches must know what the response depends on (RFC 9110 section
        12.5.5).
        """
        response.add("Vary", "Accept-Encoding")
        name = best_encoding(head.headers.get_list("accept-encoding"), tuple(self._codings))
        if name is None or _is_cross_site_with_cookies(head):
            return
        tag = response.get("ETag")
        if tag is not None:
            tag = coded(tag, name)
            response.set("ETag", tag)
            if _will_be_304(head, response, tag):
                return  # the body will not be sent
        response.add("Content-Encoding", name)
        response.remove("Content-Length")
        coder, piece_ends = self._codings[name]()
        if isinstance(response.body, bytes):
            response.body = coder.compress(response.body) + coder.flush()
        else:
            pieces: Iterable[bytes] = iter(response.body)  # type: ignore[assignment] # not a file: see _should_compress
            response.body = WrappedBody(_compressed(pieces, coder, piece_ends), response.body)


def _is_cross_site_with_cookies(head: Head) -> bool:
    """Return True if another site made the browser send a request with cookies."""
    get = head.headers.get_bytes
    return get(b"cookie") is not None and get(b"sec-fetch-site") not in _SAME_SITE_VALUES


def _will_be_304(head: Head, response: Response, tag: str) -> bool:
    """Return True if the outer conditions layer will turn this response into a 304."""
    return (
        head.method == "GET"
        and response.status == 200  # noqa: PLR2004 - the only status that becomes a 304
        and outcome("GET", head.headers, tag, None) == NOT_MODIFIED
    )


def _compressed(pieces: Iterable[bytes], coder: Coder, piece_ends: int) -> Generator[bytes]:
    """Yield each piece compressed, without delay: a stream must arrive as it is sent."""
    for piece in pieces:
        data = coder.compress(piece) + coder.flush(piece_ends)
        if data:
            yield data
    yield coder.flush()
