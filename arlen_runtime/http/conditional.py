"""Conditional requests (RFC 9110 section 13): evaluates them in the order defined there.

A comparison is strong where bytes must be the same (If-Match, If-Range) and weak where equal
meaning is enough (If-None-Match).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from arlen_runtime.http import dates
from arlen_runtime.http.headers import Headers

NOT_MODIFIED = 304
PRECONDITION_FAILED = 412

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*+"')  # section 8.8.3
_ANYTHING = re.compile(r"[ \t,]*+\*[ \t,*]*+")  # one line or several: `*, *` means `*`
_SAFE = frozenset({"GET", "HEAD"})
_WITH_TAGS = frozenset({b"if-match", b"if-none-match"})
_CODED = re.compile(rb'--(?:gzip|zstd)"')


def coded(tag: str, coding: str) -> str:
    """Return the entity tag of the same content in a content coding.

    Other bytes need another tag (section 8.8.3.3).
    """
    return f'{tag[:-1]}--{coding}"'


def change_outcome(method: str, headers: Headers, tag: str | None, modified: int | None) -> int | None:
    """Evaluate the conditions of a request that changes a resource, as `outcome` does.

    A resource with neither tag nor date does not exist: an application uses that for one that
    the request will create. The tag of a compressed representation counts as the plain tag: for
    a change they mean the same state.
    """
    pairs = [(name, _plain(value) if name in _WITH_TAGS else value) for name, value in headers.raw]
    exists = tag is not None or modified is not None
    return outcome(method, Headers(pairs), tag, modified, exists=exists)


def _plain(value: bytes) -> bytes:
    """Remove the names of codings from a list of tags."""
    return _CODED.sub(b'"', value)


def outcome(method: str, headers: Headers, tag: str | None, modified: int | None, *, exists: bool = True) -> int | None:
    """Evaluate the request's conditions in the order of section 13.2.2.

    `tag` is the entity tag of the current representation and `modified` its last change in
    seconds since 1970; None if it has none. `exists` is whether there is a representation at
    all, which is what `*` tests (sections 13.1.1 and 13.1.2). Returns 304 or 412 if that is the
    response, None if the method must be carried out.
    """
    if headers.get("if-match") is not None:
        if not _any_match(headers, "if-match", tag, exists=exists, weak=False):
            return PRECONDITION_FAILED
    elif _is_after(modified, headers.get("if-unmodified-since")):
        return PRECONDITION_FAILED
    if headers.get("if-none-match") is not None:
        if _any_match(headers, "if-none-match", tag, exists=exists, weak=True):
            return NOT_MODIFIED if method in _SAFE else PRECONDITION_FAILED
    elif method in _SAFE:
        since = dates.read(headers.get("if-modified-since") or "")
        if since is not None and modified is not None and modified <= since:
            return NOT_MODIFIED
    return None


def range_still_valid(headers: Headers, tag: str | None, modified: int | None) -> bool:
    """Return True if a Range may be answered (section 13.1.5).

    That is so without If-Range, or if it names exactly this representation. A date counts only
    if there is no strong tag and it equals `modified`. Two changes within one second have the
    same date, so a date alone is not a strong validator (section 8.8.2.2), and a client that
    has the tag must not send it.
    """
    condition = headers.get("if-range")
    if condition is None:
        return True
    if _TAG.fullmatch(condition):
        return tag is not None and _is_strong(condition) and condition == tag
    if tag is not None and _is_strong(tag):
        return False
    return modified is not None and dates.read(condition) == modified


def _any_match(headers: Headers, name: str, tag: str | None, *, exists: bool, weak: bool) -> bool:
    """Return True if a list of tags, or `*`, matches the representation."""
    values = headers.get_all(name)
    if _ANYTHING.fullmatch(",".join(values)):
        return exists
    if tag is None or not (weak or _is_strong(tag)):
        return False
    opaque = tag.removeprefix("W/")
    return any(other.removeprefix("W/") == opaque and (weak or _is_strong(other)) for other in _tags(values))


def _tags(values: list[str]) -> Iterator[str]:
    """Yield the well-formed tags. A tag may contain a comma, so they are searched, not split."""
    for value in values:
        for match in _TAG.finditer(value):
            yield match[0]


def _is_strong(tag: str) -> bool:
    return not tag.startswith("W/")


def _is_after(modified: int | None, date: str | None) -> bool:
    """Return True if `modified` is after a date; an invalid date is ignored."""
    limit = dates.read(date or "")
    return limit is not None and modified is not None and modified > limit
