"""The page shown while an application in development cannot start.

It names the file and the line, shows the source around it, and reloads by itself: as soon as the
error is fixed, an open browser shows the application. API clients get problem JSON.
"""

from __future__ import annotations

from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.development import TEMPLATE, secret_values
from arlen_runtime.error_pages.error_value import document_for
from arlen_runtime.error_pages.formats import FORMATS
from arlen_runtime.error_pages.style import STYLE
from arlen_runtime.error_pages.traceback_view import Redactor, causes
from arlen_runtime.errors import BootError
from arlen_runtime.http.negotiation import best
from arlen_runtime.http.request import Head
from arlen_runtime.http.response import Response

_REFRESH_SECONDS = 1
_TITLE = "The application cannot start"


class BootFailure:
    """Answers every request while the application does not start."""

    def __init__(self, error: BaseException, config: Config, *, refreshes: bool = True) -> None:
        """Describe the error. With `refreshes`, the page loads itself again every second."""
        self._refresh_seconds = _REFRESH_SECONDS if refreshes else None
        self._causes = causes(error, config.root, Redactor(secret_values(config)))
        first = self._causes[0]
        frames = [frame for cause in self._causes for frame in cause.frames]
        place = next((frame for frame in frames if frame.own), None)
        at = f" at {place.file}:{place.line}" if place else ""
        self._detail = f"{first.type_name}: {first.message}{at}"
        # For an invalid setting there is no place: its message names the file and the line.
        self._facts = [("place", f"{place.file}:{place.line}")] if place else []

    def respond(self, head: Head | None) -> Response:
        """Return the response: a page that reloads, or problem JSON, or text, by Accept."""
        value = document_for(BootError(self._detail), head, internal=True)._replace(title=_TITLE, detail=self._detail)
        offers = tuple(FORMATS)
        error_format = FORMATS[best(head.headers.get_list("accept") if head is not None else None, offers) or offers[0]]
        if error_format is FORMATS["text/html"]:
            body = TEMPLATE.render(
                value=value,
                style=STYLE,
                is_expected=False,
                causes=self._causes,
                refresh_seconds=self._refresh_seconds,
                facts=[*self._facts, ("note", "This page reloads by itself until the error is fixed.")],
                similar=(),
                statements=(),
                repeated=(),
                headers=(),
            )
        else:
            body = error_format.write(value)
        response = Response(
            body.encode("utf-8", "replace"), value.status, error_format.headers, error_format.content_type
        )
        response.add("Cache-Control", "no-store")
        response.add("Vary", "Accept")
        return response
