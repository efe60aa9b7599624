"""Header field lines to `Headers`: refuses every line that RFC 9112 section 5 does not allow.

Refused are obs-fold, white space before the colon, a name that is empty or not a token, control
bytes in a value, and a repeated field if two readers could disagree about its value.

Names with an underscore never reach the application: `X_User` and `X-User` are the same variable in
CGI and WSGI, so a proxy that strips one of them may let the other through. They are dropped; a name
that would be a framing or routing field is refused.

Clients of one kind send the same lines again and again, so parsed lines are cached for fields that
depend on the program and not on its user
(docs/design/decisions/0001-http-heads-are-parsed-in-python.md). The cache is bounded and contains
no secrets: neither Cookie nor Authorization nor any field that is not listed here.
"""

from __future__ import annotations

import re

from arlen_runtime.errors import BadRequest, HeadersTooLarge
from arlen_runtime.http.headers import Headers

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")  # RFC 9110 section 5.6.2
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+")  # RFC 9110 section 5.5: no CR, LF, NUL nor other control

_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"expect"})
"""Repeating one of these is refused, even with equal values.

RFC 9112 sections 3.2 and 6.3 require it for some of them; the same reasoning applies to the others.
"""

_REPEATED_BY_PROGRAMS = frozenset(
    b"""accept accept-charset accept-encoding accept-language cache-control connection content-type dnt host keep-alive
    origin pragma priority sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site
    sec-fetch-user sec-gpc te transfer-encoding upgrade-insecure-requests user-agent x-forwarded-host x-forwarded-port
    x-forwarded-proto x-requested-with""".split()
)
_OFTEN = _REPEATED_BY_PROGRAMS | frozenset(
    b"""authorization content-length cookie expect forwarded if-match if-modified-since if-none-match if-range
    if-unmodified-since range referer traceparent tracestate via x-correlation-id x-csrf-token x-forwarded-for
    x-real-ip x-request-id""".split()
)
_LOWER = {spelling: name for name in _OFTEN for spelling in (name, name.title(), name.upper())}
"""The usual spellings of names, so that most need neither a check nor a copy."""

_LINE_BYTES = 512
_LINES = 2048

Field = tuple[bytes, bytes]

DROPPED: Field = (b"", b"")
"""Result of `read_line` for a field that must not reach the application."""


def read(block: bytes, max_fields: int) -> Headers:
    """Read a block of field lines, without the request line and the final empty line.

    Raises BadRequest for a malformed or repeated field and HeadersTooLarge for more than
    `max_fields` fields.
    """
    raw = list(map(_parsed_lines.__getitem__, block.split(b"\r\n"))) if block else []
    if len(raw) > max_fields:
        raise HeadersTooLarge(f"A request may have at most {max_fields} header fields.")
    first = dict(raw)
    if b"" in first:
        raw = [field for field in raw if field[0]]
        del first[b""]
    if len(first) != len(raw):
        _refuse_repeated(raw)
        first = dict(reversed(raw))
        if b"connection" in first:
            first[b"connection"] = b",".join(value for name, value in raw if name == b"connection")  # one list
    return Headers(raw, first)


def read_line(line: bytes) -> Field:
    """Return the lower-case name and the trimmed value of a field line; BadRequest if malformed."""
    name, colon, value = line.partition(b":")
    lower = _LOWER.get(name)
    if lower is None or not colon:
        lower = _check_name(line, name, colon)
    value = value.strip(b" \t")
    # isprintable() is the fast test for plain text; if it fails, the value may still have a tab or
    # obs-text.
    if not value.decode("latin-1").isprintable() and not _VALUE.fullmatch(value):
        raise BadRequest(f"The value of the header field {lower.decode()} contains a control character.")
    return (lower, value) if lower else DROPPED


def _check_name(line: bytes, name: bytes, colon: bytes) -> bytes:
    """Return the lower-case name, b"" to drop the field; raise BadRequest for an invalid name."""
    if line[:1] in (b" ", b"\t"):
        raise BadRequest("A header field is continued on a second line, which is no longer allowed.")  # section 5.2
    if not colon:
        raise BadRequest("A header line has no colon.")
    if not _TOKEN.fullmatch(name):
        raise BadRequest("The name of a header field contains a character that is not allowed.")  # section 5.1
    lower = name.lower()
    if b"_" not in lower:
        return lower
    if lower.replace(b"_", b"-") in _SINGLE:
        raise BadRequest("A header field that the server interprets is spelled with an underscore.")
    return b""


def _refuse_repeated(raw: list[Field]) -> None:
    """Raise BadRequest if a field that may come once came twice."""
    seen: set[bytes] = set()
    for name, _ in raw:
        if name in seen and name in _SINGLE:
            raise BadRequest(f"The header field {name.decode()} appears more than once.")
        seen.add(name)


class _ParsedLines(dict[bytes, Field]):
    """Cache of parsed lines. When it is full it starts anew: cheaper than tracking what is used."""

    def __missing__(self, line: bytes) -> Field:
        """Read the line; cache it if it is short and belongs to a field that programs repeat."""
        field = read_line(line)
        if field[0] in _REPEATED_BY_PROGRAMS and len(line) <= _LINE_BYTES:
            if len(self) >= _LINES:
                self.clear()
            self[line] = field
        return field


_parsed_lines = _ParsedLines()
