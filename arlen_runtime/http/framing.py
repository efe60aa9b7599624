"""What the header fields say about the message itself (RFC 9112 sections 3.2, 6 and 9). One rule: in doubt it is refused.

Where a message ends is what request smuggling is about: two readers that disagree see different requests. So there is
one way to say a length and one way to say chunked, and everything else ends the connection.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from arlen_runtime.errors import BadRequest, ExpectationFailed, HTTPError, NotImplementedByServer
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request_line import check_host

_LENGTH_DIGITS = 18  # below 2^63 whatever the digits are


class Framing(NamedTuple):
    """Host, persistence and body of a message."""

    host: str
    keep_alive: bool
    content_length: int | None
    chunked: bool
    expects_continue: bool


NOTHING = Framing("", keep_alive=True, content_length=None, chunked=False, expects_continue=False)
"""What a parser knows before its first request."""


def read(headers: Headers, minor: int) -> Framing:
    """Say what the fields of an HTTP/1.`minor` request mean for its framing.

    Raises BadRequest, NotImplementedByServer (a transfer coding) and ExpectationFailed. That none of these fields came
    twice is checked where the fields are read.
    """
    get = headers.first.get
    length = get(b"content-length")
    coding = get(b"transfer-encoding")
    if coding is not None:
        _check_coding(coding, minor, length)
    connection = get(b"connection")
    expectation = get(b"expect")
    return Framing(
        read_host(get(b"host"), minor),
        bool(minor) if connection is None else _keeps_alive(connection, minor),
        None if length is None else _length(length),
        coding is not None,
        # An HTTP/1.0 client cannot understand a 100 (RFC 9110 section 10.1.1).
        expectation is not None and minor > 0 and _expects_continue(expectation),
    )


@lru_cache(1024)  # few hosts, many requests; bounded, for strangers write these
def read_host(value: bytes | None, minor: int) -> str:
    """Return the Host, empty without one; raise BadRequest when it names no host or HTTP/1.1 lacks it (RFC 9112 3.2)."""
    if value is not None:
        return check_host(value.decode("latin-1"))
    if minor:
        raise BadRequest("The header field host is missing.")
    return ""


def _length(value: bytes) -> int:
    """Return the announced length: digits only, no sign, no list, none beyond what anybody can count to."""
    if not value.isdigit() or len(value) > _LENGTH_DIGITS:
        raise BadRequest("The header field content-length is not a number of bytes.")
    return int(value)


def _check_coding(value: bytes, minor: int, length: bytes | None) -> None:
    """Pass `chunked` alone, raise for everything else (RFC 9112 sections 6.1 and 6.3)."""
    if length is not None:
        raise BadRequest("Both content-length and transfer-encoding came; only one can be true.")
    if not minor:
        raise BadRequest("HTTP/1.0 knows no transfer-encoding.")
    if value.lower() != b"chunked":
        raise _coding_error(value)


def _coding_error(value: bytes) -> HTTPError:
    """Say why: where chunked is not the last coding, and once, the end cannot be known (400); else it can (501)."""
    *others, last = (coding.strip(b" \t").lower() for coding in value.split(b","))
    if last == b"chunked" and all(coding not in (b"", b"chunked") for coding in others):
        return NotImplementedByServer("This server knows no transfer coding but chunked.")
    return BadRequest("The header field transfer-encoding does not end in chunked, once.")


@lru_cache(64)
def _keeps_alive(connection: bytes, minor: int) -> bool:
    """Apply RFC 9112 section 9.3: close wins, HTTP/1.0 must ask for it, HTTP/1.1 has it."""
    tokens = {token.strip(b" \t").lower() for token in connection.split(b",")}
    return b"close" not in tokens and (minor > 0 or b"keep-alive" in tokens)


def _expects_continue(value: bytes) -> bool:
    """Pass 100-continue; any other expectation cannot be met (RFC 9110 section 10.1.1)."""
    if value.lower() != b"100-continue":
        raise ExpectationFailed("This server meets no expectation but 100-continue.")
    return True
