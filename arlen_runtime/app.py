"""The application: its parts are passed in once, checked and assembled at boot.

def create(config: Config) -> App:
    return App(config, routes, pg=ALNPg(config.database.url))

An application with services of its own writes a class: `class Shop(App)`, with its attributes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from arlen_runtime.boot_problems import BootProblems
from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.development import ErrorContext
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.application import Admission, WorkerHandle
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response
from arlen_runtime.log.logger import Log
from arlen_runtime.middleware.chain import Middleware, Proceed
from arlen_runtime.middleware.error_boundary import ErrorBoundary
from arlen_runtime.middleware.order import Order, declared_options
from arlen_runtime.middleware.own_middleware import checked_form
from arlen_runtime.middleware.request_id import id_line, log_correlation_id
from arlen_runtime.middleware.route_options import unread_options
from arlen_runtime.middleware.security_headers import SecurityHeaders
from arlen_runtime.routing.answers import ANSWERS
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.templates.views import Configure, Functions, Templates, Views
from arlen_runtime.web.access_fields import access_fields
from arlen_runtime.web.action import innermost
from arlen_runtime.web.boot_check import BootCheck
from arlen_runtime.web.built_in import built_in_endpoints, reject_shadowed_routes
from arlen_runtime.web.checks import Check
from arlen_runtime.web.code_references import Classes
from arlen_runtime.web.context import Context
from arlen_runtime.web.context_class import problems_of_context_class
from arlen_runtime.web.followed_channels import FollowedChannels
from arlen_runtime.web.health import Health
from arlen_runtime.web.refusals import reject_websocket
from arlen_runtime.web.services import Services
from arlen_runtime.web.site_url import site_url
from arlen_runtime.web.static_files import StaticFiles
from arlen_runtime.web.worker_hooks import Hook, with_app

_NO_VALUES: dict[str, object] = {}


class EndpointChain(NamedTuple):
    """An endpoint and the middleware chain composed for it."""

    endpoint: Endpoint
    chain: Proceed


class App:
    """What `create(config)` returns and the server runs.

    It is an Application for the server, and a callable from request to response. Its parts:

    - `routes` fills a Routes; `pg` is the database.
    - `context` is the application's own class of contexts.
    - `middleware` are the application's own, outermost first: their layers stand between those of
      Arlen and the guards.
    - `templates` is a folder or a mapping of name to source; the default is `[templates] folder` in
      the package of the application. `helpers`, `filters` and `tests` are functions for templates,
      by name; `jinja` is a function that changes their environment before they are compiled.
    - `on_worker_start` and `on_worker_stop` are hooks that run in each worker, after its start and
      after its last request; they get the App or nothing.
    - `checks` are for /readyz.
    """

    _worker: WorkerHandle | None = None

    def __init__(  # noqa: PLR0913 - the parts of an application, as keywords
        self,
        config: Config,
        routes: Callable[[Routes], None],
        *,
        pg: Any = None,  # noqa: ANN401 - any database; the runtime uses only services.Database
        context: type[Context] = Context,
        middleware: Sequence[Middleware] = (),
        log: Log | None = None,
        templates: Templates | None = None,
        helpers: Functions | None = None,
        filters: Functions | None = None,
        tests: Functions | None = None,
        jinja: Configure | None = None,
        on_worker_start: Sequence[Hook] = (),
        on_worker_stop: Sequence[Hook] = (),
        checks: Mapping[str, Check] | None = None,
    ) -> None:
        """Assemble the application; connect to nothing. Raise BootError with all mistakes."""
        problems = BootProblems()
        self.on_worker_start = problems.attempt_all(with_app, on_worker_start)
        self.on_worker_stop = problems.attempt_all(with_app, on_worker_stop)
        problems.add(problems_of_context_class(context))
        endpoints = _collect_routes(routes, middleware, problems)
        self.config = config
        self.log = log or Log(config.log, config.environment, config.root)
        self.static_files = StaticFiles(config.static, config.root, reload=config.environment == "development")
        self.health = Health(config, pg, checks)
        self.router = self._build_router(endpoints)
        self.views = self._build_views(templates, helpers or {}, filters=filters, tests=tests, configure=jinja)
        self.pages = ErrorPages(config, self.router.endpoints)
        self.security_headers = SecurityHeaders(config.security_headers)
        boundary = ErrorBoundary(self.pages, keep_statements=config.environment == "development")
        self.order = Order(config, self.security_headers, boundary, middleware)
        self.services = Services(config, self.log, self.router, self.views, pg, app=self)
        self._context, self._followed = context, FollowedChannels(self.services)
        if hasattr(pg, "report_to"):
            pg.report_to(self.log.warning)
        problems.attempt(self._check_names, routes)
        self._assemble(problems)

    def _build_views(
        self,
        templates: Templates | None,
        helpers: Functions,
        **options: Any,  # noqa: ANN401 - those of Views
    ) -> Views:
        """Build the views, with Arlen's helpers and those of the application."""
        all_helpers: Functions = {**self._own_helpers(), **helpers}
        folder = _templates_of(self.config) if templates is None else templates
        return Views(folder, all_helpers, reload=self.config.environment == "development", **options)

    def _own_helpers(self) -> Functions:
        return {"url_for": self.url_for, "asset": self.static_files.asset}

    def _check_names(self, routes: Callable[[Routes], None]) -> None:
        """Compile the templates and check constant names. In development, the request finds out."""
        if self.config.environment == "development":
            return
        classes = Classes(_names_of(self._context, Context), _names_of(type(self), App))
        unchanged = (
            name for name, own in self._own_helpers().items() if self.views.environment.globals.get(name) == own
        )
        BootCheck(self.router, self.views, self.static_files, classes, frozenset(unchanged)).run(self.config, routes)

    def _build_router(self, endpoints: list[Endpoint]) -> Router:
        """Build the router: built-in endpoints match first, static files last."""
        built_ins = built_in_endpoints(self.config, self.health, self._metrics)
        redirects = self.config.routing.trailing_slash == "redirect"
        router = Router([*built_ins, *endpoints, *self._static_endpoints()], redirect_slashes=redirects)
        reject_shadowed_routes(endpoints, router)
        return router

    def _assemble(self, problems: BootProblems) -> None:
        """Build the chain of each endpoint. Raise BootError for the mistakes of all parts."""
        self._admissions: dict[Endpoint, Admission] = {}
        for endpoint in (*self.router.endpoints, *self.router.variants, *ANSWERS):
            admission = problems.attempt(self._build_admission, endpoint)
            if admission is None:  # an own middleware failed, and would for many routes
                break
            self._admissions[endpoint] = admission
        problems.raise_any()
        self._fixed = {
            path: {method: self._admissions[endpoint] for method, endpoint in methods.items()}
            for path, methods in self.router.fixed.items()
        }

    def start(self, worker: WorkerHandle) -> None:
        """Start serving in a worker, after the fork."""
        self._worker = worker
        self.health.start(worker)
        for hook in self.on_worker_start:
            hook(self)
        self._followed.start(worker)
        if worker.number == 0 and hasattr(self.services.pg, "connection_budget"):
            # On a thread of its own: a database that does not answer must not delay the start.
            threading.Thread(target=self._check_budget, name="budget", daemon=True).start()
        for hook in self.on_worker_stop:
            worker.on_stop(partial(hook, self))

    def _check_budget(self) -> None:
        """Warn if all workers together may open more connections than the database allows."""
        try:
            warning = self.services.pg.connection_budget(self.config.propane_accessories.worker_count)
        except ArlenError as error:  # /readyz reports that the database is unreachable
            if self.config.sources.is_from_env_file("database", "url"):
                place = self.config.sources.origin("database", "url")
                self.log.warning("database_unreachable", reason=error.detail, origin=place)
            return
        if warning:
            self.log.warning("connection_budget", reason=warning)

    def admit(self, head: Head) -> Admission:
        """Return the admission for a head. Paths without parameters share one Admission.

        Raise NotImplementedByServer for a WebSocket handshake.
        """
        fields = head.headers.first
        if b"upgrade" in fields or b"sec-websocket-key" in fields:
            reject_websocket(head)
        methods = self._fixed.get(head.path)
        if methods is not None and (admission := methods.get(head.method)) is not None:
            return admission
        match = self.router.match(head.method, head.path, head)
        return self._admissions[match.endpoint].with_params(match.params)

    def run(self, admission: Admission, request: Request) -> Response:
        """Run the chain of the admitted endpoint."""
        composed: EndpointChain = admission.endpoint  # type: ignore[assignment] # see `_build_admission`; a cast would cost a call
        endpoint, chain = composed
        return chain(self._context(self.services, request, endpoint, admission.params or _NO_VALUES))

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Return the response for an error of the server.

        It has the same format and headers as a response of the chain.
        """
        response = self.pages.respond(error, ErrorContext(head))
        response.prepared = self.security_headers.lines(response, head.scheme if head else "http")
        if head is not None:
            response.prepared += id_line(head)
            log_correlation_id(head, response)
        return response

    def __call__(self, request: Request) -> Response:
        """Admit a request and run it."""
        return self.run(self.admit(request.head), request)

    def url_for(self, name: str, /, **values: object) -> str:
        """Return the URL of a named route."""
        return self.router.url_for(name, values)

    def follow(self, channel: str, topic: str = "") -> None:
        """Publish the notifications of a PostgreSQL channel as a topic, by default of its name.

        Call it in `create`. Each worker listens, so `pg.notify(channel, text)` in one of them
        reaches the streams of `ctx.events(topic)` in all. After a time without a connection the
        topic gets an event named "gap". Raise BootError if the channel cannot be followed.
        """
        self._followed.add(channel, topic or channel)

    def absolute_url_for(self, name: str, /, **values: object) -> str:
        """Return the URL of a named route with scheme and host, which `[app] url` names."""
        return self.router.absolute_url_for(name, values, site_url(self.config, None))

    def _static_endpoints(self) -> list[Endpoint]:
        """Return the endpoint for static files, if this server serves any."""
        is_served = self.config.static.enabled and not self.config.app.api_only
        return [self.static_files.endpoint()] if is_served else []

    def _metrics(self) -> str:
        """Return the counters of the server; empty if no server started the application."""
        return self._worker.metrics() if self._worker is not None else ""

    def _build_admission(self, endpoint: Endpoint) -> Admission:
        limit = self.config.limits.body_bytes if endpoint.limit is None else endpoint.limit
        innermost_call = innermost(endpoint, by_accept=endpoint in self.router.negotiated)
        composed = EndpointChain(endpoint, self.order.compose(endpoint, innermost_call))
        fields = access_fields(endpoint)
        return Admission(
            endpoint.key, endpoint.body, limit, composed, {}, immediate=endpoint.immediate, log_fields=fields
        )


def _collect_routes(
    routes: Callable[[Routes], None], middleware: Sequence[Middleware], problems: BootProblems
) -> list[Endpoint]:
    """Return the application's routes. Raise BootError for mistakes in them and in middlewares."""
    collected = Routes()
    routes(collected)
    problems.attempt(collected.check)
    problems.add(unread_options(collected.endpoints, declared_options(middleware) | ErrorPages.options))
    problems.attempt_all(checked_form, middleware)
    problems.raise_any()
    return collected.endpoints


def _names_of(kind: type, base: type) -> frozenset[str]:
    """Return the names of a class of the application, and of its bases up to Arlen's."""
    return frozenset(parent.__name__ for parent in kind.__mro__ if issubclass(parent, base))


def _templates_of(config: Config) -> Templates:
    """Return the template folder: beside the module that `[app] target` names. An API has none."""
    if config.app.api_only:
        return {}
    package = config.app.target.partition(":")[0].split(".")[:-1]
    return config.root.joinpath(*package, config.templates.folder)
