"""Responses for actions: text, html, json, redirect, file, stream.

return text("hello")        return html(page)           return json({"id": 3}, 201)
return redirect("/posts")   return file(Path("report.pdf"), name="report.pdf")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from arlen_runtime.errors import ArlenError, BadRequest, NotFound
from arlen_runtime.http import media_types
from arlen_runtime.http.json_text import dumps
from arlen_runtime.http.response import FileBody, Response, WrappedBody
from arlen_runtime.routing.location import REDIRECTS, is_local
from arlen_runtime.web.files import open_plain

HTML = "text/html; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


def text(value: str, status: int = 200) -> Response:
    """Return plain text."""
    return Response(value.encode(), status, (), TEXT)


def html(value: str, status: int = 200) -> Response:
    """Return a page. The text is sent unchanged."""
    return Response(value.encode(), status, (), HTML)


def json(value: object, status: int = 200) -> Response:
    """Return JSON.

    Dates, UUIDs, Decimals (as strings), IP addresses, enums and dataclasses are converted.
    Raise TypeError for a value that has no JSON form, ValueError for NaN and infinity; the message
    says where in `value`.
    """
    return Response(dumps(value), status, (), JSON)


def redirect(location: str, status: int = 303, *, external: bool = False) -> Response:
    """Redirect to a path on this host (RFC 9110 section 15.4.4: 303 makes it a GET).

    A target that a browser could read as another host raises BadRequest, so a path from a parameter
    is safe. With `external`, any absolute http or https URL is allowed: use it only for URLs that
    the application wrote itself. Raise ValueError for a status that does not redirect.
    """
    if status not in REDIRECTS:
        raise ValueError(f"{status} does not redirect: use 301, 302, 303, 307 or 308")
    if external and not location.startswith(("http://", "https://")) and not is_local(location):
        raise ArlenError(f"redirect needs a path or an http(s) address, not {location!r}")
    if not external and not is_local(location):
        raise BadRequest("The URL to return to is not on this site.")
    return Response(status=status, headers=[("Location", quote(location, safe="%/:?#[]@!$&'()*+,;=~"))])


def file(path: Path, *, name: str | None = None, content_type: str | None = None) -> Response:
    """Send a file from disk, with sendfile(2) where possible.

    If `name` is set, the browser saves the file under that name. ETag and Last-Modified are sent,
    so clients can revalidate their copy and request ranges. The application must choose the path:
    never build it from a parameter. Raise NotFound if it is not a plain file, ServiceUnavailable if
    it cannot be opened now.
    """
    opened = open_plain(path)
    if opened is None:
        raise NotFound("There is no such file.")
    kind = content_type or media_types.of(path.name)
    response = Response(FileBody(opened.file, 0, opened.size), 200, opened.validators, kind)
    if name is not None:
        # RFC 6266 section 4
        response.add("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}")
    return response


def stream(pieces: Iterable[str | bytes], content_type: str = TEXT) -> Response:
    """Send a body piece by piece. Text is encoded as UTF-8.

    A pool thread asks for the next piece only when the client has room for it; `pieces` is closed
    at the end, also if the client leaves. Raise TypeError for text itself, which would be sent
    letter by letter.
    """
    if isinstance(pieces, (str, bytes)) or not isinstance(pieces, Iterable):
        raise TypeError(f"stream needs an iterable of pieces, not {type(pieces).__qualname__}")
    return Response(WrappedBody(_encoded(pieces), pieces), 200, (), content_type)


def _encoded(pieces: Iterable[str | bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece.encode() if isinstance(piece, str) else piece
