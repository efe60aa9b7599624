"""Header field lines to `Headers`. One rule: a line that is not exactly what RFC 9112 section 5 says is refused.

Refused are obs-fold, white space before the colon, an empty name or one that is no token, control bytes in a value, and
the repetition of a field whose repetition would make two readers disagree.

Names with an underscore never reach the application: `X_User` and `X-User` are one variable to CGI and WSGI, so whoever
strips the one forgets the other. They are dropped; one that would be a framing or routing field is refused.

Clients of one kind send the same lines again and again, so lines of fields that tell the program and not its user are
remembered, ready parsed (docs/design/decisions/0001-heads-are-parsed-in-python.md). The memory is bounded and holds no
secrets: neither Cookie nor Authorization nor anything not listed here is in it.
"""

from __future__ import annotations

import re

from arlen_runtime.errors import BadRequest, HeadersTooLarge
from arlen_runtime.http.headers import Headers

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")  # RFC 9110 section 5.6.2
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+")  # RFC 9110 section 5.5: no CR, LF, NUL nor other control

_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"expect"})
"""Two of these are refused, also equal ones: RFC 9112 sections 3.2 and 6.3, and by the same reasoning the others."""

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
"""How names are spelled in practice, so that most need neither a check nor a copy."""

_LINE_BYTES = 512
_LINES = 2048

Field = tuple[bytes, bytes]

DROPPED: Field = (b"", b"")
"""What `read_line` returns for a field that must not reach the application."""


def read(block: bytes, max_fields: int) -> Headers:
    """Read a block of field lines, the request line and the final empty line not among them.

    Raises BadRequest for a malformed or repeated field and HeadersTooLarge for more than `most` fields.
    """
    raw = list(map(_parsed_lines.__getitem__, block.split(b"\r\n"))) if block else []
    if len(raw) > max_fields:
        raise HeadersTooLarge(f"A request may have {max_fields} header fields at most.")
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
    """Read one field line to its lower-case name and its value without surrounding white space; BadRequest if malformed."""
    name, colon, value = line.partition(b":")
    lower = _LOWER.get(name)
    if lower is None or not colon:
        lower = _check_name(line, name, colon)
    value = value.strip(b" \t")
    # isprintable is the quick answer for plain text; what it does not like may still be a tab or obs-text.
    if not value.decode("latin-1").isprintable() and not _VALUE.fullmatch(value):
        raise BadRequest(f"The value of the header field {lower.decode()} holds a control character.")
    return (lower, value) if lower else DROPPED


def _check_name(line: bytes, name: bytes, colon: bytes) -> bytes:
    """Return the lower-case name, b"" for one to be dropped; raise BadRequest for what is no name."""
    if line[:1] in (b" ", b"\t"):
        raise BadRequest("A header field is continued on a second line, which is no longer allowed.")  # section 5.2
    if not colon:
        raise BadRequest("A header line has no colon.")
    if not _TOKEN.fullmatch(name):
        raise BadRequest("The name of a header field holds a character that is not allowed there.")  # section 5.1
    lower = name.lower()
    if b"_" not in lower:
        return lower
    if lower.replace(b"_", b"-") in _SINGLE:
        raise BadRequest("A header field that decides about the message is spelled with an underscore.")
    return b""


def _refuse_repeated(raw: list[Field]) -> None:
    """Raise BadRequest when a field came twice that may come once only."""
    seen: set[bytes] = set()
    for name, _ in raw:
        if name in seen and name in _SINGLE:
            raise BadRequest(f"The header field {name.decode()} came more than once.")
        seen.add(name)


class _ParsedLines(dict[bytes, Field]):
    """Lines seen before. A full memory starts anew: that is cheaper than keeping count of what is used."""

    def __missing__(self, line: bytes) -> Field:
        """Read the line; remember it when it is short and belongs to a field that programs repeat."""
        field = read_line(line)
        if field[0] in _REPEATED_BY_PROGRAMS and len(line) <= _LINE_BYTES:
            if len(self) >= _LINES:
                self.clear()
            self[line] = field
        return field


_parsed_lines = _ParsedLines()
