"""Static files, from the folder public/.

A request can name only files below that folder. Conditional requests are supported. A file whose
name has a fingerprint, and a URL that `asset` wrote, never changes its content: the client may
cache it for a year.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from pathlib import Path

from arlen_runtime.config.sections import StaticSection
from arlen_runtime.errors import ArlenError, NotFound, ServiceUnavailable
from arlen_runtime.http import media_types
from arlen_runtime.http.negotiation import best_encoding
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import FileBody, Response
from arlen_runtime.nearest_words import NAMES_OF_FILES, suggestion
from arlen_runtime.routing.pattern import Pattern
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web.context import Context
from arlen_runtime.web.files import OpenedFile, open_below

# app-3f9a0c1d.css: at least eight hexadecimal digits, with a letter and a digit among them: a date
# must not match.
_FINGERPRINT = re.compile(r".*[.-](?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{8,64}\.[^/]+")
_IMMUTABLE = "public, max-age=31536000, immutable"
_DIGITS = 12
_LONGEST = 100
_MOST_COMPARED = 1000
_EXTENSIONS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}


class StaticFiles:
    """The endpoint for static files, and the helper `asset` that writes their URLs."""

    def __init__(self, section: StaticSection, root: Path, *, reload: bool = False) -> None:
        """Serve the folder of `section` below `root`.

        Without `reload`, the URL that `asset` writes for a file is computed once.
        """
        self._reload = reload
        self._urls: dict[str, str] = {}  # bounded by the files of the folder
        self._folder = root / section.folder
        self._prefix = section.prefix.rstrip("/") + "/"
        self._cached = f"public, max-age={section.max_age_seconds}"
        self._digests: dict[str, tuple[int, int, str]] = {}

    def endpoint(self) -> Endpoint:
        """Return the endpoint for everything below the prefix."""
        return Endpoint(("GET",), Pattern(f"{self._prefix}{{path:path}}"), self.serve, name="arlen.static")

    def asset(self, name: str) -> str:
        """Return the URL of a file, with a digest of its content.

        Raise ArlenError if there is no such file.
        """
        url = self._urls.get(name)
        if url is not None:
            return url
        opened = open_below(self._folder, name.split("/"))
        if opened is None:
            hint = suggestion(name, self._names(), NAMES_OF_FILES)
            raise ArlenError(f"there is no asset {name[:_LONGEST]!r} in {self._folder}{hint}")
        with opened.file:
            url = f"{self._prefix}{name}?v={self._digest(name, opened)}"
        if not self._reload:
            self._urls[name] = url
        return url

    def serve(self, context: Context) -> Response:
        """Return the file, in a coding that the client accepts.

        An outer middleware applies conditions and ranges.
        """
        head = context.request.head
        name = str(context.route["path"])
        opened = open_below(self._folder, name.split("/"))
        if opened is None:
            raise NotFound(f"There is nothing at {head.path}.")
        fields = [("Cache-Control", self._cache_control(head, name, opened))]
        content_type = media_types.of(name)
        if media_types.is_compressible(content_type):
            fields.append(("Vary", "Accept-Encoding"))
            opened = self._precompressed(head, name, opened)
            fields += [("Content-Encoding", opened.coding)] if opened.coding else []
        fields += opened.validators
        if head.method == "HEAD":  # nothing is read from it: close it now
            opened.file.close()
            return Response(b"", 200, [*fields, ("Content-Length", str(opened.size))], content_type)
        return Response(FileBody(opened.file, 0, opened.size), 200, fields, content_type)

    def _names(self) -> list[str]:
        """Return names of files in the folder, for an error."""
        paths = islice(self._folder.rglob("*"), _MOST_COMPARED)
        return [path.relative_to(self._folder).as_posix() for path in paths if path.is_file()]

    def _precompressed(self, head: Head, name: str, opened: OpenedFile) -> OpenedFile:
        """Return the precompressed file to send instead, such as `app.js.br`.

        It must not be older than the file, and the client must accept its coding.
        """
        accept = head.headers.get_list("accept-encoding")
        remaining = dict(_EXTENSIONS)
        while coding := best_encoding(accept, tuple(remaining)):
            try:
                sibling = open_below(self._folder, f"{name}{remaining.pop(coding)}".split("/"))
            except ServiceUnavailable:  # no descriptor left, but the file itself is open
                break
            if sibling is None:
                continue
            if sibling.changed_ns >= opened.changed_ns:
                opened.file.close()
                return sibling._replace(coding=coding)
            sibling.file.close()
        return opened

    def _cache_control(self, head: Head, name: str, opened: OpenedFile) -> str:
        has_digest = self._digests.get(name) == (opened.changed_ns, opened.size, head.query.removeprefix("v="))
        return _IMMUTABLE if has_digest or _FINGERPRINT.fullmatch(name) else self._cached

    def _digest(self, name: str, opened: OpenedFile) -> str:
        """Return the digest of the content, computed once per change."""
        cached = self._digests.get(name)
        if cached is not None and cached[:2] == (opened.changed_ns, opened.size):
            return cached[2]
        digest = hashlib.file_digest(opened.file, "sha256").hexdigest()[:_DIGITS]
        opened.file.seek(0)
        self._digests[name] = (opened.changed_ns, opened.size, digest)
        return digest
