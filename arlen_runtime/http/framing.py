"""Message framing of a request from its header fields (RFC 9112 sections 3.2, 6 and 9).

Invariant: framing that is ambiguous is refused.

Request smuggling exploits two readers that disagree about where a message ends: they see different
requests. So there is one accepted way to declare a length and one for chunked; anything else ends
the connection.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from arlen_runtime.errors import BadRequest, ExpectationFailed, HTTPError, NotImplementedByServer
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request_line import check_host

_LENGTH_DIGITS = 18  # any number of 18 digits is below 2^63


class Framing(NamedTuple):
    """Host, persistence and body of a message."""

    host: str
    keep_alive: bool
    content_length: int | None
    chunked: bool
    expects_continue: bool


NOTHING = Framing("", keep_alive=True, content_length=None, chunked=False, expects_continue=False)
"""The state of a parser before its first request."""


def read(headers: Headers, minor: int) -> Framing:
    """Return the framing that the fields of an HTTP/1.`minor` request declare.

    Raises BadRequest, NotImplementedByServer (a transfer coding) and ExpectationFailed. The
    code that reads the fields has already checked that none of these fields is repeated.
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


@lru_cache(1024)  # few hosts, many requests; bounded, because any client can send new values
def read_host(value: bytes | None, minor: int) -> str:
    """Return the Host value, "" if there is none.

    Raises BadRequest if it is not a valid host, or if HTTP/1.1 lacks it (RFC 9112 section 3.2).
    """
    if value is not None:
        return check_host(value.decode("latin-1"))
    if minor:
        raise BadRequest("The header field host is missing.")
    return ""


def _length(value: bytes) -> int:
    """Return the declared length: only digits; no sign, no list, nothing too large to count."""
    if not value.isdigit() or len(value) > _LENGTH_DIGITS:
        raise BadRequest("The header field content-length is not a number of bytes.")
    return int(value)


def _check_coding(value: bytes, minor: int, length: bytes | None) -> None:
    """Accept only `chunked` (RFC 9112 sections 6.1 and 6.3)."""
    if length is not None:
        raise BadRequest("Both content-length and transfer-encoding are present; only one is allowed.")
    if not minor:
        raise BadRequest("HTTP/1.0 has no transfer-encoding.")
    if value.lower() != b"chunked":
        raise _coding_error(value)


def _coding_error(value: bytes) -> HTTPError:
    """Return 501 if the body has a known end, else 400.

    If chunked is not the last coding, or comes more than once, the end of the body cannot be
    known.
    """
    *others, last = (coding.strip(b" \t").lower() for coding in value.split(b","))
    if last == b"chunked" and all(coding not in (b"", b"chunked") for coding in others):
        return NotImplementedByServer("The only transfer coding that this server supports is chunked.")
    return BadRequest("The header field transfer-encoding does not end in a single chunked.")


@lru_cache(64)
def _keeps_alive(connection: bytes, minor: int) -> bool:
    """Apply RFC 9112 section 9.3: close wins, HTTP/1.0 must ask for it, HTTP/1.1 has it."""
    tokens = {token.strip(b" \t").lower() for token in connection.split(b",")}
    return b"close" not in tokens and (minor > 0 or b"keep-alive" in tokens)


def _expects_continue(value: bytes) -> bool:
    """Accept 100-continue; no other expectation can be met (RFC 9110 section 10.1.1)."""
    if value.lower() != b"100-continue":
        raise ExpectationFailed("The only expectation that this server supports is 100-continue.")
    return True
