"""Files under public/. One rule: the name chooses among files there and nowhere else, and the client's copy is honoured.

Names that hold a fingerprint, and addresses that `asset` wrote, never change their content: they are kept for a year.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from arlen_runtime.config.sections import StaticSection
from arlen_runtime.errors import ArlenError, NotFound, PreconditionFailed
from arlen_runtime.http import conditional, dates, media_types, ranges
from arlen_runtime.http.ranges import Span
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context
from arlen_runtime.web.files import Opened, open_below

# app-3f9a0c1d.css: eight hexadecimal digits or more, a letter and a figure among them, so that no date is taken for one.
_FINGERPRINT = re.compile(r".*[.-](?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{8,64}\.[^/]+")
_IMMUTABLE = "public, max-age=31536000, immutable"
_DIGITS = 12
_PIECE = 65536


class StaticFiles:
    """The endpoint of the files, and the `asset` helper that writes their addresses."""

    def __init__(self, section: StaticSection, root: Path) -> None:
        """Take the settings and the application's folder."""
        self._folder = root / section.folder
        self._prefix = section.prefix.rstrip("/") + "/"
        self._cached = f"public, max-age={section.max_age_seconds}"
        self._digests: dict[str, tuple[int, int, str]] = {}

    def endpoint(self) -> Endpoint:
        """Return the endpoint of everything below the prefix."""
        return Endpoint(("GET",), Pattern(f"{self._prefix}{{path:path}}"), self.serve, name="arlen.static")

    def asset(self, name: str) -> str:
        """Return the address of a file, with a digest of its content; ArlenError when it is not there."""
        opened = open_below(self._folder, name.split("/"))
        if opened is None:
            raise ArlenError(f"there is no asset {name!r} in {self._folder}")
        with opened.file:
            return f"{self._prefix}{name}?v={self._digest(name, opened)}"

    def serve(self, context: Context) -> Response:
        """Answer with the file, a part of it, or the word that the client's copy is still good."""
        head = context.request.head
        name = str(context.route["path"])
        opened = open_below(self._folder, name.split("/"))
        if opened is None:
            raise NotFound(f"Nothing is at {head.path}.")
        try:
            response = self._respond(head, name, opened)
        except BaseException:
            opened.file.close()
            raise
        if not isinstance(response.body, FileBody) and not isinstance(response.body, Iterator):
            opened.file.close()
        return response

    def _respond(self, head: Head, name: str, opened: Opened) -> Response:
        """Evaluate conditions, then ranges (RFC 9110 section 13.2.2)."""
        fields = [
            ("ETag", opened.tag),
            ("Last-Modified", dates.write(opened.changed)),
            ("Cache-Control", self._cache_control(head, name, opened)),
            ("Accept-Ranges", "bytes"),
        ]
        outcome = conditional.outcome(head.method, head.headers, opened.tag, opened.changed)
        if outcome == conditional.PRECONDITION_FAILED:
            raise PreconditionFailed("The file has changed.")
        if outcome == conditional.NOT_MODIFIED:
            return Response(status=304, headers=fields)
        content_type = media_types.of(name)
        if head.method == "HEAD":  # nothing of the file will be read, so it need not stay open until the answer is out
            return Response(b"", 200, [*fields, ("Content-Length", str(opened.size))], content_type)
        spans = _spans(head, opened)
        if spans is None:
            return Response(FileBody(opened.file, 0, opened.size), 200, fields, content_type)
        if len(spans) == 1:
            fields.append(("Content-Range", spans[0].content_range(opened.size)))
            return Response(FileBody(opened.file, spans[0].start, spans[0].length), 206, fields, content_type)
        return _in_parts(opened, spans, fields, content_type)

    def _cache_control(self, head: Head, name: str, opened: Opened) -> str:
        """Say how long the file may be kept."""
        written = self._digests.get(name) == (opened.changed_ns, opened.size, head.query.removeprefix("v="))
        return _IMMUTABLE if written or _FINGERPRINT.fullmatch(name) else self._cached

    def _digest(self, name: str, opened: Opened) -> str:
        """Return the digest of a file's content, computed once per change."""
        known = self._digests.get(name)
        if known is not None and known[:2] == (opened.changed_ns, opened.size):
            return known[2]
        digest = hashlib.file_digest(opened.file, "sha256").hexdigest()[:_DIGITS]
        opened.file.seek(0)
        self._digests[name] = (opened.changed_ns, opened.size, digest)
        return digest


def _spans(head: Head, opened: Opened) -> list[Span] | None:
    """Return the parts that are asked for, None for the whole."""
    if not conditional.range_still_valid(head.headers, opened.tag, opened.changed):
        return None
    return ranges.read(head.headers.get("range"), opened.size)


def _in_parts(opened: Opened, spans: list[Span], fields: list[tuple[str, str]], content_type: str) -> Response:
    """Answer several ranges as one multipart body (RFC 9110 section 14.6)."""
    boundary = secrets.token_hex(16)
    heads = ranges.part_heads(spans, opened.size, content_type, boundary)
    length = ranges.parts_length(spans, opened.size, content_type, boundary)
    fields.append(("Content-Length", str(length)))
    body = _parts(opened, list(zip(heads, spans, strict=True)), ranges.parts_end(boundary))
    return Response(body, 206, fields, f"multipart/byteranges; boundary={boundary}")


def _parts(opened: Opened, parts: list[tuple[bytes, Span]], end: bytes) -> Iterator[bytes]:
    """Yield the body of several ranges."""
    with opened.file as file:
        for head, span in parts:
            yield head
            file.seek(span.start)
            left = span.length
            while left and (piece := file.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece
        yield end
