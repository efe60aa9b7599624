"""Turns errors into responses. Every error gets a response of the same form.

Accept chooses the format. If Accept leaves it open, the route does: `api=False` gets a page, other
routes and unknown paths get problem JSON, and so do all routes with `[app] api_only`. If the Host
is not one of the application, the response shows only what it would show in production.
"""

from __future__ import annotations

from functools import cached_property

from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.development import DevelopmentPage, ErrorContext, secret_values
from arlen_runtime.error_pages.error_value import ErrorDocument, document_for
from arlen_runtime.error_pages.formats import FORMATS, ErrorFormat, page
from arlen_runtime.error_pages.traceback_view import Redactor, message_of
from arlen_runtime.http.hosts import AllowedHosts
from arlen_runtime.http.negotiation import best
from arlen_runtime.http.response import Response
from arlen_runtime.routing.routes import Endpoint

_PAGE_FIRST = ("text/html", "application/problem+json", "application/json", "text/markdown", "text/plain")
_PAGE = FORMATS["text/html"]
_PROBLEM_FIRST = ("application/problem+json", "application/json", "text/html", "text/markdown", "text/plain")


class ErrorPages:
    """Error responses of one application."""

    options = frozenset({"api"})
    """The options of routes that it reads."""

    def __init__(self, config: Config, endpoints: tuple[Endpoint, ...]) -> None:
        """Read from the configuration what may be shown."""
        self._config = config
        self._endpoints = endpoints
        self._internal = not config.production
        self._api_only = config.app.api_only
        self._hosts = AllowedHosts(config)

    @cached_property
    def _redactor(self) -> Redactor:
        """Made at the first error: settings may be read after the App was built."""
        return Redactor(secret_values(self._config))

    @cached_property
    def _development(self) -> DevelopmentPage | None:
        is_development = self._config.environment == "development"
        return DevelopmentPage(self._config, self._endpoints, self._redactor) if is_development else None

    def respond(self, error: BaseException, context: ErrorContext) -> Response:
        """Return the response for an error.

        `context.endpoint` is the endpoint that ran, or None if the error came before.
        """
        trusted = self._internal and self._hosts.is_allowed(context.head)
        value = document_for(error, context.head, internal=trusted)
        if trusted:  # else the detail was written for the client
            value = value._replace(detail=self._redactor.text(value.detail))
        error_format = self._format(context)
        body = (
            self._developer_page(value, error, context)
            if trusted and error_format is _PAGE
            else error_format.write(value)
        )
        response = Response(
            body.encode("utf-8", "replace"),
            value.status,
            [*value.headers, *error_format.headers],
            error_format.content_type,
        )
        response.add("Cache-Control", "no-store")  # it has an id, and errors are temporary
        response.add("Vary", "Accept")
        return response

    def _developer_page(self, value: ErrorDocument, error: BaseException, context: ErrorContext) -> str:
        """Return the development page, in development.

        Elsewhere, or if writing it fails, return the plain page.
        """
        if self._development is None:
            return page(value)
        try:
            return self._development.write(value, error, context)
        except Exception as page_error:  # noqa: BLE001 - it inspects arbitrary objects; there must be a response
            reason = self._redactor.text(f"{type(page_error).__qualname__}: {message_of(page_error)}")
            return page(value._replace(detail=f"{value.detail} (and the development page failed: {reason})"))

    def _format(self, context: ErrorContext) -> ErrorFormat:
        """Return the format. If the client accepts none of them, return the first."""
        offers = _PAGE_FIRST if _wants_page(context) and not self._api_only else _PROBLEM_FIRST
        accept = context.head.headers.get_list("accept") if context.head is not None else None
        return FORMATS[best(accept, offers) or offers[0]]


def _wants_page(context: ErrorContext) -> bool:
    return context.endpoint is not None and context.endpoint.options.get("api") is False
