"""Byte ranges (RFC 9110 section 14): malformed ranges are ignored, unsatisfiable ones are 416.

Many small or overlapping ranges can be used to overload a server: ranges that overlap or touch are
joined, and a request with too many ranges gets the whole content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from arlen_runtime.errors import RangeNotSatisfiable

_UNIT = re.compile(r"bytes[ \t]*=(.*)", re.IGNORECASE)
_SPEC = re.compile(r"([0-9]++)-([0-9]++)?|-([0-9]++)")
_MAX_RANGES = 16
_MAX_DIGITS = 18  # converting text to a number takes quadratic time, and no content is larger


class Span(NamedTuple):
    """A part of a representation, from the byte `start` to the byte before `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Its number of bytes."""
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """Return the value of Content-Range in a representation of `size` bytes (section 14.4)."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def read(header: str | None, size: int) -> list[Span] | None:
    """Return the spans that a Range header requests of `size` bytes, joined, in request order.

    None means: send the whole content. Raises RangeNotSatisfiable, with the size in
    Content-Range, if none of the ranges can be satisfied (section 14.1.2).
    """
    unit = _UNIT.fullmatch(header or "")
    if unit is None:
        return None
    specs = [text.strip(" \t") for text in unit[1].split(",", _MAX_RANGES)]
    specs = [text for text in specs if text]
    if not specs or len(specs) > _MAX_RANGES:
        return None
    spans = []
    is_all_of_nothing = False
    for text in specs:
        match = _SPEC.fullmatch(text)
        if match is None:
            return None
        first, last, suffix = (digits and (digits.lstrip("0") or "0") for digits in match.groups())
        if first and last and (len(last), last) < (len(first), first):
            return None  # section 14.1.1: an invalid range makes the whole set invalid
        start = max(0, size - _number(suffix)) if suffix else _number(first)
        end = min(size, _number(last) + 1) if last else size
        if start < end:
            spans.append(Span(start, end))
        is_all_of_nothing |= not size and suffix not in {None, "0"}
    if is_all_of_nothing:
        return None  # the last bytes of empty content can be had: they are none, and no span names them
    if not spans:
        raise RangeNotSatisfiable(
            f"The range lies outside the {size} bytes of the content.", headers=[("Content-Range", f"bytes */{size}")]
        )
    joined = _join(spans)
    return joined if joined != [Span(0, size)] or len(specs) == 1 else None


def _number(digits: str) -> int:
    """Return the number; one with more digits than any size has counts as the largest."""
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _join(spans: list[Span]) -> list[Span]:
    """Join spans that overlap or touch; if none do, keep the requested order (section 14.2)."""
    ordered = sorted(spans)
    joined = ordered[:1]
    for span in ordered[1:]:
        if span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return spans if len(joined) == len(spans) else joined


def part_heads(spans: Sequence[Span], size: int, content_type: str, boundary: str) -> list[bytes]:
    """Return the head of each part of a multipart/byteranges body (section 14.6)."""
    return [
        f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {span.content_range(size)}\r\n\r\n".encode(
            "latin-1"
        )
        for span in spans
    ]


def parts_end(boundary: str) -> bytes:
    """Return the end of a multipart/byteranges body."""
    return f"\r\n--{boundary}--\r\n".encode("latin-1")


def parts_length(spans: Sequence[Span], size: int, content_type: str, boundary: str) -> int:
    """Return the length of the whole multipart/byteranges body."""
    heads = part_heads(spans, size, content_type, boundary)
    return sum(map(len, heads)) + sum(span.length for span in spans) + len(parts_end(boundary))
