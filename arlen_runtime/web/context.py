"""The context of a request: what an action receives.

`request` holds what the client sent; it does not change. What guards and middleware learn has an
attribute of its own, which the application declares in its own class:

    class Ctx(Context):
        user: User | None = None

    App(config, routes, context=Ctx)

Each request starts from the values of the class. Costly values are computed on first use.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from markupsafe import Markup

from arlen_runtime import scope
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, NotAcceptable, error_of
from arlen_runtime.http import cookies, media_types
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.negotiation import best
from arlen_runtime.http.request import Request
from arlen_runtime.http.response import Response
from arlen_runtime.log.logger import Log
from arlen_runtime.routing.routes import Endpoint
from arlen_runtime.templates.views import content_type
from arlen_runtime.web import responses
from arlen_runtime.web.events import Topics
from arlen_runtime.web.format_answers import answer_as, media_type_of
from arlen_runtime.web.params import Params
from arlen_runtime.web.representation import check_preconditions
from arlen_runtime.web.services import Services
from arlen_runtime.web.site_url import site_url
from arlen_runtime.web.trace import outgoing_traceparent
from arlen_runtime.web.validation import Fields, build

D = TypeVar("D")
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
    def method(self) -> str:
        """Method of the request: "GET", "POST" and so on."""
        return self.request.head.method

    @property
    def path(self) -> str:
        """Path of the request as it came, percent-encoded, without the query."""
        return self.request.head.path

    @property
    def host(self) -> str:
        """Host that the client asked for, with its port if there is one.

        The client chose it: it is one of `[server] hosts` if that is set, else any.
        """
        return self.request.head.host

    @property
    def scheme(self) -> str:
        """Scheme that the client used, according to trusted proxies: "http" or "https"."""
        return self.request.head.scheme

    @property
    def client(self) -> str:
        """Address of the client according to trusted proxies."""
        return self.request.head.client

    @property
    def headers(self) -> Headers:
        """Header fields of the request, by name in any case."""
        return self.request.head.headers

    def header(self, name: str, default: D = None) -> str | D:  # type: ignore[assignment] # None is the default D
        """Return the first value of a header field, or the default."""
        return self.request.head.headers.get(name, default)

    @property
    def app(self) -> Any:  # noqa: ANN401 - the application's own class of App has its services
        """Application. Declare `app: Shop` in your own context class to have its type checked."""
        return self.services.app

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
    def traceparent(self) -> str:
        """Header traceparent (W3C) to send on to other services, the same for all of this request.

        It continues the trace that a trusted proxy sent, else it starts one that is not sampled.
        """
        value = scope.traceparent.get()
        if not value:
            value = outgoing_traceparent(self.request.head, self.config.server.trusted_proxies)
            scope.traceparent.set(value)
        return value

    @property
    def csp_nonce(self) -> str:
        """Nonce for inline scripts and styles, allowed by Content-Security-Policy."""
        if self.nonce is None:
            self.nonce = secrets.token_urlsafe(16)
        return self.nonce

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

        The template sees `values`, `ctx`, `csrf_field`, `csp_nonce` and the helpers. The suffix of
        its name decides the content type: `feed.xml` and `feed.xml.j2` are application/xml.
        """
        page = self.services.views.render(template, values, self)
        return Response(page.encode(), status, (), content_type(template))

    def render_block(self, template: str, block: str, /, **values: Any) -> Response:  # noqa: ANN401 - values of any type
        """Return one block of a template, for example for a part of a page that htmx replaces.

        The block may be one of a parent template. Raise ArlenError if there is no such block.
        """
        part = self.services.views.render_block(template, block, values, self)
        return Response(part.encode(), 200, (), content_type(template))

    def render_text(self, template: str, /, **values: Any) -> str:  # noqa: ANN401 - values of any type
        """Return the text of a template, for example for a mail."""
        return self.services.views.render(template, values, self)

    def json(self, value: object, status: int = 200) -> Response:
        """Return JSON; see `responses.json`. The body of the request is `params.json()`."""
        return responses.json(value, status)

    def text(self, value: str, status: int = 200) -> Response:
        """Return plain text."""
        return responses.text(value, status)

    def html(self, value: str, status: int = 200) -> Response:
        """Return a page. The text is sent unchanged: escape what clients wrote."""
        return responses.html(value, status)

    def file(self, path: Path, *, name: str | None = None, content_type: str | None = None) -> Response:
        """Send a file from disk; see `responses.file`."""
        return responses.file(path, name=name, content_type=content_type)

    def stream(self, pieces: Iterable[str | bytes], content_type: str = responses.TEXT) -> Response:
        """Send a body piece by piece, as the iterable makes them; see `responses.stream`."""
        return responses.stream(pieces, content_type)

    def negotiate(self, *, strict: bool = False, **formats: object) -> Response:
        """Answer in the format that the client prefers; the formats are named by their extension.

        return ctx.negotiate(html=lambda: ctx.render("notes.html", notes=notes), json=notes)

        A value is what the format sends, a Response, or a function without parameters that returns
        one of them: only the chosen one is called. `prefers` describes the choice and `strict`.
        Raise TypeError for an unknown format.
        """
        names = {media_type_of(name): name for name in formats}
        if not names:
            raise TypeError("negotiate needs at least one format, for example json=value")
        name = names[self.prefers(*names, strict=strict)]
        value = formats[name]
        return answer_as(name, value() if callable(value) else value)

    def halt(self, status: int, detail: str = "", *, headers: Sequence[tuple[str, str]] = ()) -> NoReturn:
        """End the request with an error of this status; the client reads `detail`.

        Raise the error class of the status, such as NotFound; ValueError if it is not from 400 to
        599.
        """
        raise error_of(status, detail, headers)

    def redirect(self, location: str, status: int = 303, *, external: bool = False) -> Response:
        """Redirect to a path of this site; see `responses.redirect`."""
        return responses.redirect(location, status, external=external)

    def redirect_to(self, name: str, /, **values: object) -> Response:
        """Redirect to a named route with 303, so that the browser asks for it with GET."""
        return responses.redirect(self.url_for(name, **values))

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
