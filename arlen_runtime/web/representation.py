"""Conditional and partial requests (RFC 9110 sections 13 and 14).

All of this works on a finished 200 that has an ETag or a Last-Modified: it stays as it is, becomes
a 304, is cut to the requested ranges, or is replaced by a 412 or 416.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence

from arlen_runtime.errors import HTTPError, PreconditionFailed
from arlen_runtime.http import conditional, dates, ranges
from arlen_runtime.http.ranges import Span
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import FileBody, Response, WrappedBody, close_body

CONDITIONAL_FIELDS = frozenset(
    {b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"range"}
)
_CONTENT_FIELDS = ("Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Accept-Ranges")
"""Fields that a 304 leaves out (section 15.4.5). Content-Location stays."""


def apply_conditions(head: Head, response: Response) -> Response:
    """Apply the conditions and ranges of the request to a response.

    Raise PreconditionFailed or RangeNotSatisfiable.
    """
    if response.status != 200:  # noqa: PLR2004 - the only status with conditions here
        return response
    tag, changed = response.get("ETag"), dates.read(response.get("Last-Modified") or "")
    if tag is None and changed is None:
        return response
    try:
        outcome = conditional.outcome(head.method, head.headers, tag, changed)
        if outcome == conditional.PRECONDITION_FAILED:
            raise _precondition_failed()
        if outcome == conditional.NOT_MODIFIED:
            return _not_modified(response)
        return _apply_range(head, response, tag, changed)
    except HTTPError:
        close_body(response.body)
        raise


def check_preconditions(head: Head, tag: str | None, changed: int | None) -> None:
    """Raise PreconditionFailed if the conditions of the request forbid a change.

    `tag` and `changed` describe the current state; both are None if the resource does not exist.
    """
    if conditional.change_outcome(head.method, head.headers, tag, changed) == conditional.PRECONDITION_FAILED:
        raise _precondition_failed()


def _precondition_failed() -> PreconditionFailed:
    return PreconditionFailed("The resource is not in the state that the request expects.")


def _not_modified(response: Response) -> Response:
    """Turn a response into a 304."""
    close_body(response.body)
    response.status, response.body = conditional.NOT_MODIFIED, b""
    for name in _CONTENT_FIELDS:
        response.remove(name)
    return response


def _apply_range(head: Head, response: Response, tag: str | None, changed: int | None) -> Response:
    """Cut the body to the requested ranges.

    A body of unknown length stays whole. So does an encoded body if several ranges are requested:
    Content-Encoding describes a whole body, and a multipart/byteranges body is not encoded itself
    (sections 8.4 and 15.3.7.2).
    """
    body = response.body
    if head.method != "GET" or not isinstance(body, (bytes, FileBody)):
        return response
    if not conditional.range_still_valid(head.headers, tag, None if _varies_by_encoding(response) else changed):
        return response
    size = body.length if isinstance(body, FileBody) else len(body)
    spans = ranges.read(head.headers.get_list("range"), size)
    if spans is None or (len(spans) > 1 and response.get("Content-Encoding") is not None):
        return response
    response.status = 206
    if len(spans) == 1:
        response.add("Content-Range", spans[0].content_range(size))
        response.body = _part(body, spans[0])
        return response
    boundary = secrets.token_hex(16)
    content_type = response.get("Content-Type") or "application/octet-stream"
    heads = ranges.part_heads(spans, size, content_type, boundary)
    response.set("Content-Length", str(ranges.parts_length(spans, size, content_type, boundary)))
    response.set("Content-Type", f"multipart/byteranges; boundary={boundary}")
    response.body = WrappedBody(_parts(body, heads, spans, ranges.parts_end(boundary)), body)
    return response


def _varies_by_encoding(response: Response) -> bool:
    """Return True if the same date may belong to the bytes of another coding.

    Then the date does not validate a range (section 8.8.2.2).
    """
    return any(name.lower() == "vary" and "accept-encoding" in value.lower() for name, value in response.headers)


def _part(body: bytes | FileBody, span: Span) -> bytes | FileBody:
    if isinstance(body, bytes):
        return body[span.start : span.end]
    return FileBody(body.file, body.offset + span.start, span.length)


def _parts(body: bytes | FileBody, heads: Sequence[bytes], spans: Sequence[Span], end: bytes) -> Generator[bytes]:
    """Yield a multipart/byteranges body (section 14.6)."""
    for head, span in zip(heads, spans, strict=True):
        yield head
        part = _part(body, span)
        if isinstance(part, bytes):
            yield part
        else:
            yield from part.pieces()
    yield end
