"""What an action gets: the request, and everything it may need for an answer. One rule: typed slots, no bag.

The facts of the wire are in `request`, frozen. What middlewares learn has a slot of its own here. What costs something
is made when it is first asked for.
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
from arlen_runtime.web.validation import Fields, build

T = TypeVar("T")


class Context:
    """One request on its way through the chain."""

    __slots__ = ("_cookies", "_params", "by_accept", "endpoint", "nonce", "request", "route", "services")

    def __init__(self, services: Services, request: Request, endpoint: Endpoint, route: Mapping[str, Any]) -> None:
        """Take what the router found; `route` are the values of the path's parameters."""
        self.services = services
        self.request = request
        self.endpoint = endpoint
        self.route = route
        self._params: Params | None = None
        self._cookies: Mapping[str, str] | None = None
        self.nonce: str | None = None
        """The nonce of this answer if anyone has asked for it: the security headers name it only then."""
        self.by_accept = False
        """Whether the answer depends on Accept: then it says so by Vary."""

    @property
    def params(self) -> Params:
        """The request's input: route, then body, then query, by one name; each on its own as `.route`, `.body`, `.query`."""
        if self._params is None:
            self._params = Params(self.request, self.route)
        return self._params

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies that came, names to values: `ctx.cookies.get("theme")`. Anybody on the domain may have set them.

        To set one: `response.add("Set-Cookie", str(SetCookie("theme", "dark")))`.
        """
        if self._cookies is None:
            self._cookies = cookies.read(self.request.head.headers)
        return self._cookies

    @property
    def config(self) -> Config:
        """The configuration; the application's own keys are in `config.settings`."""
        return self.services.config

    @property
    def log(self) -> Log:
        """The log: `ctx.log.info("order_paid", order=3)`. Lines carry the request's id."""
        return self.services.log

    @property
    def pg(self) -> Any:  # noqa: ANN401 - the application's own database, with all it can do
        """The database that the application was built with; ArlenError when it was built without."""
        if self.services.pg is None:
            raise ArlenError("this application has no database: build it as App(config, routes, pg=ALNPg(...))")
        return self.services.pg

    @property
    def request_id(self) -> str:
        """The id of this request, which X-Request-Id tells the client and the log."""
        return self.request.head.id

    @property
    def correlation_id(self) -> str:
        """The id to pass on to other services: what a trusted proxy passed on to this one, else this request's own."""
        return self.request.head.correlation_id

    @property
    def csp_nonce(self) -> str:
        """The nonce of this response's Content-Security-Policy, for inline scripts and styles."""
        if self.nonce is None:
            self.nonce = secrets.token_urlsafe(16)
        return self.nonce

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, read as JSON. Raises UnsupportedMediaType for another type, InvalidBody for bad JSON."""
        return self.params.json()

    def prefers(self, first: str, *others: str, strict: bool = False) -> str:
        """Return which of these media types to answer with; the answer says by Vary when Accept has decided.

        The extension of the route's own path, `/posts.json` or `/posts/{id}.json`, comes before Accept, and of equal weights
        there the earlier offer. Who likes none of them gets the first; with `strict` that raises NotAcceptable (406).
        """
        offers = (first, *others)
        named = media_types.by_extension(self.endpoint.pattern.text)
        for offer in offers:
            if media_types.essence(offer) == named:
                return offer
        self.by_accept = True
        liked = best(self.request.head.headers.get_list("accept"), offers)
        if liked is None and strict:
            raise NotAcceptable(f"This address answers {' or '.join(offers)}.")
        return liked or first

    def check_conditions(self, tag: str | None, changed: float | None = None) -> None:
        """Raise PreconditionFailed (412) unless the request's If-Match and the like allow to change what is there now.

        `tag` is the entity tag that GET sends, quotes included, and `changed` when it last changed, in seconds since 1970.
        Both None say that nothing is there: then `If-None-Match: *` allows to create it, and every If-Match fails. Call
        it before the change; for reading, ETag in the answer is all that is needed.
        """
        check_preconditions(self.request.head, tag, None if changed is None else int(changed))

    def fields(self) -> Fields:
        """Begin to check the input field by field; `check()` at the end raises ValidationFailed with all that is wrong."""
        return Fields(self.params)

    def validate(self, validator: Callable[[Fields], T]) -> T:
        """Return what `validator` makes of the fields; ValidationFailed with every error when there is one."""
        fields = self.fields()
        value = build(validator, fields)
        fields.check()
        return value

    def render(self, template: str, status: int = 200, /, **values: Any) -> Response:  # noqa: ANN401 - values of any type
        """Return a page. The template finds the values, and `csrf_field`, `csp_nonce` and `ctx` beside the helpers."""
        values.setdefault("ctx", self)
        values["csrf_field"] = self.csrf_field
        values["csp_nonce"] = self._get_nonce
        return responses.html(self.services.views.render(template, values), status)

    def redirect(self, location: str, status: int = 303, *, external: bool = False) -> Response:
        """Lead to a path of this site; see `responses.redirect`."""
        return responses.redirect(location, status, external=external)

    def url_for(self, name: str, /, **values: object) -> str:
        """Return the address of a named route."""
        return self.services.router.url_for(name, values)

    def csrf_field(self) -> Markup:
        """Return the hidden field that every form needs; empty while nothing checks it."""
        return Markup()

    @property
    def topics(self) -> Topics:
        """Where events are published: `ctx.topics.publish("posts", "a new one")`."""
        return self.services.topics

    def events(self, *topics: str) -> Response:
        """Return a stream of the events of these topics (text/event-stream); it holds no thread while it lasts."""
        stream = self.services.topics.subscribe(*topics)
        # X-Accel-Buffering: a proxy that collects the answer would never pass an event on.
        headers = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")]
        return Response(stream, 200, headers, content_type="text/event-stream")

    def _get_nonce(self) -> str:
        """Return the nonce: the form that templates call."""
        return self.csp_nonce
