"""A request: a head and its body, in memory or in a file."""

from __future__ import annotations

from io import BytesIO

from arlen_runtime.http.request import Request
from tests.fixtures import HeadOf


def test_the_target_is_path_and_query_as_they_came(head_of: HeadOf) -> None:
    assert head_of(target="/a%20b?c=d").target == "/a%20b?c=d"
    assert head_of(target="/a").target == "/a"


def test_without_a_correlation_id_the_request_id_is_used(head_of: HeadOf) -> None:
    alone, together = head_of(id="r-1"), head_of(id="r-1", correlated="order-4711")
    assert alone.ids == {"request_id": "r-1", "correlation_id": "r-1"}
    assert together.ids == {"request_id": "r-1", "correlation_id": "order-4711"}


def test_a_body_follows_a_length_above_zero_or_chunks(head_of: HeadOf) -> None:
    assert head_of(content_length=1).has_body
    assert head_of(chunked=True).has_body
    assert not head_of(content_length=0).has_body
    assert not head_of().has_body


def test_a_body_in_memory_is_its_bytes(head_of: HeadOf) -> None:
    request = Request(head_of(), b"hello")
    assert (request.body, request.spool) == (b"hello", None)


def test_a_spooled_body_is_read_from_its_start_each_time(head_of: HeadOf) -> None:
    spool = BytesIO(b"hello")
    request = Request(head_of(), spool=spool)
    assert request.body == request.body == b"hello"
    assert request.spool is spool


def test_a_live_body_is_read_once_and_kept_if_it_is_read_whole(head_of: HeadOf) -> None:
    request = Request(head_of(), live=BytesIO(b"hello"))
    assert request.stream.read(2) + request.stream.read() == b"hello"
    request = Request(head_of(), live=BytesIO(b"hello"))
    assert (request.body, request.body, request.stream.read()) == (b"hello", b"hello", b"hello")
