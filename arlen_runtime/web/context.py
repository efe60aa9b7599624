"""The context of a request: what an action receives.

`request` holds what the client sent; it does not change. What middleware learns has an attribute
of its own on the context; there is no free dictionary. Costly values are computed on first use.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from markupsafe import Markup

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, NotAcceptable
from arlen_runtime.http import cookies, media_types
from arlen_runtime.http.negotiation import best
from arlen_runtime.http.request import Request
from arlen_runtime.http.response import Response
from arlen_runtime.log.logger import Log
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.web import responses
from arlen_runtime.web.events import Topics
from arlen_runtime.web.params import Params
from arlen_runtime.web.representation import check_preconditions
from arlen_runtime.web.services import Services
from arlen_runtime.web.site_url import site_url
from arlen_runtime.web.validation import Fields, build

T = TypeVar("T")


class Context:
    """One request on its way through the middleware chain."""

    __slots__ = ("_cookies", "_params", "by_accept", "endpoint", "nonce", "request", "route", "services")

    def __init__(self, services: Services, request: Request, endpoint: Endpoint, route: Mapping[str, Any]) -> None:
        """Build the context; `route` holds the values of the path parameters."""
        self.services = services
        self.request = request
        self.endpoint = endpoint
        self.route = route
        self._params: Params | None = None
        self._cookies: Mapping[str, str] | None = None
        self.nonce: str | None = None
        """The nonce, once something has asked for it. The security headers name it only then."""
        self.by_accept = False
        """True if the response depends on Accept. Then it gets Vary: Accept."""

    @property
    def params(self) -> Params:
        """Input of the request by name: route first, then body, then query.

        Each source alone is `params.route`, `params.body` and `params.query`.
        """
        if self._params is None:
            self._params = Params(self.request, self.route)
        return self._params

    @property
    def cookies(self) -> Mapping[str, str]:
        """Cookies of the request by name: `ctx.cookies.get("theme")`.

        Any site on the same domain may have set them. To set one:
        `response.add("Set-Cookie", str(SetCookie("theme", "dark")))`.
        """
        if self._cookies is None:
            self._cookies = cookies.read(self.request.head.headers)
        return self._cookies

    @property
    def config(self) -> Config:
        """Configuration. The keys of the application are in `config.settings`."""
        return self.services.config

    @property
    def log(self) -> Log:
        """Log: `ctx.log.info("order_paid", order=3)`. Each line has the id of the request."""
        return self.services.log

    @property
    def pg(self) -> Any:  # noqa: ANN401 - any database, with all of its methods
        """Database of the application. Raise ArlenError if the App was built without one."""
        if self.services.pg is None:
            raise ArlenError("this application has no database: build it as App(config, routes, pg=ALNPg(...))")
        return self.services.pg

    @property
    def request_id(self) -> str:
        """Id of this request, as in X-Request-Id and in the log."""
        return self.request.head.id

    @property
    def correlation_id(self) -> str:
        """Id to send on to other services.

        It is the id that a trusted proxy sent, else the id of this request.
        """
        return self.request.head.correlation_id

    @property
    def csp_nonce(self) -> str:
        """Nonce for inline scripts and styles, allowed by Content-Security-Policy."""
        if self.nonce is None:
            self.nonce = secrets.token_urlsafe(16)
        return self.nonce

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, parsed as JSON.

        Raise UnsupportedMediaType for another content type, InvalidBody for invalid JSON.
        """
        return self.params.json()

    def prefers(self, first: str, *others: str, strict: bool = False) -> str:
        """Return the media type to answer with, out of those offered.

        An extension in the path of the route, as in `/posts.json` or `/posts/{id}.json`, decides
        before Accept does. If Accept decides, the response gets Vary: Accept; at equal weights the
        earlier offer wins. If the client accepts none of them, return the first; with `strict`,
        raise NotAcceptable (406).
        """
        offers = (first, *others)
        named = media_types.by_extension(self.endpoint.pattern.text)
        for offer in offers:
            if media_types.essence(offer) == named:
                return offer
        self.by_accept = True
        liked = best(self.request.head.headers.get_list("accept"), offers)
        if liked is None and strict:
            raise NotAcceptable(f"This URL is available as {' or '.join(offers)}.")
        return liked or first

    def check_conditions(self, tag: str | None, changed: float | None = None) -> None:
        """Raise PreconditionFailed (412) if a condition such as If-Match does not hold.

        `tag` is the entity tag that GET sends, quotes included; `changed` is the time of the last
        change, in seconds since 1970. If both are None, the resource does not exist: then
        `If-None-Match: *` allows creating it, and every If-Match fails. Call this before a change.
        For reading it is not needed: an ETag in the response is enough.
        """
        check_preconditions(self.request.head, tag, None if changed is None else int(changed))

    def fields(self) -> Fields:
        """Return a validator for the input, field by field.

        Its `check()` raises ValidationFailed with all errors.
        """
        return Fields(self.params)

    def validate(self, validator: Callable[[Fields], T]) -> T:
        """Return the value that `validator` builds.

        Raise ValidationFailed with all errors.
        """
        fields = self.fields()
        value = build(validator, fields)
        fields.check()
        return value

    def render(self, template: str, status: int = 200, /, **values: Any) -> Response:  # noqa: ANN401 - values of any type
        """Return a page rendered from a template.

        The template sees `values`, `ctx`, `csrf_field`, `csp_nonce` and the helpers.
        """
        values.setdefault("ctx", self)
        values["csrf_field"] = self.csrf_field
        values["csp_nonce"] = self._get_nonce
        return responses.html(self.services.views.render(template, values), status)

    def redirect(self, location: str, status: int = 303, *, external: bool = False) -> Response:
        """Redirect to a path of this site; see `responses.redirect`."""
        return responses.redirect(location, status, external=external)

    def url_for(self, name: str, /, **values: object) -> str:
        """Return the URL of a named route."""
        return self.services.router.url_for(name, values)

    def absolute_url_for(self, name: str, /, **values: object) -> str:
        """Return the URL of a named route with scheme and host, for mail and other sites.

        They are those of `[app] url`, never those that a client sent in production. Raise
        ArlenError if the setting is missing there.
        """
        site = site_url(self.services.config, self.request.head)
        return self.services.router.absolute_url_for(name, values, site)

    def csrf_field(self) -> Markup:
        """Return the hidden field that every form needs; empty until CSRF checks exist."""
        return Markup()

    @property
    def topics(self) -> Topics:
        """Topics of this worker: `ctx.topics.publish("posts", "a new one")`."""
        return self.services.topics

    def events(self, *topics: str) -> Response:
        """Return a stream of the events of these topics (text/event-stream).

        The stream occupies no thread while it is open.
        """
        stream = self.services.topics.subscribe(*topics)
        # X-Accel-Buffering: a proxy that buffers the response would never forward an event.
        headers = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")]
        return Response(stream, 200, headers, content_type="text/event-stream")

    def _get_nonce(self) -> str:
        """Return the nonce; templates call this."""
        return self.csp_nonce
