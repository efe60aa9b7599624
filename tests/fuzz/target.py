"""The fuzzed functions.

Invariant: any input is parsed in one way, refused with a known status, or incomplete.

The first byte of an input sets how the rest is cut; the result must not depend on it. The readers
of bodies, cookies and conditions are fed too; they may raise only the errors that they document.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import HTTPError
from arlen_runtime.http import conditional, cookies, forms, json_body, negotiation, proxy_protocol, ranges
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser

LIMITS = LimitsSection(request_line_bytes=256, header_bytes=1024, header_count=16)
STATUSES = frozenset({400, 414, 417, 421, 431, 501, 505})
ORIGIN = Origin("192.0.2.1", "http", TrustedProxies(["192.0.2.0/24"]), IdSource())
MOST_BYTES = 4096

Reading = tuple[list[object], int | None, bytes]


def read(data: bytes, size: int) -> Reading:
    """Return the requests, the status of the refusal, and the leftover bytes if there was none."""
    parser = RequestParser(LIMITS, ORIGIN)
    heads: list[object] = []
    bodies: list[bytes] = []
    try:
        for at in range(0, len(data), size):
            parser.feed(data[at : at + size])
            drain(parser, heads, bodies)
    except HTTPError as error:
        check(error.status in STATUSES, error)
        return [*heads, *bodies[:-1]], error.status, b""  # how much of a bad body came out depends on the cuts
    return [*heads, *bodies], None, parser.leftover()


def drain(parser: RequestParser, heads: list[object], bodies: list[bytes]) -> None:
    """Take the complete requests out of the parser."""
    while True:
        if not parser.body_done:
            bodies[-1] += parser.read_body()
            if not parser.body_done:
                return
        head = parser.next_head()
        if head is None:
            return
        check(head.content_length is None or not head.chunked, "exactly one field declares where a body ends")
        heads.append((head[:4], head.headers.raw, head[5:10], head.client, head.scheme))
        bodies.append(b"")


def check(good: object, what: object) -> None:
    """Stop the run. Not an assert, because asserts can be switched off."""
    if not good:
        raise RuntimeError(f"{what!r}")


def read_values(data: bytes) -> None:
    """Feed the readers of values."""
    text = data.decode("latin-1")
    headers = Headers([(b"cookie", data), (b"if-match", data), (b"if-range", data), (b"if-modified-since", data)])
    cookies.read(headers)
    conditional.outcome("GET", headers, '"a"', 0)
    conditional.range_still_valid(headers, '"a"', 0)
    negotiation.best(text, ("text/html", "application/json"))
    negotiation.best_encoding(text, ("gzip",))
    readers: list[Callable[[], object]] = [
        lambda: ranges.read(text, 100),
        lambda: json_body.read(data),
        lambda: forms.read_urlencoded_body(data),
        lambda: forms.read_multipart(BytesIO(data), "multipart/form-data; boundary=B").close(),
        lambda: proxy_protocol.read(data),
    ]
    for reader in readers:
        try:
            reader()
        except HTTPError:
            continue


def one_input(data: bytes) -> None:
    """Run one input."""
    if not data or len(data) > MOST_BYTES:
        return
    cut, data = data[0] + 1, data[1:]
    whole = read(data, max(1, len(data)))
    check(read(data, cut) == whole, "cuts change what is read")
    check(read(data, 1) == whole, "cuts change what is read")
    read_values(data)
