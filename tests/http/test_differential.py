"""h11 and the parser read the same requests from generated valid input."""

from __future__ import annotations

from typing import NamedTuple

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http.chunked import LAST_CHUNK, chunk
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.http.request import Head
from arlen_runtime.http.request_line import METHODS


class Seen(NamedTuple):
    """The result of parsing one request."""

    method: bytes
    target: bytes
    version: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes
    kept: bool


_OWN_MEANING = {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"content-type", b"upgrade"}
_NAMES = st.from_regex(rb"[A-Za-z!#$%&'*+.^`|~-][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name.lower() not in _OWN_MEANING
)
_VALUES = st.from_regex(rb"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]{0,20}[!-~\x80-\xff])?)?", fullmatch=True)
_FIELDS = st.lists(st.tuples(_NAMES, _VALUES), max_size=6)
_TARGETS = st.one_of(
    st.from_regex(rb"/[!\"$->@-~]{0,20}(?:\?[!\"$-~]{0,20})?", fullmatch=True),
    st.sampled_from([b"/", b"//a", b"/?", b"/a?b#c"[:4]]),
)
_CLOSING = st.sampled_from([b"", b"Connection: close\r\n"])  # h11 never keeps HTTP/1.0 alive
_CONNECTIONS = st.sampled_from(
    [b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"connection: x, Close\r\n"]
)
_WHITE = st.sampled_from([b"", b" ", b"\t", b"  \t "])


@st.composite
def _bodies(draw: st.DrawFn, version: bytes) -> bytes:
    """Draw the framing fields, the empty line and the body."""
    kinds = ["none", "length", "chunked"] if version == b"HTTP/1.1" else ["none", "length"]
    kind = draw(st.sampled_from(kinds))
    pieces = draw(st.lists(st.binary(min_size=1, max_size=30), max_size=4))
    if kind == "none":
        return b"\r\n"
    if kind == "length":
        body = b"".join(pieces)
        return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    end = draw(st.sampled_from([LAST_CHUNK, b"000\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n"]))
    return b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(map(chunk, pieces)) + end


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """Draw one valid request."""
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]))
    method = draw(st.sampled_from(sorted(METHODS))).encode()
    connection = draw(_CONNECTIONS if version == b"HTTP/1.1" else _CLOSING)
    lines = [b"%b %b %b\r\n" % (method, draw(_TARGETS), version), b"Host: example.org\r\n", connection]
    lines += [b"%b:%b%b%b\r\n" % (name, draw(_WHITE), value, draw(_WHITE)) for name, value in draw(_FIELDS)]
    return b"".join(lines) + draw(_bodies(version))


def _ours(pieces: list[bytes]) -> list[Seen]:
    """Read with the parser, up to the first request that ends the connection."""
    parser = RequestParser(LimitsSection(), Origin("192.0.2.1", "http", TrustedProxies(), IdSource()))
    heads: list[Head] = []
    bodies: list[bytes] = []
    for piece in pieces:
        parser.feed(piece)
        while not heads or heads[-1].keep_alive or not parser.body_done:
            if not parser.body_done:
                bodies[-1] += parser.read_body()
                if parser.body_done:
                    continue
                break
            head = parser.next_head()
            if head is None:
                break
            heads.append(head)
            bodies.append(b"")
    return [_seen(head, body) for head, body in zip(heads, bodies, strict=True)]


def _seen(head: Head, body: bytes) -> Seen:
    version = b"1.%d" % head.minor
    return Seen(head.method.encode(), head.target.encode(), version, head.headers.raw, body, head.keep_alive)


def _theirs(pieces: list[bytes]) -> list[Seen]:
    """Read with h11, which must be answered before it goes on."""
    connection = h11.Connection(h11.SERVER)
    requests: list[Seen] = []
    request, body = None, b""
    for piece in pieces:
        connection.receive_data(piece)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                break
            if isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                kept = connection.our_state is not h11.MUST_CLOSE
                fields = [(bytes(name), bytes(value)) for name, value in request.headers]
                requests.append(Seen(request.method, request.target, request.http_version, fields, body, kept))
                if not kept:
                    return requests
                connection.start_next_cycle()
    return requests


@settings(max_examples=200)
@given(st.lists(_requests(), min_size=1, max_size=4), st.integers(1, 200))
def test_two_implementations_read_the_same_from_valid_input(requests: list[bytes], size: int) -> None:
    data = b"".join(requests)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    ours = _ours(pieces)
    assert ours
    assert ours == [seen._replace(target=_as_kept(seen.target)) for seen in _theirs(pieces)]


def _as_kept(target: bytes) -> bytes:
    """Write a target as Head does, which does not distinguish an empty query from none."""
    return target.removesuffix(b"?") if target.count(b"?") == 1 else target
