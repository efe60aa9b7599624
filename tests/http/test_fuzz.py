"""The corpus with damaged bytes: the result does not depend on how they are cut."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.errors import HTTPError
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser

CORPUS = Path(__file__).parents[1] / "corpus"
SEEDS = [
    data
    for path in sorted(CORPUS.glob("*/*.http"))
    if len(data := path.read_bytes().partition(b"\n#\n")[2]) < 600  # long files test limits, which are lowered here
]
NO_HEADERS = Headers([])
LIMITS = LimitsSection(request_line_bytes=128, header_bytes=512, header_count=8)
PIECES = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\x00",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"5\r\n",
    b"\xff",
    b"Host: a\r\n",
]
FRAMING = [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"chunked", b"GET / HTTP/1.1\r\n"]


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """Draw one or two corpus files and insert, delete or repeat some of their bytes."""
    data = b"".join(draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        middle = draw(st.sampled_from([b"", data[start:end] * 2, *PIECES, *FRAMING]) | st.binary(max_size=3))
        data = data[:start] + middle + data[end:]
    return data


def _read(pieces: Iterable[bytes]) -> tuple[list[object], int | None, bytes]:
    """Return the requests, the status of the refusal, and the leftover bytes if there was none."""
    parser = RequestParser(LIMITS, Origin("192.0.2.1", "http", TrustedProxies(), IdSource()))
    heads: list[object] = []
    bodies: list[bytes] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            _drain(parser, heads, bodies)
    except HTTPError as error:
        # How much of a body is returned before an error depends on the cuts.
        return [*heads, *bodies[:-1]], error.status, b""
    return [*heads, *bodies], None, parser.leftover()


def _drain(parser: RequestParser, heads: list[object], bodies: list[bytes]) -> None:
    while True:
        if not parser.body_done:
            bodies[-1] += parser.read_body()
            if not parser.body_done:
                return
        head = parser.next_head()
        if head is None:
            return
        heads.append((head._replace(id="", headers=NO_HEADERS), head.headers.raw))
        bodies.append(b"")


@settings(max_examples=400)
@given(_damaged(), st.integers(2, 60))
def test_a_damaged_request_has_one_reading_however_it_is_cut(data: bytes, size: int) -> None:
    whole = _read([data])
    assert whole[1] in {None, 400, 414, 417, 421, 431, 501, 505}
    for step in (1, size):
        assert _read(data[at : at + step] for at in range(0, len(data), step)) == whole
