"""The requests of one connection: whole or byte by byte, pipelined or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import BadRequest, HeadersTooLarge, HTTPError, URITooLong
from arlen_runtime.http.parser import RequestParser

Converse = Callable[..., Any]
ParserFor = Callable[..., RequestParser]

GET = b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"PUT /c HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: 1\r\n\r\n"
)


def _one_by_one(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def test_a_head_holds_what_was_sent(parser_for: ParserFor) -> None:
    parser = parser_for()
    parser.feed(GET)
    head = parser.next_head()
    assert head is not None
    assert (head.method, head.path, head.query, head.minor) == ("GET", "/a", "b=c", 1)
    assert (head.host, head.keep_alive, head.content_length, head.chunked) == ("example.org", True, None, False)
    assert (head.client, head.peer, head.scheme, len(head.id)) == ("192.0.2.1", "192.0.2.1", "http", 24)
    assert list(head.headers) == [("host", "example.org"), ("accept", "*/*")]
    assert parser.body_done
    assert parser.next_head() is None


def test_a_head_without_fields_is_complete_in_http_1_0(converse: Converse) -> None:
    for pieces in ([b"GET / HTTP/1.0\r\n\r\n"], _one_by_one(b"GET / HTTP/1.0\r\n\r\n")):
        (head,) = converse(pieces).heads
        assert (head.host, head.keep_alive, len(head.headers)) == ("", False, 0)


def test_a_repeated_header_block_is_parsed_again_for_another_version(parser_for: ParserFor) -> None:
    parser = parser_for()
    block = b"Host: example.org\r\n\r\n"
    kept = []
    for line in (
        b"GET /1 HTTP/1.1\r\n",
        b"GET /2 HTTP/1.0\r\n",
        b"GET /3 HTTP/1.1\r\n",
        b"GET http://b/4 HTTP/1.1\r\n",
    ):
        parser.feed(line + block)
        head = parser.next_head()
        assert head is not None
        kept.append((head.path, head.keep_alive, head.host))
    assert kept == [
        ("/1", True, "example.org"),
        ("/2", False, "example.org"),
        ("/3", True, "example.org"),
        ("/4", True, "b"),
    ]


def test_every_request_has_its_own_id(converse: Converse) -> None:
    first, second = converse([GET + GET]).heads
    assert first.id != second.id


def test_a_refused_block_is_not_remembered_for_the_next_request(converse: Converse) -> None:
    bad = b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"
    assert converse([GET, bad, bad]).status == 400


def test_pipelined_requests_come_out_in_order_each_with_its_body(converse: Converse) -> None:
    out = converse([POST + CHUNKED + GET + POST])
    assert [head.method for head in out.heads] == ["POST", "PUT", "GET", "POST"]
    assert out.bodies == [b"hello", b"abcde", b"", b"hello"]


def test_the_next_head_waits_until_the_body_is_read(parser_for: ParserFor) -> None:
    parser = parser_for()
    parser.feed(POST + GET)
    parser.next_head()
    assert not parser.body_done
    with pytest.raises(RuntimeError, match="body"):
        parser.next_head()
    assert parser.read_body() == b"hello"
    assert parser.body_done
    assert parser.read_body() == b""
    assert parser.leftover() == GET


def test_a_declared_empty_body_is_done_at_once(parser_for: ParserFor) -> None:
    parser = parser_for()
    parser.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    head = parser.next_head()
    assert head is not None
    assert head.content_length == 0
    assert parser.body_done


def test_a_body_comes_out_as_it_arrives(parser_for: ParserFor) -> None:
    parser = parser_for()
    parser.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab")
    parser.next_head()
    assert parser.read_body() == b"ab"
    assert parser.read_body() == b""
    parser.feed(b"cd")
    assert parser.read_body() == b"cd"
    parser.feed(b"efGET")
    assert (parser.read_body(), parser.body_done, parser.leftover()) == (b"ef", True, b"GET")


def test_one_empty_line_before_a_request_is_ignored_and_two_are_not(converse: Converse) -> None:
    for cut in (lambda data: [data], _one_by_one):
        assert len(converse(cut(b"\r\n" + POST + b"\r\n" + GET)).heads) == 2
        assert converse(cut(b"\r\n\r\n" + GET)).status == 400
        assert converse(cut(b"\n" + GET)).status == 400


def test_a_cr_that_ends_a_body_does_not_belong_to_the_lf_after_it(converse: Converse) -> None:
    data = POST.replace(b"hello", b"hell\r") + b"\nGET"
    for pieces in ([data], _one_by_one(data)):
        assert converse(pieces).status == 400


def test_the_parser_knows_whether_a_request_has_begun(parser_for: ParserFor) -> None:
    parser = parser_for()
    assert (parser.has_partial_head, parser.at_boundary) == (False, True)
    parser.feed(b"G")
    assert parser.next_head() is None
    assert (parser.has_partial_head, parser.at_boundary) == (True, False)
    parser.feed(POST[1:-2].replace(b"POST", b"ET", 1).replace(b"OST", b"ET", 1))
    assert parser.next_head() is not None
    assert (parser.has_partial_head, parser.at_boundary) == (False, False)
    parser.read_body()
    parser.feed(b"lo")
    parser.read_body()
    assert (parser.has_partial_head, parser.at_boundary) == (False, True)


def test_a_lone_empty_line_after_a_body_is_not_a_request(parser_for: ParserFor) -> None:
    parser = parser_for()
    parser.feed(POST + b"\r\n")
    parser.next_head()
    parser.read_body()
    assert parser.next_head() is None
    assert (parser.has_partial_head, parser.at_boundary) == (False, True)


BAD = b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"


def test_after_an_error_nothing_is_returned(parser_for: ParserFor) -> None:
    parser = parser_for()
    parser.feed(BAD + GET)
    with pytest.raises(BadRequest) as first:
        parser.next_head()
    parser.feed(GET)
    for again in (parser.next_head, parser.read_body, parser.next_head):
        with pytest.raises(BadRequest) as later:
            again()
        assert later.value is first.value
    assert (parser.has_partial_head, parser.at_boundary) == (False, False)


def test_after_a_bad_chunk_nothing_is_returned(parser_for: ParserFor) -> None:
    parser = parser_for()
    parser.feed(CHUNKED.replace(b"3\r\nabc", b"3\r\nabcd") + GET)
    parser.next_head()
    with pytest.raises(BadRequest):
        parser.read_body()
    for again in (parser.next_head, parser.read_body):
        with pytest.raises(BadRequest):
            again()


def _limits(data: bytes, converse: Converse, **limits: int) -> set[int | None]:
    """Return the final statuses: whole, in pieces, and byte by byte."""
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    return {converse(cut, **limits).status for cut in ([data], pieces, _one_by_one(data))}


def test_a_request_line_may_be_as_long_as_its_limit(converse: Converse) -> None:
    line = b"GET /" + b"a" * 100 + b" HTTP/1.1"
    data = line + b"\r\nHost: a\r\n\r\n"
    assert _limits(data, converse, request_line_bytes=len(line)) == {None}
    assert _limits(data, converse, request_line_bytes=len(line) - 1) == {URITooLong.status}
    assert _limits(line[:100], converse, request_line_bytes=80) == {URITooLong.status}


def test_a_header_block_may_be_as_large_as_its_limit(converse: Converse) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 300
    assert _limits(head + b"\r\n\r\n", converse, header_bytes=len(head)) == {None}
    assert _limits(head + b"\r\n\r\n", converse, header_bytes=len(head) - 1) == {HeadersTooLarge.status}
    assert _limits(head, converse, header_bytes=300) == {HeadersTooLarge.status}


def test_there_may_be_as_many_fields_as_the_limit(converse: Converse) -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 9 + b"\r\n"
    assert _limits(data, converse, header_count=10) == {None}
    assert _limits(data, converse, header_count=9) == {HeadersTooLarge.status}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\rX", 400),
        (b"GET /\x00", 400),
        (b"\x16\x03\x01", 400),
        (b"GET /\r\n", 400),
        (b"BREW / HTTP/1.1\r\n", 501),
        (b"PRI * HTTP/2.0\r\n", 505),
        (b"get \x01", 400),
    ],
)
def test_an_invalid_head_is_refused_before_it_is_complete(data: bytes, status: int, converse: Converse) -> None:
    assert _limits(data, converse) == {status}


_VALID = st.lists(st.sampled_from([GET, POST, CHUNKED, b"\r\n" + GET]), min_size=1, max_size=4).map(b"".join)
_SPOILED = st.tuples(_VALID, st.integers(0, 400), st.binary(min_size=1, max_size=3)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] :]
)
_CUTS = st.lists(st.integers(1, 60), max_size=20)


def _facts(out: Any) -> tuple[object, ...]:  # noqa: ANN401 - conftest's Conversation
    """Return what must not depend on the cuts: not the part of a body before an error."""
    heads = [(head._replace(id="", headers=None), head.headers.raw) for head in out.heads]
    return heads, out.bodies[: -1 if out.error else None], out.status


@given(data=st.one_of(_VALID, _SPOILED), cuts=_CUTS)
def test_the_result_does_not_depend_on_how_the_bytes_are_cut(converse: Converse, data: bytes, cuts: list[int]) -> None:
    limits = {"request_line_bytes": 64, "header_bytes": 256, "header_count": 4}
    pieces, at = [], 0
    for size in cuts:
        pieces.append(data[at : at + size])
        at += size
    pieces.append(data[at:])
    whole = _facts(converse([data], **limits))
    assert _facts(converse(pieces, **limits)) == whole
    assert _facts(converse(_one_by_one(data), **limits)) == whole


@given(st.binary(max_size=300))
def test_random_bytes_wait_or_are_refused_with_a_status(converse: Converse, data: bytes) -> None:
    out = converse([data])
    assert out.error is None or isinstance(out.error, HTTPError)


def _seconds_byte_by_byte(parser: RequestParser, size: int) -> float:
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * size
    started = process_time()
    for piece in _one_by_one(data):
        parser.feed(piece)
        parser.next_head()
    return process_time() - started


def test_the_cost_of_a_head_that_comes_byte_by_byte_is_linear(parser_for: ParserFor) -> None:
    limits = {"header_bytes": 1 << 20}
    small = min(_seconds_byte_by_byte(parser_for(**limits), 5_000) for _ in range(3))
    large = min(_seconds_byte_by_byte(parser_for(**limits), 40_000) for _ in range(3))
    assert large < small * 8 * 3
